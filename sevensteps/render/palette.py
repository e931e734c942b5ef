"""The one look of figures and pages: colours that people who see fewer of them can tell apart, and
typefaces.

The stylesheet of the page is where they are defined; figures read them there, so that both change
together.
"""

from __future__ import annotations

import functools
import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

STYLESHEET = Path(__file__).parents[1] / "view" / "web" / "base.css"
BLOCK = re.compile(r"([^{}]+)\{([^{}]*)\}")
TOKEN = re.compile(r"--([\w-]+):\s*([^;]+);")
MODES = {"light": ":root", "dark": ':root[data-theme="dark"]'}


@dataclass(frozen=True)
class Palette:
    """The tokens of a mode by name, as `observed: #b8480f`. What is wrong is drawn as observed,
    what it should be as expected; `series` are colours of equal rank, in order.
    """

    tokens: Mapping[str, str]

    def __getitem__(self, name: str) -> str:
        return self.tokens[name]

    @functools.cached_property
    def series(self) -> tuple[str, ...]:
        names = sorted(name for name in self.tokens if re.fullmatch(r"series-\d", name))
        return tuple(self.tokens[name] for name in names)

    @functools.cached_property
    def typefaces(self) -> tuple[str, ...]:
        """The families of running text, the preferred first; without those of one system only."""
        names = [name.strip().strip('"') for name in self.tokens["sans"].split(",")]
        return tuple(name for name in names if not name.startswith(("-", "system", "sans")))


@functools.cache
def palette(mode: str = "light") -> Palette:
    """The palette of a mode, "light" or "dark"."""
    text = re.sub(r"/\*.*?\*/", "", STYLESHEET.read_text(encoding="utf-8"), flags=re.DOTALL)
    blocks: dict[str, dict[str, str]] = {}
    for selector, body in BLOCK.findall(text):
        tokens = blocks.setdefault(selector.strip(), {})
        tokens.update((name, value.strip()) for name, value in TOKEN.findall(body))
    return Palette({**blocks[MODES["light"]], **blocks[MODES[mode]]})
