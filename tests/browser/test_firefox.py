"""Reports in Firefox, as a file and without a network: drawn, quiet, and moved by the keyboard."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.browser.conftest import WIDTHS
from tests.browser.firefox import FIREFOX, Firefox, firefox

pytestmark = [pytest.mark.slow, pytest.mark.draws]

KINDS = [
    "healthy",
    "learning_rate_too_high",
    "vanishing_gradient",
    "script",
    "race",
    "comparison",
    "long",
]
DRAWN = """({
    heading: document.querySelector("h1").innerText,
    width: document.documentElement.scrollWidth,
    inked: [...document.querySelectorAll(".plot canvas, .heatmap canvas")].map(canvas => {
        const { width, height } = canvas;
        const pixels = canvas.getContext("2d").getImageData(0, 0, width, height).data;
        return pixels.some((value, place) => place % 4 === 3 && value > 0);
    }),
})"""
SLIDER = 'document.querySelector(".slider-bar input")'


@pytest.fixture(scope="module")
def browser(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Firefox]:
    """Firefox, or a reason why this is skipped."""
    if FIREFOX is None:
        pytest.skip("there is no Firefox: apt-get install firefox-esr")
    pytest.importorskip("websockets", reason="there is no websockets: make test-browser")
    with firefox(tmp_path_factory.mktemp("profile")) as opened:
        yield opened


@pytest.mark.parametrize("name", KINDS)
def test_a_report(name: str, reports: Callable[[str], Path], browser: Firefox) -> None:
    path = reports(name)
    for width, height in WIDTHS.values():
        browser.messages.clear()
        browser.open(path, width, height)
        drawn = browser.run(DRAWN)
        assert drawn["heading"]
        assert drawn["width"] <= width
        assert drawn["inked"]
        assert all(drawn["inked"])
        assert browser.messages == []


def wait(browser: Firefox, condition: str) -> Any:
    """The value of a condition as soon as it is true, for ten seconds at most."""
    return browser.run(
        f"""new Promise(done => {{
            const ends = performance.now() + 10_000;
            const look = () => {{
                const value = {condition};
                value || performance.now() > ends ? done(value) : requestAnimationFrame(look);
            }};
            look();
        }})"""
    )


def test_the_slider_moves_everything(reports: Callable[[str], Path], browser: Firefox) -> None:
    browser.open(reports("vanishing_gradient"), *WIDTHS["wide"])
    browser.run(f"{SLIDER}.focus()")
    browser.press("Home")
    assert wait(browser, 'document.body.innerText.includes("at step 0")')
    browser.press("ArrowRight")
    assert wait(browser, 'document.body.innerText.includes("at step 1")')


def test_a_drag_zooms_all_charts(reports: Callable[[str], Path], browser: Firefox) -> None:
    browser.open(reports("long"), *WIDTHS["wide"])
    browser.run('document.querySelector(".u-over").scrollIntoView({ block: "center" })')
    box = browser.run('document.querySelector(".u-over").getBoundingClientRect().toJSON()')
    x, y, width = box["x"], box["y"], box["width"]
    ends = "document.querySelector('.chart .cursor').ariaValueMax"
    assert browser.run(ends) == "100000"
    browser.drag((x + width / 4, y + 40), (x + width / 2, y + 60))
    assert wait(browser, f"Number({ends}) < 60000")


def test_what_goes_wrong_would_be_heard(tmp_path: Path, browser: Firefox) -> None:
    path = tmp_path / "loud.html"
    path.write_text("<script>console.log('heard'); nothing.at.all</script>")
    browser.messages.clear()
    browser.open(path, 400, 400)
    assert len(browser.messages) == 2
