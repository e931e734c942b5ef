"""`record.sqlite`: what goes in comes out, while it is open, from a read-only folder, and never
from a damaged file.
"""

from __future__ import annotations

import math
import shutil
import sqlite3
from pathlib import Path
from typing import Any

import pytest

from sevensteps.errors import RunError
from sevensteps.record.database import SCHEMA, Record, read

ROW: dict[str, Any] = {
    "step": 3,
    "epoch": 1,
    "seconds": 0.25,
    "lr": 0.1,
    "train": {"loss": 0.5},
    "valid": {"loss": 0.4, "accuracy": 0.9, "by_class": {"é": 1.0}},
}


def test_rows_and_events_come_back_in_order(tmp_path: Path) -> None:
    record = Record(tmp_path)
    record.event(0, "start", "xor, seed 0")
    record.row(ROW)
    record.row({**ROW, "step": 6, "epoch": 2})
    record.event(6, "stop", "epochs: all 2 epochs are done")
    record.close()
    found = read(tmp_path)
    assert found["history"] == [ROW, {**ROW, "step": 6, "epoch": 2}]
    assert [(event["step"], event["kind"], event["detail"]) for event in found["events"]] == [
        (0, "start", "xor, seed 0"),
        (6, "stop", "epochs: all 2 epochs are done"),
    ]
    assert [path.name for path in tmp_path.iterdir()] == ["record.sqlite"], (
        "the journal is folded in"
    )


def test_it_reads_while_it_is_written(tmp_path: Path) -> None:
    record = Record(tmp_path)
    assert read(tmp_path)["history"] == []
    for step in range(1, 4):
        record.row({**ROW, "step": step})
        assert [row["step"] for row in read(tmp_path)["history"]] == list(range(1, step + 1))
    record.close()


def test_it_is_a_write_ahead_log(tmp_path: Path) -> None:
    record = Record(tmp_path)
    reader = sqlite3.connect(tmp_path / "record.sqlite")
    assert reader.execute("pragma journal_mode").fetchone() == ("wal",)
    assert reader.execute("pragma user_version").fetchone() == (SCHEMA,)
    reader.execute("begin")
    reader.execute(
        "select * from history"
    ).fetchall()  # a reader in the middle of a transaction does not hold the writer up
    record.row(ROW)
    reader.close()
    record.close()


def test_what_was_committed_outlives_a_crash(tmp_path: Path) -> None:
    (tmp_path / "run").mkdir()
    record = Record(tmp_path / "run")
    record.row(ROW)
    # as the disk would be found: never closed
    shutil.copytree(tmp_path / "run", tmp_path / "crashed")
    record.close()
    assert read(tmp_path / "crashed")["history"] == [ROW]


def test_it_reads_from_a_folder_that_may_not_be_written(finished: Path, tmp_path: Path) -> None:
    folder = Path(shutil.copytree(finished, tmp_path / "locked"))
    (folder / "record.sqlite").chmod(0o400)
    folder.chmod(0o500)
    try:
        assert len(read(folder)["history"]) == 3
        assert sorted(path.name for path in folder.iterdir()) == sorted(
            path.name for path in finished.iterdir()
        ), "nothing is added"
    finally:
        folder.chmod(0o700)


def test_numbers_that_are_not_finite_are_null(tmp_path: Path) -> None:
    record = Record(tmp_path)
    record.row({**ROW, "train": {"loss": math.nan}, "valid": {"loss": math.inf, "r2": -math.inf}})
    record.close()
    [row] = read(tmp_path)["history"]
    assert (row["train"], row["valid"]) == ({"loss": None}, {"loss": None, "r2": None})


def test_texts_cannot_break_out_of_it(tmp_path: Path) -> None:
    record = Record(tmp_path)
    record.event(0, "start", "'); drop table history; --")
    record.row(ROW)
    record.close()
    found = read(tmp_path)
    assert found["events"][0]["detail"] == "'); drop table history; --"
    assert len(found["history"]) == 1


def test_a_record_that_is_missing(tmp_path: Path) -> None:
    with pytest.raises(RunError) as caught:
        read(tmp_path)
    assert (
        str(caught.value) == f"{tmp_path / 'record.sqlite'} is missing, so the run has no history"
    )


def test_a_record_that_is_no_database(damaged: Path) -> None:
    file = damaged / "record.sqlite"
    file.write_bytes(b"x" * 5000)
    with pytest.raises(RunError) as caught:
        read(damaged)
    assert str(caught.value) == f"{file} cannot be used: file is not a database"


def test_a_record_without_its_tables(damaged: Path) -> None:
    file = damaged / "record.sqlite"
    file.unlink()
    sqlite3.connect(file).close()
    file.touch()
    with pytest.raises(RunError) as caught:
        read(damaged)
    assert str(caught.value) == f"{file} cannot be used: no such table: history"


def test_a_record_with_half_a_row(damaged: Path) -> None:
    file = damaged / "record.sqlite"
    database = sqlite3.connect(file)
    database.execute("update history set valid = '{' where step = 8")
    database.commit()
    database.close()
    with pytest.raises(
        RunError,
        match=r"record.sqlite cannot be used: Expecting property name enclosed in double quotes",
    ):
        read(damaged)


def test_a_record_of_a_newer_sevensteps(damaged: Path) -> None:
    file = damaged / "record.sqlite"
    database = sqlite3.connect(file)
    database.execute("pragma user_version = 9")
    database.close()
    with pytest.raises(RunError) as caught:
        read(damaged)
    assert (
        str(caught.value)
        == f"{file} has schema 9, written by a newer sevensteps; this one reads up to 2"
    )


def test_a_record_is_gone_on_with(damaged: Path) -> None:
    before = read(damaged)
    record = Record(damaged)
    record.rewind(before["history"][:1])
    record.row({**before["history"][0], "step": 99})
    record.event(99, "resume", "again")
    record.close()
    after = read(damaged)
    assert after["history"] == [before["history"][0], {**before["history"][0], "step": 99}]
    assert [event["kind"] for event in after["events"]] == [
        *(event["kind"] for event in before["events"]),
        "resume",
    ]


def test_a_record_of_another_schema_is_not_gone_on_with(damaged: Path) -> None:
    file = damaged / "record.sqlite"
    database = sqlite3.connect(file)
    database.execute("pragma user_version = 1")
    database.close()
    with pytest.raises(RunError) as caught:
        Record(damaged)
    assert (
        str(caught.value)
        == f"{file} has schema 1, but this sevensteps goes on with records of schema 2 only"
    )


def test_a_record_where_nothing_can_be_written(tmp_path: Path) -> None:
    with pytest.raises(RunError) as caught:
        Record(tmp_path / "gone")
    assert (
        str(caught.value)
        == f"{tmp_path / 'gone' / 'record.sqlite'} cannot be used: unable to open database file"
    )
