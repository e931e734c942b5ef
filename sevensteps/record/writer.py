"""Writes a run folder: an observer of the loop that changes nothing in it."""

from __future__ import annotations

import functools
import platform
import sys
import time
from dataclasses import replace
from datetime import UTC, datetime
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any, Protocol

import torch
from filelock import FileLock

from sevensteps.record.checkpoints import save
from sevensteps.record.database import Record
from sevensteps.record.run_folder import create, lock_folder, write, write_json
from sevensteps.record.summary import BestEpoch, RunSummary, StopReason
from sevensteps.record.tensors import to_safetensors
from sevensteps.record.torchrun import write_mark
from sevensteps.training.evaluation import evaluate
from sevensteps.training.observer import Observer
from sevensteps.training.state import Training
from sevensteps.training.state_dict import state_dict, trained_tensors

EVERY = 30.0  # seconds from one state that is saved to the next
# times as long as saving took, at least: saving takes less than 2 % of the time, that at the end
# included
SHARE = 60


class Contributor(Protocol):
    """Adds to the record what it observed of the training, such as the doctor's observer."""

    def keep(self, record: Record) -> None:
        """Write what was seen so far into the record."""

    def report(self, record: Record) -> dict[str, Any]:
        """Write what was seen in the whole training into the record; returns fields of the
        `RunSummary`.
        """


class Writer(Observer):
    """Writes the run folder: the recipe before the first step, the history as it grows, result
    and weights at the end.

    The folder is `out` itself, or `runs/<date>-<name>`; made when the training starts. The state is
    saved `every` so many seconds, and where the training ends. `again`: `out` is the folder of a
    training that goes on, and is locked already. `attending` has more to keep. `job` is the mark of
    the job that trains there."""

    def __init__(
        self,
        out: Path | str | None,
        name: str,
        attending: Contributor | None = None,
        every: float = EVERY,
        again: bool = False,
        job: dict[str, str] | None = None,
    ) -> None:
        self.job = job
        self.out, self.name, self.attending, self.every, self.again = (
            out,
            name,
            attending,
            every,
            again,
        )
        self.summary: RunSummary | None = None
        self.folder: Path | None = None
        self.record: Record | None = None
        self.lock: FileLock | None = None
        self.saved: int | None = None  # the step of the last state

    def started(self, training: Training) -> None:
        if self.again and self.out is not None:
            self.folder = Path(self.out)
        else:
            # not before: a start that is refused leaves no folder behind
            self.folder = create(self.out, self.name)
            self.lock = lock_folder(self.folder)
            write_mark(self.folder, self.job)
        write(self.folder / "recipe.toml", training.recipe.to_toml().encode())
        self.record = Record(self.folder)
        if self.again:
            self.record.rewind(training.progress.history)
        self.record.event(
            training.progress.step,
            "resume" if self.again else "start",
            f"{training.recipe.source}, seed {training.recipe.seed}",
        )
        self.next = time.monotonic() + self.every
        self.best = training.best

    def stepped(self, training: Training) -> None:
        self.best = training.best
        if training.engine.agreed(time.monotonic() >= self.next) or training.progress.interrupted:
            self.save(training)

    def free_steps(self, training: Training) -> int:
        return sys.maxsize  # any step will do

    def evaluated(self, training: Training, row: dict[str, Any]) -> None:
        assert self.record is not None
        self.record.row(row)

    def stopped(self, training: Training, rule: str, reason: str) -> None:
        assert self.folder is not None
        assert self.record is not None
        self.record.event(training.progress.step, "stop", f"{rule}: {reason}")
        more = self.attending.report(self.record) if self.attending else {}
        write(self.folder / "weights.safetensors", to_safetensors(training.network.state_dict()))
        if training.best is not None:
            write(self.folder / "best.safetensors", to_safetensors(training.best.weights))
        self.summary = replace(summarize(training, rule, reason, self.folder.name), **more)
        # a folder with a run.json is a whole run
        write_json(self.folder / "run.json", self.summary.to_dict())
        if rule != "not_finite":
            self.save(
                training if not training.position.steps else self._before_its_last_row(training),
                watched=False,
            )
        self.close()

    def _before_its_last_row(self, training: Training) -> Training:
        """A training that ended within an epoch as it was before that part was evaluated, which
        happens only because it ends there.
        """
        progress = training.progress
        return replace(
            training, progress=replace(progress, history=progress.history[:-1]), best=self.best
        )

    def save(self, training: Training, watched: bool = True) -> None:
        """Save the state, and what watching saw so far; not again before sixty times the time that
        this takes.
        """
        assert self.folder is not None
        assert self.record is not None
        began = time.monotonic()
        if self.attending and watched:
            self.attending.keep(self.record)
        tensors, metadata = state_dict(training)
        recipe, data = training.recipe, training.resolved.data
        save(
            self.folder,
            tensors,
            {
                **metadata,
                "reasons": recipe.reasons,
                "data": data.digest,
                "threads": torch.get_num_threads(),
                "versions": _versions(),
                "saved": datetime.now(UTC).isoformat(timespec="seconds"),
            },
        )
        self.saved, now = training.progress.step, time.monotonic()
        self.next = now + max(self.every, SHARE * (now - began))

    def close(self) -> None:
        """Close the record and let go of the folder, whether the training ended or failed."""
        if self.record is not None:
            self.record.close()
        if self.lock is not None:
            self.lock.release()


