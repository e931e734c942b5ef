"""In a notebook everything shows itself: in a frame, and as text and picture beside it."""

from __future__ import annotations

import base64
import html
import re
from typing import Any

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
    assert "<img" not in outside
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

    assert "image/png" not in notebook.bundle("text", "<p>", draw)


def test_what_has_no_document_is_text() -> None:
    def document() -> dict[str, Any]:
        raise RunError("it is <gone>")

    def draw() -> Any:
        raise ImportError

    bundle = notebook.show_document(document, "run", draw)
    assert "it is &lt;gone&gt;" in bundle["text/html"]
