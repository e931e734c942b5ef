"""Trials of a script are processes: they run side by side, as many as there are cores."""

from __future__ import annotations

import json
import os
import shutil
import tempfile
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from sevensteps.doctor.trials.changes import Change
from sevensteps.doctor.trials.scheduler import TIME_IS_OVER, Clock
from sevensteps.doctor.trials.script.fork_server import POLL, ForkServer, RunningScript
from sevensteps.doctor.trials.script.isolation import copy_folder
from sevensteps.doctor.trials.script.notation import parse_change
from sevensteps.doctor.trials.script.results import (
    least_of,
    measure_of,
    printed_score,
    value_of,
)
from sevensteps.errors import RunError
from sevensteps.observe.script.launch import PACKAGE

ENTRY = "sevensteps.doctor.trials.script.child"
OFFLINE = {"WANDB_MODE": "disabled", "PYTHONDONTWRITEBYTECODE": "1"}  # of every trial


@dataclass
class ScriptRun:
    """How a script is run again: the words after `python`, the number of the training that is
    tried, and after how many steps or evaluations it is cut off, if at all. Targets of the class
    `ignored` do not count where answers are; `compared` are the function and the line that compare
    tensors of different shapes, if that is tried. `imports` are modules of libraries that it
    imports, `threads` how many it computes with.
    """

    words: list[str]
    training: int = 0
    max_steps: int | None = None
    max_evaluations: int | None = None
    ignored: int | None = None
    compared: list[str] | None = None
    imports: tuple[str, ...] = ()
    threads: int | None = None


@dataclass(eq=False)
class Child:
    """One process of a trial, and where it leaves its numbers."""

    change: Change
    seed: int
    folder: Path
    process: RunningScript
    began: float = field(default_factory=time.perf_counter)


