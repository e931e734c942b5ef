"""Every question of `run.explain` has an answer of its own kind, as text and as JSON."""

from __future__ import annotations

import inspect
import json
from collections.abc import Callable
from typing import Any

import pytest

from sevensteps.explain.questions import Explain
from sevensteps.record.run_folder import nan_to_null
from tests.explain.conftest import Runs

QUESTIONS: dict[str, tuple[str, Callable[[Explain], Any]]] = {
    "shapes": ("Shapes", lambda explain: explain.shapes()),
    "sample": ("Sample", lambda explain: explain.sample(0)),
    "batch": ("Batch", lambda explain: explain.batch([0, 1, 2])),
    "samples": ("Samples", lambda explain: explain.samples(worst=2)),
    "confusion": ("Confusion", lambda explain: explain.confusion("train")),
    "gradient": ("Backward", lambda explain: explain.gradient(0)),
    "gradient of one number": ("Gradient", lambda explain: explain.gradient(0, "output.bias", [1])),
    "neuron": ("Neuron", lambda explain: explain.neuron("layer1", 1, again=False)),
    "surface": ("Surface", lambda explain: explain.surface()),
    "steps": ("Steps", lambda explain: explain.steps(0)),
    "words": ("Words", lambda explain: explain.words("epoch", "loss")),
    "why": ("Why", lambda explain: explain.why()),
}


def test_every_question_is_in_the_table() -> None:
    methods = {name for name, _ in inspect.getmembers(Explain, inspect.isfunction)}
    assert methods - {"__init__", "__repr__"} == set(QUESTIONS) - {"gradient of one number"}


@pytest.mark.parametrize("name", sorted(set(QUESTIONS) - {"surface", "why"}))  # slow; see their own
def test_a_question_has_an_answer_of_its_kind(name: str, runs: Runs) -> None:
    kind, ask = QUESTIONS[name]
    answer = ask(runs("iris").explain)
    assert type(answer).__name__ == kind
    json.dumps(nan_to_null(answer.to_dict()), allow_nan=False)
    assert answer.text(80) == str(answer)
