"""The report: one HTML file that holds its document, its scripts and its styles, and opens
anywhere without a network.

The document is an inert JSON element, the scripts are ES modules behind `data:` URLs of an import
map, and a content-security policy forbids everything else: no text of the document can run.
"""

from __future__ import annotations

import base64
import functools
import hashlib
import html as markup
import json
import re
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

from sevensteps.errors import ArgumentError
from sevensteps.record.run_folder import nan_to_null, write
from sevensteps.view.document.numbers import SCHEMA
from sevensteps.view.plain import headline, plain_page

WEB = Path(__file__).parent / "web"
OWN = "sevensteps/"  # before the names of our own modules in the import map
ENTRY = "main.js"
ELEMENT = "sevensteps-document"
MAX_BYTES = 50_000_000  # of a file that is read back
# of a static import, an export from elsewhere, and a dynamic import
RELATIVE = re.compile(r"""(\bfrom\s*|\bimport\s*\(?\s*)(["'])(\.{1,2}/[^"']+)\2""")
POLICY = (
    "default-src 'none'; script-src {scripts} data:; style-src {styles}; img-src data:; "
    "base-uri 'none'; form-action 'none'"
)
# in JSON these can be written as escapes, and then no element ends and no line breaks inside
ESCAPES = {"<": "\\u003c", ">": "\\u003e", "&": "\\u0026", "\u2028": "\\u2028", "\u2029": "\\u2029"}


def report_page(document: dict[str, Any], home: str = "file") -> str:
    """The page that shows a document. `home` is "file", or "notebook" for a frame in one."""
    scripts, entry = vendored("script"), f'import "{OWN}{ENTRY}";'
    imports, styles = script_json({"imports": import_map()}), stylesheet()
    policy = POLICY.format(
        scripts=" ".join(map(_hash, (imports, entry, *scripts))), styles=_hash(styles)
    )
    names = dict.fromkeys((headline(document), str(document.get("title", "")), "sevensteps"))
    title = markup.escape(" · ".join(filter(None, names)))
    parts = [
        "<!doctype html>",
        f'<html lang="en" data-home="{markup.escape(home)}"><head><meta charset="utf-8">',
        f'<meta http-equiv="Content-Security-Policy" content="{policy}">',
        '<meta name="viewport" content="width=device-width, initial-scale=1">',
        '<meta name="color-scheme" content="light dark">',
        f'<meta name="generator" content="sevensteps {markup.escape(_version(document))}">',
        f"<title>{title}</title>",
        f"<style>{styles}</style>",
        f'<script type="importmap">{imports}</script></head><body>',
        f'<div id="sevensteps-page"><main>{plain_page(document)}</main></div>',
        f'<script type="application/json" id="{ELEMENT}">{script_json(document)}</script>',
        *(f"<script>{script}</script>" for script in scripts),
        f'<script type="module">{entry}</script>',
        "</body></html>",
    ]
    return "\n".join(parts) + "\n"


def write_report(document: dict[str, Any], path: Path | str) -> Path:
    """Write the page of a document, whole or not at all. Raises `ArgumentError` for a file that is
    no .html, `RunError` where it cannot be written.
    """
    path = Path(path)
    require_html(path)
    write(path, report_page(document).encode())
    return path


def require_html(path: Path) -> None:
    """Raise `ArgumentError` where no report can be written to `path`."""
    if path.suffix.lower() not in (".html", ".htm"):
        raise ArgumentError(
            f"a report is a page, and its file ends in .html, not {path.name!r}; write: "
            f"{path.with_suffix('.html')}"
        )
    parent = path.absolute().parent
    if not parent.is_dir():
        raise ArgumentError(
            f"{path}: there is no folder {parent}; make it first: mkdir -p {parent}"
        )
    if path.is_dir():
        raise ArgumentError(f"{path} is a folder; give a file: {path / 'report.html'}")


