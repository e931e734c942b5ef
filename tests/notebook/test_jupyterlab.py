"""A notebook in JupyterLab, in a real browser: cells are run by hand, and show what they should."""

from __future__ import annotations

import re
import socket
import subprocess
import sys
import urllib.request
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest

from tests.notebook.jupyter import kernel_environment, new_notebook

pytest.importorskip("jupyterlab", reason="make test-notebook")
nbformat: Any = pytest.importorskip("nbformat", reason="make test-notebook")
pytestmark = pytest.mark.timeout(300)

TOKEN = "only-here"
CELLS = [
    "import sevensteps as ss\n"
    "run = ss.train('digits', predict='mlp(30)', stop='epochs(200)', out=False)",
    "run",
    "run.plot()",
]


@pytest.fixture
def server(tmp_path: Path) -> Iterator[str]:
    """The address of a JupyterLab with the notebook `a.ipynb`."""
    (tmp_path / "work").mkdir()
    nbformat.write(new_notebook(CELLS), tmp_path / "work" / "a.ipynb")
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    with (tmp_path / "log").open("w") as log:
        process = subprocess.Popen(
            [
                *(sys.executable, "-m", "jupyterlab", "--no-browser", "--allow-root"),
                *(f"--port={port}", "--ip=127.0.0.1", f"--IdentityProvider.token={TOKEN}"),
                *(f"--ServerApp.root_dir={tmp_path / 'work'}", "--LabApp.news_url=None"),
            ],
            env=kernel_environment(tmp_path),
            stdout=log,
            stderr=subprocess.STDOUT,
        )
    address = f"http://127.0.0.1:{port}"
    try:
        wait_for(process, f"{address}/api?token={TOKEN}")
        yield address
    finally:
        process.terminate()
        process.wait(20)


def wait_for(process: subprocess.Popen[bytes], url: str) -> None:
    """Return as soon as the server answers; it is left the processor meanwhile."""
    while process.poll() is None:
        try:
            urllib.request.urlopen(url, timeout=5)
        except OSError:
            with suppress(subprocess.TimeoutExpired):
                process.wait(0.1)
            continue
        return
    raise AssertionError("JupyterLab has ended")


def test_cells_show_progress_pages_and_figures(server: str, browser: Any, tmp_path: Path) -> None:
    context = browser.new_context(viewport={"width": 1280, "height": 1400})
    page = context.new_page()
    messages: list[str] = []
    requests: list[str] = []
    page.on("pageerror", lambda failure: messages.append(str(failure)))
    page.on("console", lambda message: message.type == "error" and messages.append(message.text))
    page.on("request", lambda request: requests.append(request.url))
    page.goto(f"{server}/lab/tree/a.ipynb?token={TOKEN}")
    page.get_by_text("Python 3 (ipykernel) | Idle").wait_for(timeout=100_000)
    page.get_by_text("Run", exact=True).first.click()
    page.get_by_text("Run All Cells", exact=True).click()
    live = page.locator(".sevensteps-live")
    live.wait_for(timeout=100_000)
    frame = page.frame_locator("iframe[sandbox='allow-scripts']")
    frame.locator("h1").wait_for(timeout=100_000)
    assert "Nothing is wrong that can be seen here." in frame.locator("body").inner_text()
    assert live.count() == 1  # updated in place
    assert "all 200 epochs are done" in live.inner_text()
    page.locator("img[src^='data:image/png'], .jp-RenderedImage img").last.wait_for()
    page.keyboard.press("Control+s")
    page.get_by_text("Saving completed").wait_for(timeout=30_000)
    context.close()
    assert messages == []
    away = [url for url in requests if not url.startswith((server, "data:", "blob:", "about:"))]
    assert away == []
    saved = nbformat.read(tmp_path / "work" / "a.ipynb", as_version=4)
    [output] = saved.cells[0].outputs
    assert re.match("digits, trained", output.data["text/plain"])
