"""`load()`: read a finished run back from its folder."""

from __future__ import annotations

from pathlib import Path

from torch import nn

from sevensteps.api.run import Run
from sevensteps.record.database import read as read_history
from sevensteps.record.reader import RunContents, read_run
from sevensteps.record.run_folder import find_run_folder


def load(run: Path | str, *, allow_code: bool = False, predict: nn.Module | None = None) -> Run:
    """Read a finished run back: `run` is its folder, its name under `runs/`, or `"last"`.

    A run whose network comes from `module("package:factory")` is refused unless `allow_code`. One
    whose network was a Python object needs such a network again, as `predict`. Raises `RunError`
    where the folder is missing or damaged.
    """
    stored: RunContents = read_run(find_run_folder(run), allow_code=allow_code, predict=predict)
    return Run(
        stored.recipe,
        stored.summary,
        read_history(stored.folder)["history"],
        stored.folder,
        stored.network("weights.safetensors"),
        stored.network("best.safetensors"),
        stored.output,
        stored.inputs,
    )
