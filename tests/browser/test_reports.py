"""Every report, in a real browser: it is quiet, asks for nothing, can be used by everybody, shows
what it should, and no text of it runs. With SEVENSTEPS_GALLERY=1 the pictures go to docs/gallery.
"""

from __future__ import annotations

import io
import os
from collections.abc import Callable
from html import escape
from pathlib import Path
from typing import Any

import pytest

import sevensteps as ss
from sevensteps.view.document.numbers import unpack_numbers
from sevensteps.view.notebook import frame
from sevensteps.view.report import write_report
from tests.browser.conftest import WIDTHS, OpenedReport, expect_text
from tests.browser.gallery import BUILDERS, FAULTY, SPIKE
from tests.view.conftest import HOSTILE

pytestmark = [pytest.mark.slow, pytest.mark.draws, pytest.mark.usefixtures("browser")]

GALLERY = Path(__file__).parents[2] / "docs" / "gallery"
EXAMPLE = "tried"  # whose report is in the gallery, too
Open = Callable[..., OpenedReport]


def keep_picture(opened: OpenedReport, name: str, size: str) -> None:
    """Put the top of the page into the gallery, where that is asked for."""
    if not os.environ.get("SEVENSTEPS_GALLERY"):
        return
    from PIL import Image

    content = opened.page.screenshot()
    GALLERY.mkdir(exist_ok=True)
    with Image.open(io.BytesIO(content)) as picture:
        picture.convert("RGB").save(GALLERY / f"{name}-{size}.webp", quality=60, method=6)


@pytest.mark.parametrize("name", BUILDERS)
def test_a_report(name: str, reports: Callable[[str], Path], open_report: Open) -> None:
    path = reports(name)
    document = ss.read_report(path)
    assert path.stat().st_size <= 2_500_000
    if name in FAULTY:
        assert document["verdict"]["findings"][0]["condition"] == name
    for size in WIDTHS:
        opened = open_report(path, size)
        opened.check_quiet()
        text = opened.page.inner_text("body")
        assert document["title"] in text
        if sentence := document.get("verdict", {}).get("sentence"):
            assert sentence in text
        wide = opened.page.evaluate("document.documentElement.scrollWidth")
        assert wide <= WIDTHS[size][0], f"{name} at {size} scrolls sideways"
        if name in FAULTY and size == "wide":  # what to do, too, is in the first screen
            remedy = opened.page.locator(".first-remedy").bounding_box()
            assert remedy["y"] + remedy["height"] < 700
        keep_picture(opened, name, size)
    if name == EXAMPLE and os.environ.get("SEVENSTEPS_GALLERY"):
        (GALLERY / "example.html").write_bytes(path.read_bytes())


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize(
    "name", ["learning_rate_too_high", "healthy", "output_loss_mismatch", "race", "comparison"]
)
def test_axe_has_no_finding(
    name: str, scheme: str, reports: Callable[[str], Path], open_report: Open
) -> None:
    axe = pytest.importorskip("axe_playwright_python.sync_playwright")
    opened = open_report(reports(name), color_scheme=scheme)
    results = axe.Axe().run(opened.page)
    assert results.violations_count == 0, results.generate_report()


def test_the_spike_is_seen(reports: Callable[[str], Path], open_report: Open) -> None:
    opened = open_report(reports("long"))
    # the column of pixels in which the curve stands high, as a share of the picture's width
    place = opened.page.evaluate(
        """() => {
          const canvas = document.querySelector(".uplot canvas");
          const { width, height } = canvas;
          const pixels = canvas.getContext("2d").getImageData(0, 0, width, height).data;
          const columns = [];
          for (let x = Math.round(width * 0.1); x < width; x++) {
            let inked = 0;
            for (let y = Math.round(height * 0.1); y < height * 0.7; y++) {
              const at = 4 * (y * width + x);
              if (pixels[at + 3] > 100 && pixels[at + 2] > pixels[at] + 40) inked++;
            }
            if (inked > height * 0.4) columns.push(x / width);
          }
          return columns;
        }"""
    )
    assert place, "no column of the picture has the spike"
    assert max(place) - min(place) < 0.02
    assert 0.4 < place[0] < 0.7
    high = unpack_numbers(ss.read_report(opened.path)["curves"][0]["range"]["high"])
    assert high.count(SPIKE) == 1


def test_all_findings_are_seen_beside_each_other(
    reports: Callable[[str], Path], open_report: Open
) -> None:
    opened = open_report(reports("inputs_unscaled"))
    titles = [f["title"] for f in ss.read_report(opened.path)["verdict"]["findings"]]
    assert len(titles) > 1
    boxes = [
        opened.page.locator(".rivals li", has_text=title[1:]).bounding_box() for title in titles
    ]
    assert all(box is not None and box["y"] == boxes[0]["y"] for box in boxes)
    opened.page.locator(".rivals a").nth(1).click()
    assert opened.page.evaluate("location.hash") == "#finding-2"


