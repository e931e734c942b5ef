"""`record.sqlite`: the history of a training, one row an evaluation, its events, and what watching
saw; readable while it is written.
"""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from types import TracebackType
from typing import Any

from sevensteps.errors import RunError
from sevensteps.notation import cut
from sevensteps.record.run_folder import inside, nan_to_null

FILE = "record.sqlite"
BESIDE = ("", "-wal", "-shm", "-journal")  # SQLite's own files beside it
SCHEMA = 2
PAGE = 16_384  # bytes of a page of the file
# bytes of one text or blob; what watching keeps of a wide layer has some megabytes
MAX_CELL = 1 << 28
MAX_BYTES = 1 << 30  # of all that is read at once
MAX_WORK = (
    100_000_000  # of SQLite's instructions to read a table, a second or two; a row takes some ten
)
TABLES = """
create table history (step integer not null, epoch integer not null, seconds real not null, lr real,
                      train text not null, valid text not null);
create table events (time text not null, step integer not null, kind text not null, detail text not null);
"""  # noqa: E501
WATCHED = """
create table looks (step integer not null, kind text not null, numbers text not null, tensors blob not null);
create table watched (name text primary key, held text not null, tensors blob not null);
"""  # since schema 2  # noqa: E501


class Record:
    """The record of one run, open for writing. Every call is a transaction of its own, unless it is
    made inside `together`.

    Where the folder has one already, of a training that goes on, it is added to.
    """

    def __init__(self, folder: Path) -> None:
        self.path = folder / FILE
        _checked(self.path)
        with _explained(self.path):
            self.database = sqlite3.connect(
                self.path, isolation_level=None, check_same_thread=False
            )
            try:
                self.database.execute("pragma trusted_schema = off")
                # of a new file: the samples that are kept fill megabytes, in a quarter of the pages
                self.database.execute(f"pragma page_size = {PAGE}")
                self.database.execute("pragma journal_mode = wal")
                # with WAL: a crash loses the last rows at most, never the file
                self.database.execute("pragma synchronous = normal")
                if (version := self.database.execute("pragma user_version").fetchone()[0]) == 0:
                    self.database.executescript(
                        f"begin; {TABLES} {WATCHED} pragma user_version = {SCHEMA}; commit;"
                    )
                elif version != SCHEMA:
                    raise RunError(
                        f"{self.path} has schema {version}, but this sevensteps goes on with "
                        f"records of schema {SCHEMA} only"
                    )
            except (sqlite3.Error, RunError):
                self.database.close()
                raise

    def rewind(self, history: list[dict[str, Any]]) -> None:
        """Let the history be these rows: those of a training that goes on from an earlier step than
        was recorded.
        """
        with self.together():
            self.database.execute("delete from history")
            for row in history:
                self.row(row)

    def row(self, row: dict[str, Any]) -> None:
        """Add one evaluation: epoch, step, seconds of training, lr, and the metrics of both
        parts.
        """
        train, valid = (json.dumps(nan_to_null(row[part])) for part in ("train", "valid"))
        with _explained(self.path):
            self.database.execute(
                "insert into history values (?, ?, ?, ?, ?, ?)",
                (row["step"], row["epoch"], row["seconds"], row["lr"], train, valid),
            )

    def event(self, step: int, kind: str, detail: str) -> None:
        """Add something that happened, with the time of day."""
        with _explained(self.path):
            self.database.execute(
                "insert into events values (?, ?, ?, ?)",
                (datetime.now(UTC).isoformat(timespec="milliseconds"), step, kind, detail),
            )

    def forget_watched(self) -> None:
        """Remove all that watching saw, before it is written anew."""
        with _explained(self.path):
            self.database.execute("delete from looks")
            self.database.execute("delete from watched")

    def look(self, step: int, kind: str, numbers: str, tensors: bytes) -> None:
        """Add one look of watching: JSON, and safetensors."""
        with _explained(self.path):
            self.database.execute(
                "insert into looks values (?, ?, ?, ?)", (step, kind, numbers, tensors)
            )

    def watched(self, name: str, text: str, tensors: bytes = b"") -> None:
        """Keep something else that watching saw, under its name: JSON, and safetensors."""
        with _explained(self.path):
            self.database.execute(
                "insert or replace into watched values (?, ?, ?)", (name, text, tensors)
            )

    @contextmanager
    def together(self) -> Iterator[None]:
        """One transaction for all that is done inside: much quicker than one for each call."""
        with _explained(self.path):
            self.database.execute("begin")
            try:
                yield
            except BaseException:
                self.database.execute("rollback")
                raise
            self.database.execute("commit")

    def close(self) -> None:
        """Fold the journal into the one file."""
        with _explained(self.path):
            self.database.close()


