"""A real browser: the Chromium of the system, without a network, whose every word is recorded."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from tests.browser.gallery import BUILDERS

CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser")
WIDTHS = {"wide": (1280, 2400), "middle": (768, 1600), "narrow": (400, 1600)}


@dataclass
class OpenedReport:
    """A page that was opened, with what it asked for and what its console had to say."""

    page: Any
    path: Path
    requests: list[str] = field(default_factory=list)
    messages: list[str] = field(default_factory=list)

    def load(self) -> None:
        """Open the report, and wait until it is drawn."""
        self.page.on("request", lambda request: self.requests.append(request.url))
        self.page.on("console", lambda message: self.messages.append(message.text))
        self.page.on("pageerror", lambda failure: self.messages.append(str(failure)))
        self.page.goto(self.path.absolute().as_uri())
        self.page.wait_for_selector("h1")
        self.page.evaluate("new Promise(done => requestAnimationFrame(() => setTimeout(done, 50)))")

    def check_quiet(self) -> None:
        """Nothing was asked for but the file itself, and the console is empty."""
        assert self.messages == []
        asked = [url for url in self.requests if not url.startswith("data:")]
        assert asked == [self.path.absolute().as_uri()]


def expect_text(place: Any, text: str) -> None:
    """Wait until it is read there (`wait_for_function` evaluates texts, which the page forbids)."""
    from playwright.sync_api import expect

    expect(place).to_contain_text(text, use_inner_text=True, timeout=30_000)


@pytest.fixture(scope="session")
def browser() -> Iterator[Any]:
    """Chromium, or a reason why this is skipped."""
    if CHROMIUM is None:
        pytest.skip("there is no chromium: make test-browser, or apt-get install chromium")
    playwright = pytest.importorskip(
        "playwright.sync_api",
        reason="there is no playwright: make test-browser",
    )
    with playwright.sync_playwright() as runner:
        opened = runner.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox"])
        yield opened
        opened.close()


@pytest.fixture
def open_report(browser: Any) -> Iterator[Any]:
    """`open_report(path, size)`: a report as a person sees it, who has no network."""
    contexts = []

    def open_it(path: Path, size: str = "wide", **options: Any) -> OpenedReport:
        width, height = WIDTHS[size]
        context = browser.new_context(
            viewport={"width": width, "height": height}, offline=True, **options
        )
        contexts.append(context)
        report = OpenedReport(context.new_page(), path)
        report.load()
        return report

    yield open_it
    for context in contexts:
        context.close()


@pytest.fixture(scope="session")
def reports(tmp_path_factory: pytest.TempPathFactory) -> Callable[[str], Path]:
    """The report of a training by its name, made when it is first asked for."""
    paths: dict[str, Path] = {}

    def report(name: str) -> Path:
        if name not in paths:
            paths[name] = BUILDERS[name](tmp_path_factory.mktemp(name))
        return paths[name]

    return report
