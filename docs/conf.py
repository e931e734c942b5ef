"""Sphinx: prose in Markdown, the reference from the docstrings of the package as they stand."""

from __future__ import annotations

import re
import sys
from pathlib import Path
from typing import Any

from docutils import nodes
from latex2mathml.converter import convert

from sevensteps import __version__

sys.path.insert(0, str(Path(__file__).parent))
import conditions_page

project = "sevensteps"
author = "the sevensteps authors"
copyright = "2026, the sevensteps authors"
release = __version__

extensions = ["myst_parser", "sphinx.ext.autodoc"]
myst_enable_extensions = ["dollarmath", "colon_fence"]
myst_heading_anchors = 3
exclude_patterns = ["_build"]
nitpicky = False

html_math_renderer = "mathml"  # drawn by the browser itself: no script, and none from the network
SPACE = '<mspace width="0.17em"></mspace>'  # after the name of a function
html_css_files = ["pages.css"]
html_static_path = ["static"]
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

    literal = False
    result: list[str] = []
    for line in "\n".join(lines).split("\n"):
        indented = line.startswith("    ") or (literal and not line)
        if indented and not literal and line and (not result or not result[-1]):
            result += ["::", ""]  # what is set in after an empty line is code
            literal = True
        literal = literal and indented
        result.append(line)
    pieces = re.split(
        r"((?:^ {4}.*$)|(?:^\s*(?:>>>|\.\.\.).*$)|`[^`]+`)", "\n".join(result), flags=re.M
    )
    for index, piece in enumerate(pieces):
        if index % 2 == 0:
            pieces[index] = re.sub(r"([\\*|_])", r"\\\1", piece)
        elif piece.startswith("`"):
            pieces[index] = f"`{piece}`"
    lines[:] = "".join(pieces).split("\n")


def write_conditions(app: Any) -> None:
    """A page for each condition, as it stands in the code."""
    folder = Path(app.srcdir) / "conditions"
    folder.mkdir(exist_ok=True)
    for name in conditions_page.condition_names():
        page, text = folder / f"{name}.md", conditions_page.page(name)
        if not page.exists() or page.read_text(encoding="utf-8") != text:
            page.write_text(text, encoding="utf-8")


def link_conditions(app: Any, page: str, source: list[str]) -> None:
    """Below what is written in conditions.md, all of them; elsewhere, links to the page of each."""
    if page == "conditions":
        source[0] += "\n" + conditions_page.index()
        for file in conditions_page.files().values():
            app.env.note_dependency(str(file))
    names = "|".join(conditions_page.condition_names())
    source[0] = re.sub(
        rf"\[(`?)({names})\1\]\(((?:\.\./)*)conditions\.md\)",
        r"[\1\2\1](\3conditions/\2.md)",
        source[0],
    )


def write_formula(display: str) -> Any:
    """What writes a formula of the node `display`, "inline" or "block", as MathML."""

    def write(translator: Any, node: Any) -> None:
        formula = convert(node.astext(), display=display)
        translator.body.append(re.sub(r"<mi>(log|ln|Var)</mi>", rf"\g<0>{SPACE}", formula))
        raise nodes.SkipNode

    return write, None


def setup(app: Any) -> None:
    """Called by Sphinx."""
    app.connect("autodoc-process-docstring", plain_to_rst)
    app.add_html_math_renderer("mathml", write_formula("inline"), write_formula("block"))
    app.connect("builder-inited", write_conditions)
    app.connect("source-read", link_conditions)
