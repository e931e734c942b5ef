"""`record.sqlite`: the history of a training, one row an evaluation, and its events; written as it goes, readable meanwhile."""

from __future__ import annotations

import json
import sqlite3
from datetime import UTC, datetime
from pathlib import Path
from types import TracebackType
from typing import Any

from sevensteps.errors import RunError
from sevensteps.record.folder import finite

FILE = "record.sqlite"
SCHEMA = 1
TABLES = """
create table history (step integer not null, epoch integer not null, seconds real not null, lr real,
                      train text not null, valid text not null);
create table events (time text not null, step integer not null, kind text not null, detail text not null);
"""


class Record:
    """The record of one run, open for writing. Every call is a transaction of its own."""

    def __init__(self, folder: Path) -> None:
        self.path = folder / FILE
        with _explained(self.path):
            self.database = sqlite3.connect(self.path, isolation_level=None, check_same_thread=False)
            try:
                self.database.execute("pragma journal_mode = wal")
                self.database.execute("pragma synchronous = normal")  # with WAL: a crash loses the last rows at most, never the file
                self.database.executescript(f"begin; {TABLES} pragma user_version = {SCHEMA}; commit;")
            except sqlite3.Error:
                self.database.close()
                raise

    def row(self, row: dict[str, Any]) -> None:
        """Add one evaluation: epoch, step, seconds of training, lr, and the metrics of both parts."""
        train, valid = (json.dumps(finite(row[part])) for part in ("train", "valid"))
        with _explained(self.path):
            self.database.execute("insert into history values (?, ?, ?, ?, ?, ?)",
                                  (row["step"], row["epoch"], row["seconds"], row["lr"], train, valid))

    def event(self, step: int, kind: str, detail: str) -> None:
        """Add something that happened, with the time of day."""
        with _explained(self.path):
            self.database.execute("insert into events values (?, ?, ?, ?)",
                                  (datetime.now(UTC).isoformat(timespec="milliseconds"), step, kind, detail))

    def close(self) -> None:
        """Fold the journal into the one file."""
        with _explained(self.path):
            self.database.close()


def read(folder: Path) -> dict[str, list[dict[str, Any]]]:
    """All that `record.sqlite` of a run holds: `history` and `events`, oldest first. The folder may be read-only."""
    path = folder / FILE
    if not path.is_file():
        raise RunError(f"{path} is missing, so the run has no history")
    with _explained(path):
        # A folder that cannot be written has no place for WAL's shared memory; its file is then complete by itself.
        whole = not (folder / f"{FILE}-wal").exists()
        database = sqlite3.connect(f"{path.absolute().as_uri()}?mode=ro{'&immutable=1' if whole else ''}", uri=True)
        database.row_factory = sqlite3.Row
        try:
            if (version := database.execute("pragma user_version").fetchone()[0]) > SCHEMA:
                raise RunError(f"{path} has schema {version}, written by a newer sevensteps; this one reads up to {SCHEMA}")
            history = [dict(row) for row in database.execute("select * from history order by rowid")]
            events = [dict(row) for row in database.execute("select * from events order by rowid")]
        finally:
            database.close()
        for row in history:
            row["train"], row["valid"] = json.loads(row["train"]), json.loads(row["valid"])
    return {"history": history, "events": events}


class _explained:
    """Turns what SQLite says into one line that names the file."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def __enter__(self) -> None:
        return None

    def __exit__(self, kind: type[BaseException] | None, raised: BaseException | None, trace: TracebackType | None) -> None:
        if isinstance(raised, sqlite3.Error | ValueError) and not isinstance(raised, RunError):
            raise RunError(f"{self.path} cannot be used: {raised}") from None
