"""Sphinx: prose in Markdown, the reference from the docstrings of the package as they stand."""

from __future__ import annotations

import re
import sys
from pathlib import Path
from typing import Any

from sevensteps import __version__

sys.path.insert(0, str(Path(__file__).parent))
import conditions_page

project = "sevensteps"
author = "the sevensteps authors"
copyright = "2026, the sevensteps authors"
release = __version__

extensions = ["myst_parser", "sphinx.ext.autodoc", "sphinx.ext.mathjax"]
myst_enable_extensions = ["dollarmath", "colon_fence"]
myst_heading_anchors = 3
exclude_patterns = ["_build"]
nitpicky = False

html_theme = "furo"
html_title = "sevensteps"

add_module_names = False
autodoc_member_order = "bysource"
autodoc_inherit_docstrings = False  # a method without words of its own needs none
autodoc_typehints = "none"  # the signature as it is typed on the command line


def plain_to_rst(
    app: object, what: str, name: str, obj: object, options: object, lines: list[str]
) -> None:
    """Docstrings are plain text with `code` in backticks, read mostly in a terminal; keep Sphinx
    from seeing markup in them.
    """

    def escape(text: str) -> str:
        return re.sub(r"([\\*|_])", r"\\\1", text)

    for index, line in enumerate(lines):
        if line.lstrip().startswith((">>>", "...")):
            continue
        pieces = re.split(r"(`[^`]+`)", line)
        lines[index] = "".join(
            f"`{piece}`" if piece.startswith("`") else escape(piece) for piece in pieces
        )


def conditions(app: Any, page: str, source: list[str]) -> None:
    """Below what is written in conditions.md: every condition, as it stands in the code."""
    if page == "conditions":
        source[0] += "\n" + conditions_page.page()
        for file in conditions_page.files().values():
            app.env.note_dependency(str(file))


def setup(app: Any) -> None:
    """Called by Sphinx."""
    app.connect("autodoc-process-docstring", plain_to_rst)
    app.connect("source-read", conditions)
