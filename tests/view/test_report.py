"""A report is one file that holds its document, asks for nothing, and runs no text of it."""

from __future__ import annotations

import base64
import hashlib
import json
import re
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import pytest

import sevensteps as ss
from sevensteps.errors import ArgumentError
from sevensteps.view import report
from sevensteps.view.report import read_report, report_page, script_json, write_report
from tests.view.conftest import HOSTILE

MINIMAL: dict[str, Any] = {"schema": 1, "kind": "run", "title": "a run", "version": "0.1.0"}


class Elements(HTMLParser):
    """Every element of a page with its attributes, and the text of the scripts."""

    def __init__(self, page: str) -> None:
        super().__init__()
        self.elements: list[tuple[str, dict[str, str | None]]] = []
        self.scripts: list[str] = []
        self.inside = False
        self.feed(page)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.elements.append((tag, dict(attrs)))
        self.inside = tag in ("script", "style")
        if self.inside:
            self.scripts.append("")

    def handle_endtag(self, tag: str) -> None:
        self.inside = False

    def handle_data(self, data: str) -> None:
        if self.inside:
            self.scripts[-1] += data


def test_a_report_gives_its_document_back(healthy_run: ss.Run, tmp_path: Path) -> None:
    path = healthy_run.report(tmp_path / "run.html")
    document = ss.read_report(path)
    assert document["title"] == healthy_run.outcome.run
    assert document["repeat"]["recipe"] == healthy_run.recipe.to_toml().strip()
    assert path.stat().st_size < 2_500_000


def test_every_text_comes_back(tmp_path: Path) -> None:
    texts = [HOSTILE, "<!--<script>", "]]>", "\ud800 lone", "\u2029", "&amp;", "é\\u003c", "\x00"]
    document = {**MINIMAL, "subtitle": "", "events": [{"text": text} for text in texts]}
    path = write_report(document, tmp_path / "a.html")
    assert [event["text"] for event in read_report(path)["events"]] == texts


def test_hostile_texts_are_no_markup(hostile_run: ss.Run, tmp_path: Path) -> None:
    page = hostile_run.report(tmp_path / "a.html").read_text(encoding="utf-8")
    elements = Elements(page).elements
    tags = [tag for tag, _ in elements]
    assert "img" not in tags
    own = [tag for tag in tags if tag == "script"]
    clean = [tag for tag, _ in Elements(report_page(MINIMAL)).elements if tag == "script"]
    assert own == clean
    assert not [name for _, attributes in elements for name in attributes if name[:2] == "on"]
    assert HOSTILE in json.dumps(read_report(tmp_path / "a.html"), ensure_ascii=False)


@pytest.mark.parametrize("key", ["title", "subtitle", "version", "made", "kind"])
def test_no_part_of_the_head_can_be_left(key: str) -> None:
    clean = [tag for tag, _ in Elements(report_page(MINIMAL)).elements]
    for text in (HOSTILE, '"><script>alert(1)</script>', "'-->", "</title><script>"):
        tags = [tag for tag, _ in Elements(report_page({**MINIMAL, key: text})).elements]
        assert tags.count("script") == clean.count("script")
        assert "img" not in tags


def test_the_policy_allows_what_is_there_and_nothing_else() -> None:
    page = report_page(MINIMAL)
    [policy] = re.findall(r'http-equiv="Content-Security-Policy" content="([^"]*)"', page)
    assert policy.startswith("default-src 'none'; ")
    assert "unsafe" not in policy
    parsed = Elements(page)
    kinds = [attributes for tag, attributes in parsed.elements if tag in ("script", "style")]
    for attributes, text in zip(kinds, parsed.scripts, strict=True):
        if attributes.get("type") == "application/json":
            continue
        digest = base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()
        assert f"'sha256-{digest}'" in policy


def test_nothing_is_asked_for() -> None:
    for tag, attributes in Elements(report_page(MINIMAL)).elements:
        assert tag not in ("link", "iframe", "object", "embed", "base")
        for name in ("src", "href", "action", "data"):
            assert not (attributes.get(name) or "").startswith(("http", "//", "file"))
    assert "@import" not in report.stylesheet()
    assert not re.search(r"url\((?!['\"]?data:)", report.stylesheet())


def test_modules_find_each_other() -> None:
    imports = report.import_map()
    assert "sevensteps/main.js" in imports
    for name, url in imports.items():
        text = base64.b64decode(url.partition(",")[2]).decode()
        # what a comment imports are types
        code = re.sub(r"/\*.*?\*/", "", text, flags=re.DOTALL)
        asked = re.findall(r"""\bfrom\s*["']([^"']+)["']|\bimport\s*["']([^"']+)["']""", code)
        for target in (first or second for first, second in asked):
            assert target in imports, f"{name} imports {target}"


def test_scripts_end_nowhere_within() -> None:
    for kind in ("script", "style"):
        assert not [text for text in report.vendored(kind) if "</" + kind in text.lower()]
    assert "</style" not in report.stylesheet().lower()


def test_a_page_without_scripts_says_the_verdict(faulty_run: ss.Run) -> None:
    document = faulty_run.document()
    page = report_page(document)
    assert document["verdict"]["sentence"] in page.split("application/json")[0]


def test_what_is_not_finite_is_null() -> None:
    assert script_json({"a": float("nan"), "b": [float("inf")]}) == '{"a":null,"b":[null]}'


@pytest.mark.parametrize(
    ("name", "said"),
    [("a.pdf", "a.html"), ("none/a.html", "mkdir -p"), ("folder.html", "is a folder")],
)
def test_where_no_report_can_be_written(tmp_path: Path, name: str, said: str) -> None:
    (tmp_path / "folder.html").mkdir()
    with pytest.raises(ArgumentError, match=said):
        report.require_html(tmp_path / name)


@pytest.mark.parametrize(
    ("content", "said"),
    [
        ("<p>hello", "is no report"),
        ('<script type="application/json" id="sevensteps-document">[1]</script>', "is no report"),
        ('<script id="sevensteps-document">{"schema": 99}</script>', "newer sevensteps"),
    ],
)
def test_what_is_no_report(tmp_path: Path, content: str, said: str) -> None:
    (tmp_path / "a.html").write_text(content)
    with pytest.raises(ArgumentError, match=said):
        read_report(tmp_path / "a.html")


def test_a_file_that_is_not_there(tmp_path: Path) -> None:
    with pytest.raises(ArgumentError, match="cannot be read: No such file"):
        read_report(tmp_path / "a.html")
    (tmp_path / "b.html").write_bytes(b"\xff\xfe\x00")
    with pytest.raises(ArgumentError, match="it is no text"):
        read_report(tmp_path / "b.html")