class ScriptBackend:
    """Runs a script once for each change and seed, in a temporary folder of its own.

    `clock` ends what goes on too long. `report(text)` is called as runs end. Leaving the `with`
    block ends all processes and removes the folder.
    """

    def __init__(
        self,
        script: ScriptRun,
        clock: Clock,
        processes: int,
        report: Callable[[int], None] = lambda done: None,
    ) -> None:
        self.script, self.clock, self.processes, self.report = script, clock, processes, report
        self.folder = Path(tempfile.mkdtemp(prefix="sevensteps-trials-"))
        self.server = ForkServer(self.folder, script.imports)
        self.done = 0
        self._results: dict[tuple[str, int], dict[str, Any] | RunError] = {}
        self._children: list[Child] = []
        self._measures: dict[str, str] = {}  # by condition

    def __enter__(self) -> ScriptBackend:
        return self

    def __exit__(self, *failure: object) -> None:
        for child in self._children:
            child.process.end()
        self.server.close()
        shutil.rmtree(self.folder, ignore_errors=True)

    # -- as of a backend of trials -----------------------------------------------------------------

    def prepare(self, change: Change, seed: int) -> tuple[Change, int]:
        parse_change(change)
        return change, seed

    def size(self, training: tuple[Change, int]) -> float:
        return 1.0

    def lockstep_groups(self, trainings: Sequence[tuple[Change, int]]) -> list[list[int]]:
        return [list(range(len(trainings)))] if trainings else []

    def train(self, trainings: Sequence[tuple[Change, int]]) -> list[tuple[dict[str, Any], float]]:
        """Run all; the untouched ones first, for the samples that the others are measured on.

        Raises `RunError` for the first that could not be run as was meant.
        """
        missing = [pair for pair in trainings if _key(*pair) not in self._results]
        for wave in ([p for p in missing if not p[0]], [p for p in missing if p[0]]):
            self._run(wave)
        results = [self._results[_key(*pair)] for pair in trainings]
        for result in results:
            if isinstance(result, RunError):
                raise result
        return [(r, float(r["seconds"])) for r in results if isinstance(r, dict)]

    def measure(self, condition: str) -> str:
        return self._measures.get(condition, "")

    def value(self, condition: str, result: dict[str, Any]) -> float:
        return value_of(result, self._measures[condition])

    def choose_measure(self, condition: str, change: Change) -> str:
        """What a remedy is measured by: what an untouched run has, and the change leaves alone.

        Raises `RunError` where there is nothing.
        """
        [(untouched, _)] = self.train([({}, 0)])
        changes_loss = any(intervention.changes_loss for intervention in parse_change(change))
        if self.script.ignored is not None:  # the script's own score may count them
            untouched = {**untouched, "valid_score": None}
        measure = measure_of(untouched, changes_loss, condition)
        if measure is None:
            raise RunError(
                "the change is one of the loss, and the script has no score that would compare it"
            )
        self._measures[condition] = measure
        return measure

    # -- processes ---------------------------------------------------------------------------------

    def _run(self, wave: Sequence[tuple[Change, int]]) -> None:
        waiting = list(wave)
        running: list[Child] = []
        while waiting or running:
            while waiting and len(running) < self.processes and self.clock.allows(0):
                child = self._start(*waiting.pop(0))
                running.append(child)
                self._children.append(child)
            if not self.clock.allows(0):
                for child in running:
                    child.process.end()
                for change, seed in (*waiting, *((c.change, c.seed) for c in running)):
                    self._results[_key(change, seed)] = RunError(TIME_IS_OVER)
                return
            for child in [c for c in running if c.process.poll() is not None]:
                running.remove(child)
                self._end(child)
            time.sleep(POLL)

    def _start(self, change: Change, seed: int) -> Child:
        number = len(self._children)
        folder = self.folder / str(number)
        copy = copy_folder(Path.cwd(), folder / "root")
        for name in ("outside", "tmp"):
            (folder / name).mkdir()
        settings = {
            "entry": ENTRY,
            "package": PACKAGE,
            "path": os.environ.get("PYTHONPATH"),
            "prints": True,
            "keep": False,
            "change": change,
            "seed": seed,
            "training": self.script.training,
            "max_steps": self.script.max_steps,
            "max_evaluations": self.script.max_evaluations,
            "ignored": self.script.ignored,
            "compared": self.script.compared,
            "threads": self.script.threads,
            "result": str(folder / "result.json"),
            "samples": str(self.folder / f"samples-{seed}"),
            "original": os.getcwd(),
            "copy": str(copy),
            "outside": str(folder / "outside"),
            "writable": str(self.folder),
        }
        environment = {**os.environ, **OFFLINE, "TMPDIR": str(folder / "tmp"), "PWD": str(copy)}
        request = {
            "words": self.script.words,
            "folder": str(copy),
            "environment": environment,
            "settings": settings,
            "output": str(folder / "output"),
        }
        process = self.server.start(request)
        return Child(change, seed, folder, process)

    def _end(self, child: Child) -> None:
        child.process.end()  # what it has started and left
        key = _key(child.change, child.seed)
        try:
            result = json.loads((child.folder / "result.json").read_text(encoding="utf-8"))
        except (OSError, ValueError):
            last = self._last_line(child)
            self._results[key] = RunError(f"the script ended without numbers: {last}")
        else:
            result["printed"] = printed_score(self._output(child))
            result["seconds"] = time.perf_counter() - child.began
            self._results[key] = self._checked(child, result)
        for name in ("root", "outside", "tmp"):
            shutil.rmtree(child.folder / name, ignore_errors=True)
        self.done += 1
        self.report(self.done)

    def _output(self, child: Child) -> str:
        return (child.folder / "output").read_text("utf-8", "replace")

    def _last_line(self, child: Child) -> str:
        """The last line that a run has printed."""
        lines = self._output(child).strip().splitlines() if child.process.pid else []
        return lines[-1][:200] if lines else f"exit code {child.process.returncode}"

    def least(self, condition: str) -> float:
        """How much better a run has to be by the measure of a condition."""
        [(untouched, _)] = self.train([({}, 0)])
        measure = self._measures[condition]
        return least_of(measure, value_of(untouched, measure))

    def _checked(self, child: Child, result: dict[str, Any]) -> dict[str, Any] | RunError:
        if result["trial_failure"]:
            return RunError(f"the trial itself failed: {result['trial_failure']}")
        if not result["steps"]:
            return RunError(f"it did not train: {result['failure'] or self._last_line(child)}")
        if child.change and not result["applied"]:
            return RunError("the change met nothing in this script that it could alter")
        return result


def _key(change: Change, seed: int) -> tuple[str, int]:
    return json.dumps(change, sort_keys=True), seed
