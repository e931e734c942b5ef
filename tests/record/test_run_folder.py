"""Run folders are made, named and found as said, and no file in one is ever half written."""

from __future__ import annotations

import json
import math
import os
import re
from pathlib import Path
from typing import Any

import pytest

from sevensteps.errors import RunError
from sevensteps.record import run_folder as folders
from sevensteps.record.run_folder import (
    create,
    find_run_folder,
    list_runs,
    nan_to_null,
    read_json,
    write,
    write_json,
)


@pytest.fixture(autouse=True)
def elsewhere(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)


def made(name: str, order: int) -> Path:
    """A folder with a run.json, finished as the `order`-th."""
    path = Path("runs") / name
    path.mkdir(parents=True)
    (path / "run.json").write_text("{}")
    os.utime(path / "run.json", (order, order))
    return path


# -- made ------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("source", "stem"),
    [
        ("digits", "digits"),
        ("speed(noise=1.0)", "speed"),
        ("csv('data/penguins.csv', target='species')", "penguins"),
        ('image_folder("pets/")', "pets"),
        ("race-speed(noise=1.0)", "race-speed"),
        ("../../etc/passwd", "etc-passwd"),
        ("…", "run"),
        ("a b\nc", "a-b-c"),
    ],
)
def test_a_folder_is_named_by_date_and_data(source: str, stem: str) -> None:
    path = create(None, source)
    assert path.parent == Path("runs")
    assert re.fullmatch(r"\d{8}-\d{6}-" + re.escape(stem), path.name)
    assert list(path.iterdir()) == []


def test_folders_of_the_same_second_are_numbered(monkeypatch: pytest.MonkeyPatch) -> None:
    class Noon:
        @staticmethod
        def now() -> Any:
            return folders_datetime(2026, 1, 2, 12, 0, 0)

    folders_datetime = folders.datetime
    monkeypatch.setattr(folders, "datetime", Noon)
    assert [create(None, "xor").name for _ in range(3)] == [
        "20260102-120000-xor",
        "20260102-120000-xor-2",
        "20260102-120000-xor-3",
    ]


def test_a_folder_of_ones_own() -> None:
    assert create("a/b", "x") == Path("a/b")
    assert create("a/b", "x") == Path("a/b"), "an empty one does as well"
    Path("a/b/notes").touch()
    with pytest.raises(RunError) as caught:
        create("a/b", "x")
    assert (
        str(caught.value)
        == "a/b is not empty, and a run is never written over another; give another folder "
        "(--out), or remove it first"
    )
    assert [path.name for path in Path("a/b").iterdir()] == ["notes"]


def test_a_file_in_the_way() -> None:
    Path("taken").touch()
    with pytest.raises(RunError) as caught:
        create("taken", "x")
    assert (
        str(caught.value)
        == "the run folder taken cannot be made: a file of that name is in the way; give another "
        "folder (--out)"
    )
    with pytest.raises(RunError) as caught:
        create("taken/below", "x")
    assert (
        str(caught.value)
        == "the run folder taken/below cannot be written: Not a directory; give another folder "
        "(--out)"
    )
    Path("runs").touch()
    with pytest.raises(
        RunError,
        match=r"^the run folder runs/.*-x cannot be written: Not a directory; give another folder "
        r"\(--out\)$",
    ):
        create(None, "x")


@pytest.mark.skipif(
    not hasattr(os, "geteuid") or os.geteuid() == 0, reason="root may write everywhere"
)
def test_a_folder_that_may_not_be_written() -> None:
    Path("locked").mkdir(mode=0o500)
    with pytest.raises(RunError) as caught:
        create("locked/run", "x")
    assert (
        str(caught.value)
        == "the run folder locked/run cannot be written: Permission denied; give another folder "
        "(--out)"
    )


# -- found -----------------------------------------------------------------------------------------


def test_runs_are_listed_oldest_first() -> None:
    assert list_runs() == []
    third, first, second = made("a", 30), made("b", 10), made("c", 20)
    Path("runs/unfinished").mkdir()
    assert list_runs() == [first, second, third]
    assert find_run_folder("last") == third
    assert (
        find_run_folder("b")
        == find_run_folder("runs/b")
        == find_run_folder(Path("runs/b"))
        == first
    )


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("last", "there is no run in runs/ yet; make one with: sevensteps train digits"),
        ("nope", "there is no run nope; make one with: sevensteps train digits"),
        (
            "empty",
            "empty holds no finished run: it has no run.json, and no watch.json of watch.save",
        ),
    ],
)
def test_what_is_not_there(name: str, message: str) -> None:
    Path("empty").mkdir()
    with pytest.raises(RunError) as caught:
        find_run_folder(name)
    assert str(caught.value) == message


