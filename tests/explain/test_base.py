"""Every answer has its text, and its picture or a refusal; matplotlib waits for the picture."""

from __future__ import annotations

import pkgutil
from importlib import import_module

import pytest

import sevensteps.explain
from sevensteps.explain.base import Explanation, render_text
from sevensteps.render.figures import draw_figure
from tests.test_startup import loaded

MODULES = [
    m.name for m in pkgutil.walk_packages(sevensteps.explain.__path__, "sevensteps.explain.")
]
WITHOUT_PICTURE = {"Batch", "Words"}


def answers() -> list[type[Explanation]]:
    """Every class of answers."""
    for module in MODULES:
        import_module(module)
    return sorted(Explanation.__subclasses__(), key=lambda answer: answer.__name__)


def test_there_is_an_answer_for_every_question() -> None:
    assert len(answers()) == 13


@pytest.mark.parametrize("answer", answers(), ids=lambda answer: answer.__name__)
def test_every_answer_has_a_text_and_a_picture(answer: type[Explanation]) -> None:
    assert render_text.dispatch(answer) is not render_text.dispatch(Explanation)
    drawn = draw_figure.dispatch(answer) is not draw_figure.dispatch(Explanation)
    assert drawn == (answer.__name__ not in WITHOUT_PICTURE)


@pytest.mark.long
def test_an_answer_brings_its_text_but_not_matplotlib() -> None:
    code = "import sevensteps.explain.sample.answer as a; from sevensteps.explain.base import *\n"
    code += "assert render_text.dispatch(a.Sample) is not render_text.dispatch(object)"
    assert "matplotlib" not in loaded(code)
