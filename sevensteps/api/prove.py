"""`prove()`: diagnose a training script, and prove the remedies on the script itself."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from sevensteps.api.watch_script import with_others
from sevensteps.arguments import number
from sevensteps.doctor.report.script import ProcessReport
from sevensteps.doctor.trials.trial import Trial
from sevensteps.errors import ArgumentError
from sevensteps.observe.script.launch import watch_settings, watched

if TYPE_CHECKING:
    from sevensteps.doctor.report.script import TrainingReport

ENTRY = "sevensteps.api.watch_script"


@dataclass(frozen=True)
class Proof:
    """What was found in a script, and what its trials came to. `code` is the script's exit code."""

    report: ProcessReport
    code: int

    @property
    def trainings(self) -> tuple[TrainingReport, ...]:
        """The trainings of the script, each with its diagnosis."""
        return self.report.trainings

    @property
    def trials(self) -> list[Trial]:
        """All trials, in the order of the findings."""
        return [Trial.from_dict(plain) for plain in self._records()]

    @property
    def patches(self) -> list[str]:
        """What to change in the script, of each remedy that is proven."""
        return [plain["patch"] for plain in self._records() if plain["proven"]]

    def to_dict(self) -> dict[str, Any]:
        """All of it, as `sevensteps watch --json` has it."""
        return self.report.to_dict()

    def __str__(self) -> str:
        return "\n\n".join(part for part in (self.report.text(), self.report.tried_text()) if part)

    def _records(self) -> list[dict[str, Any]]:
        return [
            trial
            for training in self.trainings
            for finding in training.diagnosis.get("findings", ())
            for trial in finding["trials"]
        ]


def prove(
    script: Path | str,
    args: Sequence[Any] = (),
    *,
    budget: float = 60.0,
    report: Callable[[str], None] | None = None,
) -> Proof:
    """Run a training script, watch it, and run it again to prove the remedies of what was found.

    `script` is run with `args` as `python SCRIPT ARGS` runs it, and once more for each trial, with
    one thing altered from outside, on new seeds: untouched, with the remedy, and changed at random
    by as much. All trials together take `budget` seconds at most; `report(text)` is called as they
    go on. Files that trials write are thrown away, and their output is not shown. Raises
    `ArgumentError` where there is no such script.

        proof = ss.prove("train.py", ["--epochs", 3])
        print(proof)
        print(proof.patches)
    """
    number("budget", budget, above=0)
    if not Path(script).exists():
        raise ArgumentError(f"{script}: there is no such file")
    from sevensteps.doctor.trials.script.proof import try_trainings

    words = [str(script), *map(str, args)]
    settings = watch_settings(
        ENTRY,
        json_file=None,
        report_file=None,
        budget=0.02,
        prints=False,
        keep=False,
        plans=True,
    )
    began = time.perf_counter()
    code = subprocess.run([sys.executable, *words], env=watched(os.environ, settings)).returncode
    seconds = time.perf_counter() - began
    found = with_others(ProcessReport(nothing="The script ended early."), Path(settings["folder"]))
    try_trainings(
        found.trainings, words, seconds, budget=budget, report=report or (lambda text: None)
    )
    return Proof(found, code)
