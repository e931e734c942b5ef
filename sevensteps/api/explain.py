"""`explain()`: the questions that can be asked about a run, in this session or in a folder."""

from __future__ import annotations

from pathlib import Path

from sevensteps.api.load import load
from sevensteps.api.run import Run
from sevensteps.explain.questions import Explain


def explain(
    run: Run | Path | str, *, data_dir: Path | str | None = None, allow_code: bool = False
) -> Explain:
    """What can be asked about `run`: a `Run`, a run folder, its name under `runs/`, or `"last"`.

    Raises `RunError` where there is no such run, or it is damaged or has no weights.
    """
    if not isinstance(run, Run):
        run = load(run, allow_code=allow_code)
    return run.explained(data_dir)
