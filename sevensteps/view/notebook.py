"""How things show themselves in a notebook: the page in a sandboxed frame, with a picture and text
beside it for whatever shows no frames.
"""

from __future__ import annotations

import base64
import io
import weakref
from collections import OrderedDict
from collections.abc import Callable
from html import escape
from typing import Any

from sevensteps.errors import Error
from sevensteps.view.plain import plain_page
from sevensteps.view.report import report_page

HEIGHT = 640  # pixels of a frame
MOST_BYTES = 32_000_000  # of all that is remembered
Bundle = dict[str, Any]
Draw = Callable[[], Any]


class Remembered:
    """What was shown of objects that still live, so that showing one again computes nothing: the
    latest, `most_bytes` of them at most. An object whose `state` has changed is shown anew.
    """

    def __init__(self, most_bytes: int = MOST_BYTES) -> None:
        self.most_bytes = most_bytes
        self._entries: OrderedDict[int, tuple[weakref.ref[object], Any, Bundle]] = OrderedDict()

    def show(self, subject: object, state: Callable[[], Any], make: Callable[[], Bundle]) -> Bundle:
        """The bundle of `subject`, as it was made, or made now."""
        key = id(subject)
        reference, known, content = self._entries.get(key, (None, None, {}))
        if reference is not None and reference() is subject and known == state():
            self._entries.move_to_end(key)
            return dict(content)
        content = make()
        # the state after it: making it may be what examines a run for the first time
        own = weakref.ref(subject, lambda gone: self._forget(key, gone))
        self._entries[key] = (own, state(), content)
        self._entries.move_to_end(key)
        while len(self._entries) > 1 and self.size > self.most_bytes:
            self._entries.popitem(last=False)
        return dict(content)

    def _forget(self, key: int, gone: weakref.ref[object]) -> None:
        if key in self._entries and self._entries[key][0] is gone:
            del self._entries[key]

    @property
    def size(self) -> int:
        """The bytes of all bundles."""
        return sum(
            len(text) for _, _, content in self._entries.values() for text in content.values()
        )


remembered = Remembered()


def show_document(document: Callable[[], dict[str, Any]], text: str, draw: Draw | None) -> Bundle:
    """What a notebook shows of a document; the text alone where none can be made."""
    picture = png(draw) if draw is not None else None
    try:
        html = frame(document(), picture)
    except Error as failure:
        html = preformatted(f"{text}\n{failure}")
    return bundle(text, html, picture)


def frame(document: dict[str, Any], picture: str | None = None, height: int = HEIGHT) -> str:
    """A document as a frame in which nothing can reach the notebook around it.

    What shows no frames, as GitHub and e-mail, has the verdict in a line below it, which opens the
    `picture` (PNG in Base64) and the text.
    """
    page = escape(report_page(document, "notebook"), quote=True)
    title = escape(str(document.get("title", "")), quote=True)
    sentence = str(document.get("verdict", {}).get("sentence") or document.get("subtitle") or "")
    named = sentence.startswith(str(document.get("title", "")))  # as that of a sample
    line = escape(sentence) if named and sentence else f"{title}: {escape(sentence)}".rstrip(": ")
    drawn = f'<img alt="{title}" src="data:image/png;base64,{picture}">' if picture else ""
    return (
        f'<iframe sandbox="allow-scripts" title="{title}" width="100%" height="{height}" '
        f'frameborder="0" srcdoc="{page}"></iframe>'
        f"<details><summary>{line} (as text)</summary>{drawn}{plain_page(document)}</details>"
    )


def bundle(text: str, html: str, picture: str | None = None) -> Bundle:
    """What a notebook shows: it takes the richest that it can."""
    content: Bundle = {"text/plain": text, "text/html": html}
    return content if picture is None else content | {"image/png": picture}


def png(draw: Draw) -> str | None:
    """A figure as a picture in Base64; None without matplotlib, or where nothing is drawn."""
    content = io.BytesIO()
    try:
        figure = draw()
        from matplotlib.backends.backend_agg import FigureCanvasAgg

        figure.set_dpi(100)
        canvas: Any = FigureCanvasAgg(figure)
        canvas.print_png(content)  # savefig draws twice what has a layout
    except (ImportError, Error):
        return None
    return base64.b64encode(content.getvalue()).decode()


def preformatted(text: str) -> str:
    """Text as it is printed, for what has no page."""
    return f"<pre>{escape(text)}</pre>"
