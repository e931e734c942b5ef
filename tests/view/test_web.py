"""The files of the page: libraries are what their packages publish, modules can be put together."""

from __future__ import annotations

import hashlib
import json
import re
from pathlib import Path

import sevensteps.view

WEB = Path(sevensteps.view.__file__).parent / "web"
VENDOR = WEB / "vendor"
FILES = json.loads((VENDOR / "vendor.json").read_text(encoding="utf-8"))["files"]
BARE = {file["module"] for file in FILES if file["module"]}
IMPORT = re.compile(r'(?:\bfrom\s*|\bimport\s*\(?\s*)"([^"]+)"')


def test_every_library_is_as_it_was_published() -> None:
    hashes = {file["path"]: file["sha256"] for file in FILES}
    there = [path for path in VENDOR.rglob("*") if path.is_file() and path.name != "vendor.json"]
    assert {
        path.relative_to(VENDOR).as_posix(): hashlib.sha256(path.read_bytes()).hexdigest()
        for path in there
    } == hashes


def test_every_library_has_its_licence_and_one_version() -> None:
    folders = {Path(file["path"]).parts[0] for file in FILES}
    assert {Path(file["path"]).parts[0] for file in FILES if file["kind"] == "licence"} == folders
    pins = json.loads((Path(__file__).parents[1] / "web" / "package.json").read_text())
    for file in FILES:
        assert pins["devDependencies"].get(file["package"], file["version"]) == file["version"]


def test_libraries_stay_small() -> None:
    assert sum(file.stat().st_size for file in VENDOR.rglob("*") if file.is_file()) < 100_000


def test_modules_lie_flat_and_import_only_each_other_and_libraries() -> None:
    modules = sorted(WEB.glob("*.js"))
    assert not [path for path in WEB.rglob("*.js") if path.parent not in (WEB, VENDOR / "uplot")]
    names = {f"./{path.name}" for path in modules}
    for path in modules:
        source = re.sub(r"/\*.*?\*/", "", path.read_text(encoding="utf-8"), flags=re.DOTALL)
        for imported in IMPORT.findall(source):
            assert imported in names | BARE, f"{path.name} imports {imported}"


def test_nothing_makes_markup_of_text() -> None:
    forbidden = re.compile(
        r"innerHTML|outerHTML|insertAdjacentHTML|document\.write|dangerouslySetInnerHTML"
        r"|\beval\(|new Function|createContextualFragment|DOMParser|srcdoc"
    )
    for path in WEB.glob("*.js"):
        assert forbidden.search(path.read_text(encoding="utf-8")) is None, path.name