def read_report(path: Path | str) -> dict[str, Any]:
    """The document that a report shows, as `view/web/document.js` describes it.

    Raises `ArgumentError` where the file is no report, or one of a newer version.
    """
    path = Path(path)
    try:
        if path.stat().st_size > MAX_BYTES:
            raise ArgumentError(f"{path} has more than {MAX_BYTES:,} bytes, and no report has")
        text = path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as failure:
        reason = getattr(failure, "strerror", None) or "it is no text"
        raise ArgumentError(
            f"{path} cannot be read: {reason}; write one with: sevensteps report RUN -o {path}"
        ) from None
    finder = _DocumentFinder()
    finder.feed(text)
    try:
        document = json.loads("".join(finder.parts))
        schema = int(document["schema"])
    except (ValueError, KeyError, TypeError, RecursionError):
        raise ArgumentError(
            f"{path} is no report of sevensteps; write one with: sevensteps report RUN -o {path}"
        ) from None
    if schema > SCHEMA:
        raise ArgumentError(
            f"{path} has schema {schema}, written by a newer sevensteps; this one reads up to "
            f"{SCHEMA}: pip install --upgrade sevensteps"
        )
    content: dict[str, Any] = document
    return content


class _DocumentFinder(HTMLParser):
    """Collects the text of the element that holds the document."""

    def __init__(self) -> None:
        super().__init__(convert_charrefs=False)
        self.parts: list[str] = []
        self._inside = False

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self._inside = tag == "script" and ("id", ELEMENT) in attrs and not self.parts

    def handle_endtag(self, tag: str) -> None:
        self._inside = False

    def handle_data(self, data: str) -> None:
        if self._inside:
            self.parts.append(data)


def script_json(content: Any) -> str:
    """JSON that may stand in a script element: none of its texts ends it.

    >>> print(script_json("</script>"))
    "\\u003c/script\\u003e"
    """
    text = json.dumps(
        nan_to_null(content), ensure_ascii=False, allow_nan=False, separators=(",", ":")
    )
    text = re.sub("[<>&\u2028\u2029]", lambda match: ESCAPES[match[0]], text)
    # a lone surrogate, as of a file name that is no UTF-8, has no encoding
    return text.encode("utf-8", "backslashreplace").decode()


@functools.cache
def import_map() -> dict[str, str]:
    """The modules by the name under which they are imported, each as a `data:` URL."""
    imports = {
        entry["module"]: _data_url((WEB / "vendor" / entry["path"]).read_text(encoding="utf-8"))
        for entry in _vendor_files("module")
    }
    for path in sorted(WEB.rglob("*.js")):
        name = path.relative_to(WEB).as_posix()
        if not name.startswith("vendor/") and not name.endswith(".test.js"):
            imports[OWN + name] = _data_url(own_module(path))
    return imports


def own_module(path: Path) -> str:
    """A module of ours, with the names of the import map in place of relative paths, which do not
    lead anywhere from a `data:` URL.
    """

    def absolute(match: re.Match[str]) -> str:
        target = (path.parent / match[3]).resolve().relative_to(WEB.resolve()).as_posix()
        return f"{match[1]}{match[2]}{OWN}{target}{match[2]}"

    return RELATIVE.sub(absolute, path.read_text(encoding="utf-8"))


@functools.cache
def stylesheet() -> str:
    """All styles: those of the vendored libraries, then our own."""
    own = [path.read_text(encoding="utf-8") for path in sorted(WEB.glob("*.css"))]
    return "\n".join([*vendored("style"), *own])


@functools.cache
def vendored(kind: str) -> tuple[str, ...]:
    """The texts of the vendored files of a kind: "script" or "style"."""
    return tuple(
        (WEB / "vendor" / entry["path"]).read_text(encoding="utf-8")
        for entry in _vendor_files(kind)
    )


def _vendor_files(kind: str) -> list[dict[str, Any]]:
    listing = json.loads((WEB / "vendor" / "vendor.json").read_text(encoding="utf-8"))
    return [entry for entry in listing["files"] if entry["kind"] == kind]


def _data_url(script: str) -> str:
    return f"data:text/javascript;base64,{base64.b64encode(script.encode()).decode()}"


def _hash(text: str) -> str:
    return f"'sha256-{base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()}'"


def _version(document: dict[str, Any]) -> str:
    return str(document.get("version", ""))
