"""The picture that a running cell updates: bounded, throttled, markup that runs nothing."""

from __future__ import annotations

import itertools
import math
import re
import sys
import types
from typing import Any
from xml.etree import ElementTree

import pytest

import sevensteps as ss
from sevensteps.view import live_picture
from sevensteps.view.live_picture import POINTS, LiveCurve, LiveDisplay, LiveState
from sevensteps.view.notebook_progress import NotebookProgress
from sevensteps.view.progress import LogLines, progress_view
from sevensteps.view.race_progress import race_view
from tests.view.conftest import HOSTILE


@pytest.fixture
def shown(monkeypatch: pytest.MonkeyPatch) -> list[dict[str, Any]]:
    """A notebook that keeps every message: its content, `id`, and whether it is an update."""
    messages: list[dict[str, Any]] = []

    def display(content: dict[str, Any], raw: bool, display_id: str, update: bool) -> None:
        assert raw
        messages.append(content | {"id": display_id, "update": update})

    shell = types.SimpleNamespace(kernel=object())
    ipython: Any = types.ModuleType("IPython")
    ipython.get_ipython, ipython.display = lambda: shell, types.SimpleNamespace(display=display)
    monkeypatch.setitem(sys.modules, "IPython", ipython)
    monkeypatch.setattr(sys.stderr, "isatty", lambda: False)
    return messages


def test_a_training_shows_one_output_whose_last_state_stays(shown: list[dict[str, Any]]) -> None:
    run = ss.train("iris", predict="linear()", stop="epochs(30)", out=False)
    assert len({message["id"] for message in shown}) == 1
    assert [message["update"] for message in shown] == [False, *[True] * (len(shown) - 1)]
    last = shown[-1]
    accuracy = run.metrics["valid"]["accuracy"]
    for part in ("iris, trained", f"validation accuracy {accuracy:.4f}", "all 30 epochs are done"):
        assert part in last["text/plain"]
        assert part in last["text/html"]


def test_what_was_found_is_in_it(shown: list[dict[str, Any]], faulty_run: ss.Run) -> None:
    view = NotebookProgress()
    view.finished(faulty_run)
    assert "learning_rate_too_high" in shown[-1]["text/plain"]
    assert 'class="warning"' in shown[-1]["text/html"] or 'class="error"' in shown[-1]["text/html"]


def test_findings_before_the_first_step_are_shown_at_once(shown: list[dict[str, Any]]) -> None:
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


def test_a_race_shows_its_recipes(shown: list[dict[str, Any]]) -> None:
    steps = ["sgd(lr=0.1)", "sgd(lr=0.001)"]
    recipes = ss.grid("iris", step=steps, stop="epochs(5)", predict="linear()", seeds=2)
    ss.race(recipes, out=False)
    assert "4 trainings · ahead: sgd(lr=0.1)" in shown[-1]["text/plain"]
    assert all(step in shown[-1]["text/html"] for step in steps)
    assert len({message["id"] for message in shown}) == 1


def test_nobody_asked(shown: list[dict[str, Any]]) -> None:
    ss.train("iris", predict="linear()", stop="epochs(1)", out=False, progress=False)
    with race_view(False) as report:
        assert report is None
    assert shown == []


def test_outside_of_a_notebook_nothing_is_shown(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys.stderr, "isatty", lambda: False)
    assert not live_picture.in_notebook()
    with progress_view(None) as views:
        assert views == []
    with progress_view(True) as views:
        assert isinstance(views[0], LogLines)


def test_the_bits_are_the_same(shown: list[dict[str, Any]]) -> None:
    recipe = {"predict": "mlp(8)", "stop": "epochs(3)", "out": False}
    with_picture = ss.train("iris", **recipe)
    without = ss.train("iris", **recipe, progress=False)
    assert shown
    pairs = zip(with_picture.network.parameters(), without.network.parameters(), strict=True)
    assert all(bool((one == other).all()) for one, other in pairs)


def test_an_update_leaves_time_for_the_training(
    shown: list[dict[str, Any]], monkeypatch: pytest.MonkeyPatch
) -> None:
    clock = [0.0]
    monkeypatch.setattr(live_picture.time, "monotonic", lambda: clock[0])
    display = LiveDisplay()
    assert not display.due  # a training that is over at once has one message

    def slow(*arguments: Any, **options: Any) -> None:
        clock[0] += 2.0

    monkeypatch.setattr(live_picture, "publish", slow)
    clock[0] = 1.0
    assert display.due
    display.show(LiveState("a"))
    clock[0] += 100.0
    assert not display.due
    clock[0] += 2.0 / live_picture.SHARE
    assert display.due


def test_a_curve_is_bounded_and_keeps_its_course() -> None:
    curve = LiveCurve("loss", "series-1")
    for step in range(100_000):
        curve.add(step, float(step))
    assert len(curve.points) <= POINTS
    assert curve.points[0] == (0, 0.0)
    assert curve.points[-1][0] > 95_000
    steps = [x for x, _ in curve.points]
    assert len({b - a for a, b in itertools.pairwise(steps)}) == 1


@pytest.mark.parametrize(
    "values", [[1.0], [1.0, 1.0], [1e-9, 1e9], [math.nan, 1.0, math.inf, 2.0], [-1.0, 5.0], [0, 0]]
)
def test_any_numbers_can_be_drawn(values: list[float]) -> None:
    curve = LiveCurve("loss", "series-1", points=list(enumerate(values)))
    root = ElementTree.fromstring(live_picture.live_svg([curve]))
    for line in root.iter("polyline"):
        assert "nan" not in line.get("points", "")
        assert "inf" not in line.get("points", "")
    assert live_picture.live_svg([LiveCurve("nothing", "series-1", points=[(0, math.nan)])]) == ""


def test_no_text_is_markup() -> None:
    curve = LiveCurve(HOSTILE, "series-1", points=[(0, 1.0), (1, 2.0)])
    html = live_picture.live_html(LiveState(HOSTILE, HOSTILE, [("error", HOSTILE)], [curve], 0.5))
    assert "<img" not in html
    assert "<script" not in html
    assert "</script" not in html
    assert not re.search(r"url\(|https?:|@import", html)
