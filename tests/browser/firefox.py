"""Firefox, driven over WebDriver BiDi, which it speaks itself: https://w3c.github.io/webdriver-bidi.

Playwright drives only a Firefox of its own making; a system has another.
"""

from __future__ import annotations

import base64
import itertools
import json
import shutil
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

FIREFOX = shutil.which("firefox-esr") or shutil.which("firefox")
START = 60  # seconds until it listens
ANSWER = 60  # seconds until a command is answered
KEYS = {"Home": "\ue011", "End": "\ue010", "ArrowRight": "\ue014", "ArrowLeft": "\ue012"}


@dataclass
class Firefox:
    """One tab, and what its console said."""

    socket: Any
    context: str = ""
    messages: list[str] = field(default_factory=list)
    _numbers: Iterator[int] = field(default_factory=itertools.count)

    def command(self, method: str, **params: Any) -> dict[str, Any]:
        """The answer to a command; what happens before it is noted."""
        number = next(self._numbers)
        self.socket.send(json.dumps({"id": number, "method": method, "params": params}))
        while True:
            answer = json.loads(self.socket.recv(timeout=ANSWER))
            if answer.get("method") == "log.entryAdded":
                entry = answer["params"]
                self.messages.append(f"{entry['level']}: {entry['text']}")
            if answer.get("id") == number:
                assert answer["type"] == "success", answer
                result: dict[str, Any] = answer["result"]
                return result

    def open(self, path: Path, width: int, height: int) -> None:
        """A file at a size of the window, drawn."""
        view = {"width": width, "height": height}
        self.command("browsingContext.setViewport", context=self.context, viewport=view)
        url = path.absolute().as_uri()
        self.command("browsingContext.navigate", context=self.context, url=url, wait="complete")
        self.run("new Promise(done => requestAnimationFrame(() => setTimeout(done, 100)))")

    def run(self, script: str) -> Any:
        """The value of a script, by way of JSON."""
        answer = self.command(
            "script.evaluate",
            expression=f"(async () => JSON.stringify(await ({script})) ?? 'null')()",
            target={"context": self.context},
            awaitPromise=True,
        )
        assert answer["type"] == "success", answer
        return json.loads(answer["result"]["value"])

    def press(self, key: str) -> None:
        """A key where the focus is, as from a keyboard."""
        actions = [{"type": kind, "value": KEYS.get(key, key)} for kind in ("keyDown", "keyUp")]
        keyboard = {"type": "key", "id": "keyboard", "actions": actions}
        self.command("input.performActions", context=self.context, actions=[keyboard])

    def drag(self, start: tuple[float, float], end: tuple[float, float]) -> None:
        """The mouse from one place of the window to another, pressed."""
        places = [{"type": "pointerMove", "x": round(x), "y": round(y)} for x, y in (start, end)]
        press, release = ({"type": kind, "button": 0} for kind in ("pointerDown", "pointerUp"))
        mouse = {
            "type": "pointer",
            "id": "mouse",
            "actions": [places[0], press, places[1], release],
        }
        self.command("input.performActions", context=self.context, actions=[mouse])

    def screenshot(self) -> bytes:
        """The whole page as PNG."""
        answer = self.command(
            "browsingContext.captureScreenshot", context=self.context, origin="document"
        )
        return base64.b64decode(answer["data"])


@contextmanager
def firefox(profile: Path) -> Iterator[Firefox]:
    """A headless Firefox with a profile of its own, ended at the end."""
    from websockets.sync.client import connect

    assert FIREFOX is not None
    words = [FIREFOX, "--headless", "--no-remote", "--profile", str(profile)]
    process = subprocess.Popen(
        [*words, "--remote-debugging-port", "0"],
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    try:
        with connect(f"{_address(process, profile)}/session", max_size=None) as socket:
            browser = Firefox(socket)
            browser.command("session.new", capabilities={})
            browser.command("session.subscribe", events=["log.entryAdded"])
            tree = browser.command("browsingContext.getTree")
            browser.context = tree["contexts"][0]["context"]
            yield browser
    finally:
        process.terminate()
        process.wait(timeout=START)


def _address(process: subprocess.Popen[bytes], profile: Path) -> str:
    """Where Firefox listens, which it writes into its profile as soon as it does."""
    ends = time.monotonic() + START
    while time.monotonic() < ends and process.poll() is None:
        with suppress(OSError, ValueError):  # not there yet, or not whole
            place = json.loads((profile / "WebDriverBiDiServer.json").read_text())
            return f"ws://{place['ws_host']}:{place['ws_port']}"
        time.sleep(0.05)
    raise AssertionError("Firefox does not listen")
