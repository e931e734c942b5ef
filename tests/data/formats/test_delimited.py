"""The encoding and the separator of a text file are found by looking."""

from __future__ import annotations

from pathlib import Path

import pytest

from sevensteps.data.formats.delimited import find_separator, open_text, read_records
from sevensteps.errors import DataError


@pytest.mark.parametrize(
    ("text", "separator"),
    [
        ("a,b\n1,2\n", ","),
        ("a;b\n1,5;2,5\n2,5;3,5\n", ";"),
        ("a\tb\n1\t2\n", "\t"),
        ("a|b\n1|2\n", "|"),
        ("name,text\nx,'a; b; c'\ny,'d; e'\n", ","),
        ('a;b\n"x;y";2\n"z";3\n', ";"),
        ("a   b\n1   2\n10  3\n", " "),
        ("one\n1\n2\n", ","),
        ("", ","),
    ],
)
def test_separators(tmp_path: Path, text: str, separator: str) -> None:
    (tmp_path / "a.csv").write_text(text)
    assert find_separator(tmp_path / "a.csv") == separator


@pytest.mark.parametrize(
    ("written", "found"),
    [
        ("utf-8", "utf-8-sig"),
        ("utf-8-sig", "utf-8-sig"),
        ("utf-16", "utf-16"),
        ("utf-16-le", "utf-16-le"),
        ("utf-16-be", "utf-16-be"),
        ("cp1252", "cp1252"),
    ],
)
def test_encodings(tmp_path: Path, written: str, found: str) -> None:
    path = tmp_path / "a.csv"
    path.write_bytes("größe,preis\n1,€5\n".encode(written))
    file, encoding = open_text(path)
    file.close()
    assert encoding == found
    assert list(read_records(path, ",")) == [["größe", "preis"], ["1", "€5"]]


def test_what_is_no_text(tmp_path: Path) -> None:
    (tmp_path / "a.csv").write_bytes(bytes(range(32)) * 40)
    with pytest.raises(DataError, match=r"a\.csv: is no text file; give a table as"):
        open_text(tmp_path / "a.csv")
