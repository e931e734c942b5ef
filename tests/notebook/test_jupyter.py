"""In a real Jupyter: what cells show, what the saved notebook and its exports show, in a real
browser, where no text of the data runs.
"""

from __future__ import annotations

import base64
import re
from collections import Counter
from pathlib import Path
from typing import Any

import pytest

from tests.notebook.jupyter import data_of, execute
from tests.view.conftest import HOSTILE

nbclient: Any = pytest.importorskip("nbclient", reason="make test-notebook")
nbconvert: Any = pytest.importorskip("nbconvert", reason="make test-notebook")
nbformat: Any = pytest.importorskip("nbformat", reason="make test-notebook")
pytestmark = pytest.mark.timeout(300)

CELLS = {
    "train": (
        "import sevensteps as ss\n"
        "run = ss.train('digits', predict='mlp(16)', stop='epochs(40)', out=False)"
    ),
    "run": "run",
    "figure": "run.plot()",
    "diagnosis": (
        "faulty = ss.train('digits', predict='mlp(30, activation=\"sigmoid\")',\n"
        "    step='sgd(lr=20)', stop='epochs(4)', out=False, progress=False)\n"
        "faulty.diagnosis"
    ),
    "diagnosis figure": "faulty.diagnosis.plot()",
    "race": (
        "ss.race(ss.grid('iris', step=['sgd(lr=0.1)', 'sgd(lr=0.001)'], stop='epochs(5)',\n"
        "    predict='linear()', seeds=2), out=False)"
    ),
    "sample": "run.explain.sample(3)",
    "shapes": "run.explain.shapes()",
    "hostile data": (
        f"HOSTILE = {HOSTILE!r}\n"
        "from pathlib import Path\n"
        "file = Path('<img src=x onerror=alert>.csv')\n"
        "rows = [f\"{i % 7},{i % 5},{HOSTILE if i % 2 else 'plain'}\" for i in range(60)]\n"
        "_ = file.write_text('\\n'.join([f'{HOSTILE} a,b,kind', *rows]), encoding='utf-8')\n"
        "data = ss.data.load(str(file), target='kind')\n"
        "hostile = ss.train(data, predict='mlp(4)', stop='epochs(2)', out='hostile')\n"
        "hostile"
    ),
    "hostile error": "file.unlink()\nss.load('hostile')",  # its data are gone, and it says so
}
PAGES = ("run", "diagnosis", "race", "sample", "hostile data", "hostile error")


class Executed:
    """The notebook after its last cell, as it is saved."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.notebook, messages = execute(list(CELLS.values()), folder)
        names = list(CELLS)
        self.messages: Counter[tuple[str, str]] = Counter()
        for (index, kind), count in messages.items():
            self.messages[names[index], kind] += count

    def outputs(self, name: str) -> list[dict[str, Any]]:
        return data_of(self.notebook.cells[list(CELLS).index(name)])


@pytest.fixture(scope="module")
def executed(tmp_path_factory: pytest.TempPathFactory) -> Executed:
    return Executed(tmp_path_factory.mktemp("notebook"))


@pytest.mark.parametrize("name", [*PAGES, "shapes"])
def test_the_last_line_of_a_cell_shows_itself(name: str, executed: Executed) -> None:
    *_, shown = executed.outputs(name)
    assert base64.b64decode(shown["image/png"]).startswith(b"\x89PNG")
    assert shown["text/plain"]
    assert ("<iframe sandbox" in shown["text/html"]) == (name in PAGES)


@pytest.mark.parametrize("name", ["figure", "diagnosis figure"])
def test_a_figure_shows_itself_without_pyplot(name: str, executed: Executed) -> None:
    [shown] = executed.outputs(name)
    assert base64.b64decode(shown["image/png"]).startswith(b"\x89PNG")


def test_only_the_last_state_of_a_training_stays(executed: Executed) -> None:
    [shown] = executed.outputs("train")
    assert "digits, trained" in shown["text/plain"]
    assert "all 40 epochs are done" in shown["text/html"]
    assert len(shown["text/html"]) < 30_000
    assert executed.messages["train", "display_data"] == 1
    assert executed.outputs("diagnosis")[0]["text/plain"].startswith("1 finding")  # no progress


def test_nothing_is_printed_beside_it(executed: Executed) -> None:
    streams = [
        output.text
        for cell in executed.notebook.cells
        for output in cell.outputs
        if output.output_type == "stream"
    ]
    assert streams == []


def test_the_saved_notebook_is_valid_and_bounded(executed: Executed) -> None:
    nbformat.validate(executed.notebook)
    assert len(nbformat.writes(executed.notebook)) < 1_500_000 * len(PAGES)


def exported(executed: Executed, **options: Any) -> Path:
    """The notebook as HTML; without its own libraries, which it would fetch from the network."""
    exporter = nbconvert.HTMLExporter(require_js_url="", mathjax_url="", **options)
    body, _ = exporter.from_notebook_node(executed.notebook)
    lines = [line for line in body.splitlines() if not re.search(r'<script src=""></script>', line)]
    path = executed.folder / "exported.html"
    path.write_text("\n".join(lines), encoding="utf-8")
    return path


@pytest.mark.parametrize("template", ["lab", "classic"])
def test_an_export_as_html_is_quiet_and_shows_the_verdict(
    template: str, executed: Executed, browser: Any
) -> None:
    path = exported(executed, template_name=template)
    context = browser.new_context(viewport={"width": 1280, "height": 900}, offline=True)
    page = context.new_page()
    messages: list[str] = []
    requests: list[str] = []
    page.on("console", lambda message: messages.append(message.text))
    page.on("pageerror", lambda failure: messages.append(str(failure)))
    page.on("dialog", lambda dialog: (messages.append(dialog.message), dialog.dismiss()))
    page.on("request", lambda request: requests.append(request.url))
    page.goto(path.as_uri())
    frames = page.locator("iframe[sandbox='allow-scripts']")
    assert frames.count() == len(PAGES)
    for number, name in enumerate(PAGES):
        frame = frames.nth(number)
        frame.scroll_into_view_if_needed()
        headline = frame.content_frame.locator("h1")
        headline.wait_for()
        text = frame.content_frame.locator("body").inner_text()
        if name == "diagnosis":
            assert "With a learning rate of 20 the steps are too long." in text
        if name == "run":
            assert "Nothing is wrong that can be seen here." in text
        if name.startswith("hostile"):
            assert frame.content_frame.locator("img:not([src^='data:']), svg[onload]").count() == 0
    assert page.locator(".sevensteps-live svg").first.is_visible()
    context.close()
    assert messages == []
    loaded = [url for url in requests if not url.startswith(("data:", "about:", "blob:"))]
    assert loaded == [path.as_uri()]


def test_where_frames_and_scripts_are_stripped_the_verdict_stays(
    executed: Executed, browser: Any
) -> None:
    """As GitHub and untrusted notebooks do: only harmless tags are left."""
    path = exported(executed, sanitize_html=True)
    page = browser.new_page()
    page.goto(path.as_uri())
    assert page.locator(".jp-OutputArea iframe, .jp-OutputArea svg").count() == 0
    text = page.inner_text("body")
    page.close()
    assert "With a learning rate of 20 the steps are too long." in text
    assert "digits, trained" in text
    assert "Nothing is wrong that can be seen here." in text


def test_an_export_to_paper_has_the_pictures(executed: Executed) -> None:
    _, resources = nbconvert.LatexExporter().from_notebook_node(executed.notebook)
    pictures = [name for name in resources["outputs"] if name.endswith(".png")]
    assert len(pictures) == len(PAGES) + 3