def test_charts_share_one_axis(reports: Callable[[str], Path], open_report: Open) -> None:
    page = open_report(reports("healthy")).page
    ends = page.eval_on_selector_all(
        ".chart .cursor",
        "all => all.map(one => [one.ariaValueMin, one.ariaValueMax])",
    )
    assert len(ends) >= 2
    assert all(end == ends[0] for end in ends)
    assert ends[0][0] == "0"
    last = int(ends[0][1])
    axes = page.eval_on_selector_all(
        ".time-axis", "all => all.map(one => one.lastElementChild.textContent)"
    )
    assert {int(text.replace(",", "")) for text in axes} == {last}


def test_a_trial_shows_its_interval(reports: Callable[[str], Path], open_report: Open) -> None:
    opened = open_report(reports("tried"))
    trial = ss.read_report(opened.path)["verdict"]["findings"][0]["trials"][0]
    row = opened.page.locator(".trial-row.difference").first
    ends = row.locator("u").bounding_box()
    nothing = row.locator("em").bounding_box()
    assert trial["proven"]
    assert ends is not None
    assert nothing is not None
    assert not ends["x"] <= nothing["x"] <= ends["x"] + ends["width"]


def test_the_slider_moves_everything(reports: Callable[[str], Path], open_report: Open) -> None:
    page = open_report(reports("learning_rate_too_high")).page
    slider = page.locator("input[type=range]").first
    slider.scroll_into_view_if_needed()
    before = page.inner_text("body")
    slider.focus()
    for key, text in (("Home", "at step 0"), ("ArrowRight", "at step 1")):
        slider.press(key)
        expect_text(page.locator(".confusion").first, text)
    assert page.inner_text("body") != before


@pytest.mark.parametrize("size", ["wide", "narrow"])
def test_nothing_jumps(size: str, reports: Callable[[str], Path], open_report: Open) -> None:
    page = open_report(reports("learning_rate_too_high"), size).page
    places = """() => [...document.querySelectorAll(".cursor, .heatmap, .slider-bar, h2")]
        .map(one => one.getBoundingClientRect().top + scrollY)"""
    page.evaluate("scrollTo(0, document.querySelector('#curves').offsetTop)")
    cursor = page.locator("#curves .cursor").first
    cursor.focus()
    cursor.press("Home")
    before = page.evaluate(places)
    for key in ["ArrowRight"] * 12 + ["PageUp", "End"] + ["+", "-", "0"] * (size == "wide"):
        cursor.press(key)
        now = page.evaluate(places)
        assert max(abs(a - b) for a, b in zip(before, now, strict=True)) < 1, key
    slider = page.locator("input[type=range]").first
    track = slider.bounding_box()
    slider.focus()
    slider.press("Home")
    moved = slider.bounding_box()
    assert track is not None
    assert moved is not None
    assert abs(track["width"] - moved["width"]) < 1


def test_it_prints(reports: Callable[[str], Path], open_report: Open) -> None:
    opened = open_report(reports("learning_rate_too_high"))
    content = opened.page.pdf(format="A4")
    assert content.startswith(b"%PDF")
    assert len(content) > 20_000
    opened.check_quiet()


def hostile_document() -> dict[str, Any]:
    """A document in which every text is markup that would run."""
    attack = f"{HOSTILE}\"'><svg onload=alert(3)><script>alert(4)</script>"
    document = ss.train("iris", predict="linear()", stop="epochs(2)", out=False).document()
    fixed = {"state", "kind", "f32", "data", "scale", "step", "severity", "id", "group"}

    def poison(value: Any, key: str = "") -> Any:
        if isinstance(value, dict):
            return {name: poison(entry, name) for name, entry in value.items()}
        if isinstance(value, list):
            return [poison(entry, key) for entry in value]
        return attack if isinstance(value, str) and key not in fixed else value

    poisoned = poison(document)
    for panel, own in zip(poisoned["steps"], document["steps"], strict=True):
        panel["name"] = own["name"]
    content: dict[str, Any] = poisoned
    return content


def test_no_text_runs(tmp_path: Path, open_report: Open) -> None:
    path = write_report(hostile_document(), tmp_path / "a.html")
    opened = open_report(path)
    opened.page.on("dialog", lambda dialog: opened.messages.append(dialog.message))
    opened.page.wait_for_timeout(200)
    opened.check_quiet()
    assert opened.page.locator("img, svg[onload]").count() == 0


def test_a_notebook_shows_it_in_a_frame(tmp_path: Path, browser: Any) -> None:
    document = hostile_document()
    path = tmp_path / "notebook.html"
    path.write_text(f"<!doctype html><title>{escape('notebook')}</title>{frame(document)}")
    page = browser.new_page()
    messages: list[str] = []
    page.on("console", lambda message: messages.append(message.text))
    page.on("dialog", lambda dialog: messages.append(dialog.message))
    page.goto(path.as_uri())
    inner = page.frames[1]
    inner.wait_for_selector("h1")
    assert inner.evaluate("document.documentElement.dataset.home") == "notebook"
    assert inner.evaluate("window.origin") == "null"
    assert messages == []
    page.close()


def test_a_browser_without_scripts_has_the_verdict(
    reports: Callable[[str], Path], browser: Any
) -> None:
    path = reports("learning_rate_too_high")
    context = browser.new_context(java_script_enabled=False)
    page = context.new_page()
    page.goto(path.as_uri())
    text = page.inner_text("body")
    context.close()
    assert ss.read_report(path)["verdict"]["sentence"] in text
    assert "How to repeat it" in text