class GatheringObserver(Observer):
    """In a process that has a part of the network: gives it to the `Writer` of process 0 when that
    saves.
    """

    def stepped(self, training: Training) -> None:
        if training.engine.agreed(False) or training.progress.interrupted:
            for _ in trained_tensors(training):  # which process 0 keeps
                pass


def summarize(training: Training, rule: str, reason: str, name: str) -> RunSummary:
    """The summary of a training that `rule` ended; `name` is that of its run folder."""
    recipe, progress, data, best = (
        training.recipe,
        training.progress,
        training.resolved.data,
        training.best,
    )
    assert best is not None  # every training is evaluated at least once
    known = training.train_metrics or {}
    train = known.get("last") or evaluate(training, "train", alone=True)
    of_best = (
        train
        if best.valid is progress.history[-1]["valid"]
        else known.get("best") or evaluate(training, "train", training.best_network(), alone=True)
    )
    return RunSummary(
        run=name,
        finished=datetime.now(UTC).isoformat(timespec="seconds"),
        stop=StopReason(rule, reason),
        epochs=progress.epoch,
        steps=progress.step,
        seconds=progress.seconds,
        compile_seconds=training.compile_seconds or None,
        samples_per_second=progress.samples / progress.seconds if progress.seconds else None,
        seed=recipe.seed,
        device=str(training.engine.parameters.device),
        threads=torch.get_num_threads(),
        processes=training.group.size if training.group.size > 1 else None,
        precision=recipe.precision,
        metrics={"train": train, "valid": progress.history[-1]["valid"]},
        best=BestEpoch(best.epoch, {"train": of_best, "valid": best.valid}),
        findings=[],
        recipe={
            "data": recipe.source,
            **{step: repr(value) for step, value in recipe.steps.items()},
        },
        reasons=recipe.reasons,
        parameters=training.engine.size,
        data={
            "source": data.source,
            "train": len(data.train),
            "valid": len(data.valid),
            "inputs": data.inputs.to_dict(),
            "duplicates": data.duplicates,
            "task": {
                "kind": data.task.kind,
                "targets": data.task.targets,
                "classes": list(data.task.classes),
                "reason": data.task.reason,
            },
        },
        versions=_versions(),
    )


def _versions() -> dict[str, str | None]:
    return {
        "python": platform.python_version(),
        **{name: _version(name) for name in ("sevensteps", "torch", "numpy")},
    }


@functools.cache
def _version(package: str) -> str | None:
    try:
        return version(package)
    except PackageNotFoundError:
        return None
