"""Draws docs/terminal.svg: a real `sevensteps train digits` on a terminal of 80 columns. Run it
again when the output changes.
"""

from __future__ import annotations

import io
import os
import pty
import subprocess
import sys
import tempfile
from pathlib import Path

from rich.console import Console
from rich.terminal_theme import MONOKAI
from rich.text import Text

COLUMNS = 80
COMMAND = ["train", "digits"]
# Rich's own frame fetches a font from the network; a picture in a README must not.
FRAME = """<svg viewBox="0 0 {width} {height}" xmlns="http://www.w3.org/2000/svg" role="img"
  aria-label="sevensteps train digits">
<style>
.{unique_id}-matrix {{ font-family: ui-monospace, Menlo, Consolas, "DejaVu Sans Mono", monospace;
  font-size: {char_height}px; line-height: {line_height}px; font-variant-east-asian: full-width; }}
{styles}
</style>
<defs><clipPath id="{unique_id}-clip-terminal">
<rect x="0" y="0" width="{terminal_width}" height="{terminal_height}"/></clipPath>
{lines}</defs>
<rect fill="#0c0c0c" width="{width}" height="{height}" rx="8"/>
<g transform="translate({terminal_x}, {terminal_y})" clip-path="url(#{unique_id}-clip-terminal)">
{backgrounds}
<g class="{unique_id}-matrix">
{matrix}
</g></g></svg>
"""


def screen_of(command: list[str], folder: str) -> str:
    """What `sevensteps` prints on standard output of a terminal; the live line, on standard error,
    is not kept.
    """
    ours, theirs = pty.openpty()
    environment = {
        **os.environ,
        "COLUMNS": str(COLUMNS),
        "TERM": "xterm-256color",
        "PYTHONPATH": str(Path.cwd()),
    }
    process = subprocess.Popen(
        [sys.executable, "-m", "sevensteps", *command],
        stdout=theirs,
        stderr=subprocess.DEVNULL,
        cwd=folder,
        env=environment,
    )
    os.close(theirs)
    seen = b""
    while True:
        try:
            chunk = os.read(ours, 65536)
        except OSError:  # the other side is closed
            break
        seen += chunk
    if process.wait() != 0:
        raise SystemExit(f"sevensteps {' '.join(command)} failed")
    return seen.decode().replace("\r\n", "\n")


def main() -> None:
    with tempfile.TemporaryDirectory() as folder:
        shown = screen_of(COMMAND, folder)
    console = Console(
        record=True,
        width=COLUMNS,
        file=io.StringIO(),
        force_terminal=True,
        color_system="truecolor",
    )
    console.print(Text(f"$ sevensteps {' '.join(COMMAND)}", "bold green"))
    console.print(Text.from_ansi(shown))
    console.save_svg("docs/terminal.svg", title="", theme=MONOKAI, code_format=FRAME, unique_id="s")


if __name__ == "__main__":
    main()