def read(folder: Path) -> dict[str, list[dict[str, Any]]]:
    """History and events of a run, oldest first. The folder may be read-only."""
    with _opened(folder) as (database, _), _explained(folder / FILE):
        history = _rows(
            database,
            "history",
            {
                "step": int,
                "epoch": int,
                "seconds": float,
                "lr": (float, int, type(None)),
                "train": str,
                "valid": str,
            },
        )
        events = _rows(database, "events", {"time": str, "step": int, "kind": str, "detail": str})
        for row in history:
            for part in ("train", "valid"):
                row[part] = json.loads(row[part])
                if not isinstance(row[part], dict) or "loss" not in row[part]:
                    raise ValueError(f"the metrics of step {row['step']} have no loss")
    return {"history": history, "events": events}


def read_watched(folder: Path) -> tuple[list[dict[str, Any]], dict[str, dict[str, Any]]]:
    """What watching saw: its looks, oldest first, and the rest by name; both empty in records older
    than schema 2.
    """
    with _opened(folder) as (database, version), _explained(folder / FILE):
        if version < 2:
            return [], {}
        looks = _rows(
            database, "looks", {"step": int, "kind": str, "numbers": str, "tensors": bytes}
        )
        return looks, {
            row["name"]: row
            for row in _rows(database, "watched", {"name": str, "held": str, "tensors": bytes})
        }


def _rows(
    database: sqlite3.Connection, table: str, columns: dict[str, Any]
) -> list[dict[str, Any]]:
    """All rows of one of our tables, oldest first. What stands in a file from elsewhere need not be
    what we would have written: a view that computes without end, rows without number, cells of
    another kind. Raises `ValueError` or `sqlite3.Error`."""
    if (
        database.execute(
            "select 1 from sqlite_master where type = 'table' and name = ? and sql not like "
            "'create virtual%'",
            (table,),
        ).fetchone()
        is None
    ):
        raise ValueError(f"no such table: {table}")
    database.set_progress_handler(lambda: 1, MAX_WORK)
    rows, size = [], 0
    for row in database.execute(f"select {', '.join(columns)} from {table} order by rowid"):
        for cell, (name, kind) in zip(row, columns.items(), strict=True):
            if not isinstance(cell, kind):
                raise ValueError(f"{name} in its table {table} is {cut(repr(cell))}")
            size += len(cell) if isinstance(cell, str | bytes) else 8
        if size > MAX_BYTES:
            raise ValueError(f"its table {table} holds more than {MAX_BYTES:,} bytes")
        rows.append(dict(zip(columns, row, strict=True)))
    database.set_progress_handler(None, 0)
    return rows


def _checked(path: Path) -> None:
    """Raise `RunError` where the record, or a file that SQLite would use with it, is not one of the
    run folder.
    """
    for ending in BESIDE:
        inside(path.with_name(path.name + ending))


def _guarded(database: sqlite3.Connection) -> None:
    """Let a database from elsewhere take no more memory than a record of ours does, and run no
    function that its schema names.
    """
    database.setlimit(sqlite3.SQLITE_LIMIT_LENGTH, MAX_CELL)
    database.setlimit(sqlite3.SQLITE_LIMIT_SQL_LENGTH, 100_000)
    database.execute("pragma trusted_schema = off")
    database.execute("pragma cell_size_check = on")


@contextmanager
def _opened(folder: Path) -> Iterator[tuple[sqlite3.Connection, int]]:
    """The record of a folder, to read, and its schema."""
    path = folder / FILE
    _checked(path)
    if not path.is_file():
        raise RunError(f"{path} is missing, so the run has no history")
    with _explained(path):
        # A folder that cannot be written has no place for WAL's shared memory; its file is then
        # complete by itself.
        whole = not (folder / f"{FILE}-wal").exists()
        database = sqlite3.connect(
            f"{path.absolute().as_uri()}?mode=ro{'&immutable=1' if whole else ''}", uri=True
        )
        try:
            _guarded(database)
            if (version := database.execute("pragma user_version").fetchone()[0]) > SCHEMA:
                raise RunError(
                    f"{path} has schema {version}, written by a newer sevensteps; this one reads "
                    f"up to {SCHEMA}"
                )
            yield database, version
        finally:
            database.close()


class _explained:
    """Turns what SQLite says into one line that names the file."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def __enter__(self) -> None:
        return None

    def __exit__(
        self,
        kind: type[BaseException] | None,
        raised: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        if isinstance(raised, sqlite3.OperationalError) and "interrupted" in str(raised):
            raise RunError(
                f"{self.path} cannot be used: it takes longer to read than any record; it is "
                "damaged, or something "
                "else"
            ) from None
        if isinstance(raised, sqlite3.Error | ValueError | RecursionError) and not isinstance(
            raised, RunError
        ):
            raise RunError(f"{self.path} cannot be used: {cut(str(raised), 300)}") from None
