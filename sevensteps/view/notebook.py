"""How things show themselves in a notebook: the page in a sandboxed frame, with a picture and text
beside it for whatever shows no frames.
"""

from __future__ import annotations

import base64
import io
from collections.abc import Callable
from html import escape
from typing import Any

from sevensteps.errors import Error
from sevensteps.view.plain import plain_page
from sevensteps.view.report import report_page

HEIGHT = 640  # pixels of a frame
Bundle = dict[str, Any]
Draw = Callable[[], Any]


def show_document(document: Callable[[], dict[str, Any]], text: str, draw: Draw) -> Bundle:
    """What a notebook shows of a document; the text alone where none can be made."""
    try:
        html = frame(document())
    except Error as failure:
        html = preformatted(f"{text}\n{failure}")
    return bundle(text, html, draw)


def frame(document: dict[str, Any], height: int = HEIGHT) -> str:
    """A document as a frame in which nothing can reach the notebook around it.

    What shows no frames, as GitHub and e-mail, has the text below it.
    """
    page = escape(report_page(document, "notebook"), quote=True)
    title = escape(str(document.get("title", "")), quote=True)
    return (
        f'<iframe sandbox="allow-scripts" title="{title}" width="100%" height="{height}" '
        f'frameborder="0" srcdoc="{page}"></iframe>'
        f"<details><summary>as text</summary>{plain_page(document)}</details>"
    )


def bundle(text: str, html: str, draw: Draw | None = None) -> Bundle:
    """What a notebook shows: it takes the richest that it can."""
    content: Bundle = {"text/plain": text, "text/html": html}
    if draw is not None and (picture := png(draw)) is not None:
        content["image/png"] = picture
    return content


def png(draw: Draw) -> str | None:
    """A figure as a picture in Base64; None without matplotlib, or where nothing is drawn."""
    content = io.BytesIO()
    try:
        draw().savefig(content, format="png", dpi=100)
    except (ImportError, Error):
        return None
    return base64.b64encode(content.getvalue()).decode()


def preformatted(text: str) -> str:
    """Text as it is printed, for what has no page."""
    return f"<pre>{escape(text)}</pre>"
