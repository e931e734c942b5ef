"""A report on a static web server, as GitHub Pages is one; and where the server or the reader
allows no scripts, the plain text of it.
"""

from __future__ import annotations

import functools
import http.server
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

import sevensteps as ss

pytestmark = [pytest.mark.slow, pytest.mark.usefixtures("browser")]

STRICT = "default-src 'none'; style-src 'unsafe-inline'; sandbox"  # as of files that others gave


@contextmanager
def served(folder: Path, policy: str = "") -> Iterator[str]:
    """The address of a server of the files in `folder`, which sends `policy` with each."""

    class Handler(http.server.SimpleHTTPRequestHandler):
        def end_headers(self) -> None:
            if policy:
                self.send_header("Content-Security-Policy", policy)
            super().end_headers()

        def log_message(self, format: str, *arguments: Any) -> None:
            pass

    handler = functools.partial(Handler, directory=str(folder))
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        try:
            yield f"http://127.0.0.1:{server.server_port}"
        finally:
            server.shutdown()
            thread.join()


@pytest.fixture(scope="module")
def report(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("served")
    run = ss.train("iris", predict="linear()", stop="epochs(8)", threads=1, out=False)
    return run.report(folder / "report.html")


@pytest.fixture
def visit(browser: Any) -> Callable[[str], tuple[str, list[str], list[str]]]:
    """`visit(url)`: the text of a page, what it asked for, and what its console had to say."""

    def visit_it(url: str) -> tuple[str, list[str], list[str]]:
        page = browser.new_page()
        requests: list[str] = []
        messages: list[str] = []
        page.on("request", lambda request: requests.append(request.url))
        page.on("console", lambda message: messages.append(message.text))
        page.on("pageerror", lambda failure: messages.append(str(failure)))
        page.goto(url)
        page.wait_for_selector("h1")
        text = page.inner_text("body")
        page.close()
        return text, [url for url in requests if not url.startswith("data:")], messages

    return visit_it


def test_a_static_server_sends_one_file_and_it_asks_for_no_other(
    report: Path, visit: Callable[[str], tuple[str, list[str], list[str]]]
) -> None:
    with served(report.parent) as address:
        text, requests, messages = visit(f"{address}/report.html")
    assert ss.read_report(report)["verdict"]["sentence"] in text
    own = [url for url in requests if not url.endswith("/favicon.ico")]  # which browsers ask for
    assert own == [f"{address}/report.html"]
    assert [text for text in messages if "favicon" not in text and "404" not in text] == []


def test_where_no_script_may_run_the_verdict_is_text(
    report: Path, visit: Callable[[str], tuple[str, list[str], list[str]]]
) -> None:
    with served(report.parent, STRICT) as address:
        text, _, _ = visit(f"{address}/report.html")
    document = ss.read_report(report)
    assert document["verdict"]["sentence"] in text
    assert document["repeat"]["recipe"].splitlines()[0] in text
