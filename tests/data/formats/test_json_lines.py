"""JSON: an object for each row, in the ways that programs write them."""

from __future__ import annotations

import gzip
import json
from pathlib import Path
from typing import Any

import pytest

import sevensteps as ss
from sevensteps.data.formats.json_lines import read_json
from sevensteps.errors import DataError

ROWS: list[dict[str, Any]] = [
    {"weight": n / 2, "at": {"x": n % 3}, "kind": "ab"[n % 2], "tags": ["u"]} for n in range(40)
]


def table(path: Path) -> list[list[str]]:
    read = read_json(path)
    block = next(iter(read.blocks(read.names)))
    return [read.names, *([*map(block[name].excerpt, [0, 1])] for name in read.names)]


@pytest.mark.parametrize(
    "write",
    [
        lambda: "\n".join(map(json.dumps, ROWS)),
        lambda: json.dumps(ROWS),
        lambda: json.dumps({name: [row[name] for row in ROWS] for name in ROWS[0] if name != "at"}),
    ],
)
def test_forms(tmp_path: Path, write: Any) -> None:
    path = tmp_path / "pets.json"
    path.write_text(write())
    data = ss.data.load(str(path), target="kind")
    assert data.features[0] == "weight"
    assert len(data.train) + len(data.valid) == 40
    assert "tags (is always" in " ".join(data.notes)


def test_objects_in_a_row_and_fields_that_are_missing(tmp_path: Path) -> None:
    path = tmp_path / "pets.jsonl.gz"
    rows = [{"a": 1, "b": {"c": "x"}}, {"a": None, "d": True}]
    path.write_bytes(gzip.compress("\n".join(map(json.dumps, rows)).encode()))
    read = read_json(path)
    assert read.names == ["a", "b.c", "d"]
    assert [cells.missing.tolist() for cells in next(iter(read.blocks(read.names))).values()] == [
        [False, True],
        [False, True],
        [True, False],
    ]


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "has no row"),
        ('{"a": 1}\n{"a"', "line 2 cannot be read as JSON"),
        ("[1, 2]", "row 1 is a int, not an object"),
    ],
)
def test_what_is_no_table(tmp_path: Path, text: str, message: str) -> None:
    (tmp_path / "a.jsonl").write_text(text)
    with pytest.raises(DataError, match=message):
        read_json(tmp_path / "a.jsonl")
