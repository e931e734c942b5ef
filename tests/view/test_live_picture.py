"""The picture that a running cell updates: bounded, throttled, markup that runs nothing."""

from __future__ import annotations

import itertools
import math
import re
from typing import Any
from xml.etree import ElementTree

import pytest

from sevensteps.view import live_picture
from sevensteps.view.live_picture import POINTS, LiveCurve, LiveDisplay, LiveState
from tests.view.conftest import HOSTILE


def test_an_update_leaves_time_for_the_training(
    notebook_messages: list[dict[str, Any]], monkeypatch: pytest.MonkeyPatch
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


def test_a_picture_that_cannot_be_shown_ends_no_training(
    notebook_messages: list[dict[str, Any]], monkeypatch: pytest.MonkeyPatch
) -> None:
    def broken(*arguments: Any, **options: Any) -> None:
        raise OSError("the connection is gone")

    monkeypatch.setattr(live_picture, "publish", broken)
    display = LiveDisplay()
    display.show(LiveState("a"))
    assert not display.due
