"""A training and a race in a running cell: one output, whose last state stays."""

from __future__ import annotations

import sys
from typing import Any

import pytest

import sevensteps as ss
from sevensteps.view import live_picture
from sevensteps.view.notebook_progress import NotebookProgress
from sevensteps.view.progress import LogLines, progress_view
from sevensteps.view.race_progress import race_view


def test_a_training_shows_one_output_whose_last_state_stays(
    notebook_messages: list[dict[str, Any]],
) -> None:
    run = ss.train("iris", predict="linear()", stop="epochs(30)", out=False)
    assert len({message["id"] for message in notebook_messages}) == 1
    assert [message["update"] for message in notebook_messages] == [
        False,
        *[True] * (len(notebook_messages) - 1),
    ]
    last = notebook_messages[-1]
    accuracy = run.metrics["valid"]["accuracy"]
    for part in ("iris, trained", f"validation accuracy {accuracy:.4f}", "all 30 epochs are done"):
        assert part in last["text/plain"]
        assert part in last["text/html"]


def test_what_was_found_is_in_it(
    notebook_messages: list[dict[str, Any]], faulty_run: ss.Run
) -> None:
    view = NotebookProgress()
    view.finished(faulty_run)
    assert "learning_rate_too_high" in notebook_messages[-1]["text/plain"]
    assert (
        'class="warning"' in notebook_messages[-1]["text/html"]
        or 'class="error"' in notebook_messages[-1]["text/html"]
    )


def test_findings_before_the_first_step_are_shown_at_once(
    notebook_messages: list[dict[str, Any]],
) -> None:
    heard: list[list[str]] = []

    class Listener(ss.Observer):
        def examined(self, training: Any, findings: list[Any]) -> None:
            heard.append([finding.condition for finding in findings])

    run = ss.train(
        "digits",
        predict="mlp(8)",
        initialize="zeros()",
        stop="epochs(1)",
        out=False,
        observers=[Listener()],
    )
    assert len(heard) == 2
    assert "symmetric_units" in heard[0]
    assert heard[1] == [finding.condition for finding in run.findings]


def test_a_race_shows_its_recipes(notebook_messages: list[dict[str, Any]]) -> None:
    steps = ["sgd(lr=0.1)", "sgd(lr=0.001)"]
    recipes = ss.grid("iris", step=steps, stop="epochs(5)", predict="linear()", seeds=2)
    ss.race(recipes, out=False)
    assert "4 trainings · ahead: sgd(lr=0.1)" in notebook_messages[-1]["text/plain"]
    assert all(step in notebook_messages[-1]["text/html"] for step in steps)
    assert len({message["id"] for message in notebook_messages}) == 1


def test_nobody_asked(notebook_messages: list[dict[str, Any]]) -> None:
    ss.train("iris", predict="linear()", stop="epochs(1)", out=False, progress=False)
    with race_view(False) as report:
        assert report is None
    assert notebook_messages == []


def test_outside_of_a_notebook_nothing_is_shown(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys.stderr, "isatty", lambda: False)
    assert not live_picture.in_notebook()
    with progress_view(None) as views:
        assert views == []
    with progress_view(True) as views:
        assert isinstance(views[0], LogLines)


def test_the_bits_are_the_same(notebook_messages: list[dict[str, Any]]) -> None:
    recipe = {"predict": "mlp(8)", "stop": "epochs(3)", "out": False}
    with_picture = ss.train("iris", **recipe)
    without = ss.train("iris", **recipe, progress=False)
    assert notebook_messages
    pairs = zip(with_picture.network.parameters(), without.network.parameters(), strict=True)
    assert all(bool((one == other).all()) for one, other in pairs)
