"""What a move in the largest report costs: counted work, and the processor time of the page, which
other programs of the machine do not change as they do the time on the clock.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from tests.browser.conftest import OpenedReport, expect_text
from tests.browser.large import LOOKS, large

pytestmark = [pytest.mark.slow, pytest.mark.draws, pytest.mark.usefixtures("browser")]

CATEGORIES = ["devtools.timeline", "disabled-by-default-devtools.timeline"]
MOVES = 8
MILLISECONDS = 100  # the promise, of a move
COUNT = """() => {
  window.counted = { strokes: 0, changes: {} };
  const own = CanvasRenderingContext2D.prototype;
  const stroke = own.stroke;
  own.stroke = function (...rest) { counted.strokes++; return stroke.apply(this, rest); };
  for (const section of document.querySelectorAll("section")) {
    counted.changes[section.id] = 0;
    new MutationObserver((all) => (counted.changes[section.id] += all.length)).observe(
      section, { subtree: true, childList: true, attributes: true, characterData: true });
  }
}"""
DRAWN = "new Promise((done) => requestAnimationFrame(() => requestAnimationFrame(done)))"


@pytest.fixture(scope="module")
def report(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return large(tmp_path_factory.mktemp("large"))


@pytest.fixture
def page(report: Path, open_report: Callable[..., OpenedReport]) -> Any:
    """The report at the size of a laptop's window, at its curves."""
    opened = open_report(report)
    opened.page.set_viewport_size({"width": 1280, "height": 800})
    opened.page.evaluate("document.documentElement.style.scrollBehavior = 'auto'")
    opened.page.evaluate("document.querySelector('#curves').scrollIntoView()")
    opened.page.wait_for_timeout(300)
    return opened.page


def work(browser: Any, page: Any, move: Callable[[int], None]) -> dict[str, float]:
    """Of one move: the processor milliseconds of the page's main thread, and its layouts."""
    page.evaluate(COUNT)
    browser.start_tracing(page=page, categories=CATEGORIES)
    for number in range(MOVES):
        move(number)
        page.evaluate(DRAWN)
    events = json.loads(browser.stop_tracing())["traceEvents"]
    main = {
        (event["pid"], event["tid"])
        for event in events
        if event["name"] == "thread_name" and event["args"]["name"] == "CrRendererMain"
    }
    own = [event for event in events if (event["pid"], event["tid"]) in main]
    tasks = [event.get("tdur", 0) for event in own if event["name"] == "RunTask"]
    layouts = [event for event in own if event["name"] == "Layout"]
    assert tasks
    return {"cpu": sum(tasks) / 1000 / MOVES, "layouts": len(layouts) / MOVES}


def test_the_largest_report_is_small(report: Path) -> None:
    assert report.stat().st_size <= 2_500_000


def test_a_move_of_the_slider_does_little(browser: Any, page: Any) -> None:
    page.locator("#curves ~ .slider-bar input").focus()
    cost = work(browser, page, lambda _: page.keyboard.press("ArrowLeft"))
    counted = page.evaluate("counted")
    assert page.inner_text(".slider-bar output span") == f"look {LOOKS - MOVES} of {LOOKS}"
    assert cost["cpu"] < MILLISECONDS
    assert cost["layouts"] <= 2
    assert counted["strokes"] == 0, "a curve was drawn again"
    assert counted["changes"]["curves"] > 0
    # once, when the slider rests, and not with every move
    expect_text(page.locator("body"), f"at step {steps_of(page)}")
    everywhere = page.evaluate("counted.changes.inside")
    assert 0 < everywhere < MOVES * 500


def steps_of(page: Any) -> str:
    """The step at which the slider stands."""
    text: str = page.inner_text(".slider-bar output b")
    return text.removeprefix("step ").partition(" of")[0].strip()


def test_a_zoom_draws_each_curve_once(browser: Any, page: Any) -> None:
    page.locator("#curves .cursor").first.focus()
    cost = work(browser, page, lambda at: page.keyboard.press("0" if at % 2 else "+"))
    strokes = page.evaluate("counted.strokes") / MOVES
    assert cost["cpu"] < MILLISECONDS
    assert cost["layouts"] <= 2
    assert 0 < strokes < 60
