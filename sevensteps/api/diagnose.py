"""`diagnose()`: what is wrong with a training that was watched."""

from __future__ import annotations

from pathlib import Path

from sevensteps.api.run import Run
from sevensteps.doctor.diagnosis import Diagnosis
from sevensteps.doctor.stored_diagnosis import diagnose_folder
from sevensteps.record.run_folder import find_diagnosed
from sevensteps.view import faces as faces  # enters how a diagnosis becomes a page


def diagnose(run: Path | str | Run, *, allow_code: bool = False) -> Diagnosis:
    """What is wrong with a training, the most likely cause first.

    `run` is a `Run`, a run folder, its name under `runs/`, `"last"`, or a folder that `watch.save`
    wrote. Raises `RunError` where there is no such run, where it was not watched, or where its
    files are damaged.
    """
    if isinstance(run, Run):
        return run.diagnosed(allow_code=allow_code)
    return diagnose_folder(find_diagnosed(run), allow_code=allow_code)
