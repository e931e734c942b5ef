"""In a notebook everything shows itself: in a frame, and as text and picture beside it."""

from __future__ import annotations

import base64
import gc
import html
import re
from typing import Any

import pytest

import sevensteps as ss
from sevensteps.doctor.diagnosis import Diagnosis
from sevensteps.errors import RunError
from sevensteps.view import notebook
from sevensteps.view.report import ELEMENT

PNG = b"\x89PNG"


def test_a_run(healthy_run: ss.Run) -> None:
    bundle = healthy_run._repr_mimebundle_()
    assert bundle["text/plain"] == repr(healthy_run)
    assert base64.b64decode(bundle["image/png"]).startswith(PNG)
    assert ELEMENT in bundle["text/html"]


def test_a_frame_cannot_reach_the_notebook(hostile_run: ss.Run) -> None:
    page = hostile_run._repr_mimebundle_()["text/html"]
    [frame] = re.findall(r"<iframe[^>]*>", page)
    assert re.search(r'sandbox="allow-scripts"', frame)
    assert "allow-same-origin" not in frame
    outside = page.replace(frame, "")
    assert "<script" not in outside
    pictures = re.findall(r"<img[^>]*>", outside)  # our own alone, and it loads nothing
    assert len(pictures) == 1
    assert re.search(r' src="data:image/png;base64,[\w+/=]+">$', pictures[0])
    assert " onerror" not in pictures[0].replace("&lt;img src=x onerror=alert", "")
    assert "Content-Security-Policy" in html.unescape(frame)


def test_a_race_a_diagnosis_and_answers(
    race: ss.Race, watched_diagnosis: Diagnosis, faulty_run: ss.Run
) -> None:
    shown: list[Any] = [race, watched_diagnosis, faulty_run.explain.sample(1)]
    for subject in shown:
        bundle = subject._repr_mimebundle_()
        assert "<iframe" in bundle["text/html"]
        assert bundle["text/plain"]
        [page] = re.findall(r"<iframe[^>]*>", subject._repr_html_())
        assert 'sandbox="allow-scripts"' in page
    shapes = faulty_run.explain.shapes()._repr_mimebundle_()
    assert shapes["text/html"].startswith("<pre>")
    assert base64.b64decode(shapes["image/png"]).startswith(PNG)


def test_without_matplotlib_there_is_no_picture() -> None:
    def draw() -> Any:
        raise ImportError

    assert "image/png" not in notebook.show_document(lambda: {"title": "a"}, "text", draw)


def test_what_has_no_document_is_text() -> None:
    def document() -> dict[str, Any]:
        raise RunError("it is <gone>")

    def draw() -> Any:
        raise ImportError

    bundle = notebook.show_document(document, "run", draw)
    assert "it is &lt;gone&gt;" in bundle["text/html"]


def test_showing_twice_computes_once(healthy_run: ss.Run, monkeypatch: pytest.MonkeyPatch) -> None:
    first = healthy_run._repr_mimebundle_()
    monkeypatch.setattr(ss.Run, "document", None)  # calling it would raise
    assert healthy_run._repr_mimebundle_() == first
    assert healthy_run._repr_html_() == first["text/html"]


def test_what_has_changed_is_shown_anew() -> None:
    class Subject:
        state = "before"

    subject, memory = Subject(), notebook.Remembered()

    def show() -> str:
        made = memory.show(subject, lambda: subject.state, lambda: {"text/plain": subject.state})
        return str(made["text/plain"])

    assert show() == "before"
    subject.state = "after"
    assert show() == "after"


@pytest.mark.long
def test_what_is_remembered_is_bounded_and_goes_with_its_object() -> None:
    class Subject:
        pass

    memory = notebook.Remembered(most_bytes=1000)
    subjects = [Subject() for _ in range(20)]
    for subject in subjects:
        memory.show(subject, lambda: None, lambda: {"text/plain": "x" * 100})
    assert 0 < memory.size <= 1000
    subjects.clear()
    del subject
    gc.collect()
    assert memory.size == 0


def test_what_a_notebook_stores_is_bounded(race: ss.Race, healthy_run: ss.Run) -> None:
    for subject in (race, healthy_run):
        shown: Any = subject
        assert sum(map(len, shown._repr_mimebundle_().values())) < 4_000_000
