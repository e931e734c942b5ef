"""Which run folder belongs to a job of `torchrun`, so that a group that it starts again goes on
there.
"""

from __future__ import annotations

import hashlib
import json
import os
import socket
from pathlib import Path

from sevensteps.errors import RunError
from sevensteps.record.run_folder import MARK, RUNS, read_json, write
from sevensteps.training.recipe import Recipe

# of this process so far: a script may run several, and runs them again in the same order
_trainings = [0]


def current_job(recipe: Recipe) -> dict[str, str] | None:
    """What tells the next training of this process from all others: the job of `torchrun`, the how
    many-th it is, what was asked.

    None without torchrun. A job without an id of its own is known by the process that started this
    one."""
    name = os.environ.get("TORCHELASTIC_RUN_ID")
    if name is None:
        return None
    _trainings[0] += 1
    name = f"{socket.gethostname()} {os.getppid()}" if name == "none" else name
    return {
        "job": name,
        "training": str(_trainings[0]),
        "asked": hashlib.sha256(recipe.to_toml().encode()).hexdigest(),
    }


def find_begun_folder(out: Path | str | None, mine: dict[str, str] | None) -> Path | None:
    """The folder in which an earlier group of this job began this training: `out`, or one under
    `runs/`; None where there is none.

    One that has finished counts only where torchrun has started the group again: one of its
    processes failed after the end."""
    if mine is None:
        return None
    again = os.environ.get("TORCHELASTIC_RESTART_COUNT", "0") != "0"
    for folder in (
        [Path(out)] if out is not None else [mark.parent for mark in RUNS.glob(f"*/{MARK}")]
    ):
        try:
            ours = (folder / MARK).is_file() and read_json(folder / MARK) == mine
        except (RunError, OSError):
            continue
        if (
            ours
            and (folder / "recipe.toml").is_file()
            and (again or not (folder / "run.json").is_file())
        ):
            return folder
    return None


def write_mark(folder: Path, mine: dict[str, str] | None) -> None:
    """Say in a new run folder whose it is."""
    if mine is not None:
        write(folder / MARK, json.dumps(mine).encode())
