"""The face of explanations: `run.explain.sample(3)`, and what a folder or a run must have to be
explained.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

from sevensteps.explain.questions import Explain
from sevensteps.explain.subject import Subject

if TYPE_CHECKING:
    from sevensteps.api.run import Run


def explain(
    run: Run | Path | str, *, data_dir: Path | str | None = None, allow_code: bool = False
) -> Explain:
    """What can be asked about `run`: a `Run`, a run folder, its name under `runs/`, or `"last"`.

    Raises `RunError` where there is no such run, or it is damaged or has no weights.
    """
    from sevensteps.api.load import load
    from sevensteps.api.run import Run
    from sevensteps.doctor.case_folder import seen

    found: Any = run if isinstance(run, Run) else load(run, allow_code=allow_code)
    kept = None
    if found.diagnosis is not None:
        kept = found.diagnosis.case.observed
    elif (
        found.folder is not None
        and (held := seen(found.folder, found.summary["steps"] + 1)) is not None
    ):
        kept = held[0]
    return Explain(
        Subject(
            found.recipe,
            found.network,
            found.summary,
            found.history,
            found.folder,
            kept,
            data_dir,
            found.settled,
        )
    )