def test_the_nearest_run_is_named() -> None:
    made("20260101-120000-digits", 1)
    made("20260101-120000-xor", 2)
    with pytest.raises(RunError) as caught:
        find_run_folder("20260101-120000-digit")
    assert (
        str(caught.value)
        == "there is no run 20260101-120000-digit; did you mean '20260101-120000-digits'?"
    )


def test_the_end_of_a_name_is_the_newest_that_ends_so() -> None:
    made("20260101-120000-digits", 1)
    newest = made("20260101-130000-digits", 2)
    made("20260101-140000-xor", 3)
    assert find_run_folder("digits") == newest
    with pytest.raises(RunError, match="there is no run igits; known: "):
        find_run_folder("igits")


def test_last_with_a_slip_of_the_key_is_meant() -> None:
    made("20260101-120000-digits", 1)
    with pytest.raises(RunError, match=r"^there is no run lats; did you mean 'last'\?$"):
        find_run_folder("lats")


def test_of_many_runs_the_newest_are_named() -> None:
    for hour in range(10, 20):
        made(f"20260101-{hour}0000-xor", hour)
    with pytest.raises(RunError) as caught:
        find_run_folder("mine")
    assert str(caught.value) == (
        "there is no run mine; the newest are 20260101-190000-xor, 20260101-180000-xor, "
        "20260101-170000-xor; to list all: sevensteps runs"
    )


# -- files, whole or not at all --------------------------------------------------------------------


@pytest.mark.parametrize("step", ["fsync", "replace"])
def test_a_write_that_fails_leaves_the_old_file(step: str, monkeypatch: pytest.MonkeyPatch) -> None:
    path = Path("kept")
    write(path, b"old")

    def full(*given: Any) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(*{"fsync": (os, "fsync"), "replace": (Path, "replace")}[step], full)
    with pytest.raises(RunError) as caught:
        write(path, b"new and longer")
    assert str(caught.value) == "kept cannot be written: No space left on device"
    assert path.read_bytes() == b"old"
    assert [p.name for p in Path().iterdir()] == ["kept"]


def test_a_write_replaces_the_whole_file() -> None:
    write(Path("kept"), b"old and longer")
    write(Path("kept"), b"new")
    assert Path("kept").read_bytes() == b"new"
    with pytest.raises(RunError) as caught:
        write(Path("gone/kept"), b"x")
    assert str(caught.value) == "gone/kept cannot be written: No such file or directory"


def test_numbers_that_are_not_finite_are_null() -> None:
    held = {
        "a": [1.0, math.nan, (math.inf, "NaN")],
        "b": {"c": -math.inf, "d": None, "e": True, "f": 3},
    }
    assert nan_to_null(held) == {
        "a": [1.0, None, [None, "NaN"]],
        "b": {"c": None, "d": None, "e": True, "f": 3},
    }
    write_json(Path("x.json"), held)
    assert read_json(Path("x.json")) == nan_to_null(held)
    assert not re.search(r"\b(NaN|Infinity)\b(?!\")", Path("x.json").read_text())


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (
            b"{",
            "x.json cannot be read: Expecting property name enclosed in double quotes: line 1 "
            "column 2 (char 1)",
        ),
        (b"", "x.json cannot be read: Expecting value: line 1 column 1 (char 0)"),
        (
            b"[1]",
            "x.json holds a list where a JSON object belongs; it is damaged or something else",
        ),
        (
            b"\xff",
            "x.json cannot be read: 'utf-8' codec can't decode byte 0xff in position 0: invalid "
            "start byte",
        ),
    ],
)
def test_json_that_cannot_be_read(content: bytes, message: str) -> None:
    Path("x.json").write_bytes(content)
    with pytest.raises(RunError) as caught:
        read_json(Path("x.json"))
    assert str(caught.value) == message


def test_json_that_is_missing_or_hostile(monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(RunError, match=r"^x.json cannot be read: .*No such file or directory"):
        read_json(Path("x.json"))
    Path("x.json").write_text("[" * 100_000)
    with pytest.raises(RunError, match=r"^x.json cannot be read: "):
        read_json(Path("x.json"))
    monkeypatch.setattr(folders, "MAX_JSON", 10)
    Path("x.json").write_text(json.dumps({"a": "b" * 10}))
    with pytest.raises(RunError) as caught:
        read_json(Path("x.json"))
    assert (
        str(caught.value)
        == "x.json has 19 bytes, more than any x.json; it is damaged or something else"
    )


def test_a_folder_whose_training_was_killed_at_once_is_taken_again(tmp_path: Path) -> None:
    """Between making the folder and writing the recipe there is only the lock."""
    (tmp_path / "run").mkdir()
    (tmp_path / "run" / ".lock").touch()
    assert create(tmp_path / "run", "") == tmp_path / "run"
