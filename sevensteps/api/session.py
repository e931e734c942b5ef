"""One training from its preparation to its `Run`, in one process or in all processes of a group.

Rank 0 of a group reads and writes the run folder; all check that they train the same.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Literal

import safetensors.torch
from filelock import FileLock

from sevensteps.api.run import Run
from sevensteps.arguments import number
from sevensteps.data import Data
from sevensteps.doctor.diagnosis import diagnosis_of
from sevensteps.doctor.observer import DoctorObserver
from sevensteps.engine.distributed.data_parallel import DataParallel
from sevensteps.engine.distributed.fsdp import FSDP
from sevensteps.engine.distributed.process_group import ProcessGroup
from sevensteps.errors import ArgumentError, RunError
from sevensteps.record import torchrun
from sevensteps.record.checkpoints import SavedState
from sevensteps.record.checkpoints import read as read_state
from sevensteps.record.run_folder import find_run_folder, lock_folder
from sevensteps.record.summary import RunSummary, read_summary
from sevensteps.record.tensors import to_safetensors
from sevensteps.record.writer import EVERY, GatheringObserver, Writer, summarize
from sevensteps.render.text import count_text
from sevensteps.steps.stop import epochs, max_steps
from sevensteps.training import interrupts, loop, state, threads
from sevensteps.training.observer import Observer
from sevensteps.training.recipe import Recipe
from sevensteps.training.resolve import ResolvedRecipe
from sevensteps.training.state import Training


@dataclass(frozen=True, eq=False)
class ResumableRun:
    """A run folder in which a training can go on: its recipe and its last saved state. In a group
    every process has what rank 0 read.
    """

    folder: Path
    recipe: Path | str  # its file, or where another process read it, its text
    saved: SavedState | None
    lock: FileLock | None = None  # only of the process that reads the folder

    @property
    def damage_warnings(self) -> list[str]:
        """A line for each newer state that is damaged."""
        if self.saved is None:
            return []
        return [
            f"{damage}; going on from step {self.saved.step:,}, which is whole"
            for damage in self.saved.wrong
        ]

    def release(self) -> None:
        """Unlock the folder, so that others can train in it."""
        if self.lock is not None:
            self.lock.release()

    def require_unfinished(self, recipe: Recipe) -> None:
        """Raise `RunError` where the training has ended for good: by its own stop, or because it
        diverged.
        """
        if self.lock is None or not (self.folder / "run.json").is_file():
            return
        summary = read_summary(self.folder)
        rule, reason = summary.stop.rule, summary.stop.reason
        if rule == "not_finite":
            raise RunError(
                f"{self.folder} cannot go on: {reason}; find out why with: sevensteps diagnose "
                f"{self.folder}"
            )
        if rule != "interrupt" and summary.recipe["stop"] == repr(recipe.stop):
            raise RunError(
                f"{self.folder} has finished: {reason}; to go on, give a stop that is further "
                "away (--stop)"
            )
        if rule != "interrupt":
            self._require_more(recipe, {"epochs": summary.epochs, "max_steps": summary.steps})

    def _require_more(self, recipe: Recipe, done: dict[str, int]) -> None:
        """Raise `RunError` where the new stop allows no more than was done."""
        for limit in recipe.stop.rules():
            name = type(limit).__name__
            if isinstance(limit, epochs | max_steps) and limit.count <= done[name]:
                count = count_text(done[name], name.removeprefix("max_").removesuffix("s"))
                raise RunError(
                    f"{self.folder} has finished, after {count}; {limit!r} counts from the start, "
                    f'so give more, as in: --stop "{name}({done[name] + limit.count})"'
                )


def open_resumable(run: Path | str, group: ProcessGroup) -> ResumableRun:
    """The run folder in which a training goes on, locked. Rank 0 of a group reads it; the others
    need no such folder.
    """
    resumable: ResumableRun | None = None
    with group.consensus():
        if group.leads:
            folder = find_run_folder(run, "recipe.toml")
            lock = lock_folder(folder)
            try:
                resumable = ResumableRun(folder, folder / "recipe.toml", read_state(folder), lock)
            except BaseException:
                lock.release()
                raise
    if group.size > 1:
        return _broadcast_run(resumable, group)
    assert resumable is not None
    return resumable


def _broadcast_run(resumable: ResumableRun | None, group: ProcessGroup) -> ResumableRun:
    """The run that rank 0 opened, in every process of the group."""
    saved = resumable and resumable.saved
    plain = group.broadcast(
        resumable
        and {
            "folder": str(resumable.folder),
            "recipe": resumable.folder.joinpath("recipe.toml").read_text("utf-8"),
            "plain": saved and saved.plain,
        }
    )
    tensors = group.broadcast_bytes(to_safetensors(saved.tensors) if saved else b"")
    if resumable is not None:
        return resumable
    saved = (
        SavedState(Path(plain["folder"]), safetensors.torch.load(tensors), plain["plain"], [])
        if tensors
        else None
    )
    return ResumableRun(Path(plain["folder"]), plain["recipe"], saved)


def unfinished_run_folder(
    out: Path | str | Literal[False] | None, recipe: Recipe, group: ProcessGroup
) -> tuple[Path | None, dict[str, str] | None]:
    """The folder in which an earlier start of this torchrun job began this training (or None), and
    the mark of the job.
    """
    mark = torchrun.current_job(recipe) if out is not False else None
    folder = torchrun.find_begun_folder(out or None, mark) if group.leads else None
    path = group.broadcast(folder and str(folder))
    return path and Path(path), mark


@contextmanager
def prepared_training(
    resolved: ResolvedRecipe, group: ProcessGroup, saved: SavedState | None = None
) -> Iterator[Training]:
    """A training ready to run: at its beginning, or in the state that was `saved`. PyTorch has its
    number of threads inside the block.
    """
    resolved = threads.with_threads(resolved)
    with threads.threads(resolved.recipe.threads or 1) as used:
        with group.consensus() as facts:
            threads.refuse_threads(used)
            training = state.start(resolved, group=group)
            if saved is not None:
                saved.restore(training)
            if group.size > 1:
                facts |= facts_to_compare(training)
        yield training


def python_values(recipe: Recipe) -> dict[str, Any]:
    """The values of a recipe that are Python objects, which no run folder can store."""
    data = {"data": recipe.data} if isinstance(recipe.data, Data) else {}
    return {**recipe.python_objects, **data}


def facts_to_compare(training: Training) -> dict[str, Any]:
    """What must be the same in every process."""
    recipe = replace(training.recipe, threads=None)
    return {
        "recipe": hashlib.sha256(recipe.to_toml().encode()).hexdigest(),
        "data set": training.resolved.data.digest,
        "number of parameters": training.engine.size,
        "number of steps": training.per_epoch,
    }


def _check_observer(observer: object) -> None:
    """Refuse what has not the hooks of an `Observer`, before the first step."""
    hooks = [name for name in vars(Observer) if not name.startswith("_")]
    missing = [name for name in hooks if not callable(getattr(observer, name, None))]
    if isinstance(observer, type) or missing:
        what = observer.__name__ if isinstance(observer, type) else type(observer).__name__
        hint = f"give one of it, {what}()" if isinstance(observer, type) else "subclass ss.Observer"
        raise ArgumentError(
            f"observers: {what} is no Observer of a training; {hint}, and write the hooks that you "
            f"need: {', '.join(hooks)}"
        )


def run_training(
    training: Training,
    out: Path | str | Literal[False] | None,
    observers: Sequence[Observer],
    watch: float | DoctorObserver = 0.02,
    save_every: float = EVERY,
    resumed: bool = False,
    job: dict[str, str] | None = None,
) -> Run:
    """Run a prepared training and return its `Run`.

    The folder `out` is created, or with `resumed` taken as it is; False means none. Only rank 0 of
    a group writes, watches and has observers; the `Run` of the others has no folder.
    """
    group = training.group
    for observer in observers:
        _check_observer(observer)
    doctor = (
        watch
        if isinstance(watch, DoctorObserver)
        else DoctorObserver(watch)
        if number("watch", watch, at_least=0, at_most=1)
        else None
    )
    number("save_every", save_every, above=0)
    doctor, observers = (doctor, observers) if group.leads else (None, ())
    if isinstance(training.engine, FSDP):  # nobody looks at a network in parts
        doctor, observers = (
            None,
            observers if group.leads or out is False else [GatheringObserver()],
        )
    if doctor is not None:
        doctor.listeners = observers
    writer = (
        Writer(out, training.resolved.data.source, doctor, save_every, resumed, job)
        if out is not False and group.leads
        else None
    )
    summary: RunSummary | None = None
    try:
        with group.left_on_failure():
            with interrupts.interruptible(
                training.engine if isinstance(training.engine, DataParallel) else training.progress
            ):
                ended = loop.train(
                    training,
                    [
                        *([doctor] if doctor else []),
                        *([writer] if writer else []),
                        *observers,
                    ],
                )
            if group.leads:
                summary = end_summary(training, ended, writer, doctor)
            content = group.broadcast(summary and summary.to_dict())
            summary = summary or RunSummary.from_dict(content)
    except (KeyboardInterrupt, RunError) as failure:
        if writer is None or writer.saved is None:
            raise
        raise type(failure)(
            f"{str(failure) or 'stopped at once'}; the state of step {writer.saved:,} is saved: "
            f"sevensteps resume {writer.folder}"
        ) from None
    finally:
        if writer is not None:
            writer.close()
    run = finished_run(training, summary, writer, doctor)
    for observer in observers:
        observer.finished(run)
    return run


def end_summary(
    training: Training,
    ended: tuple[str, str],
    writer: Writer | None,
    doctor: DoctorObserver | None,
) -> RunSummary:
    """The summary of a training that has ended: the one that was written, or the same without a
    folder.
    """
    if writer is not None:
        assert writer.summary is not None
        return writer.summary
    return replace(summarize(training, *ended, ""), **(doctor.report(None) if doctor else {}))


def finished_run(
    training: Training,
    summary: RunSummary,
    writer: Writer | None,
    doctor: DoctorObserver | None,
) -> Run:
    """The `Run` of a training that has ended."""
    resolved = training.resolved
    run = Run(
        resolved.recipe,
        summary,
        training.progress.history,
        writer.folder if writer else None,
        training.network.eval(),
        training.best_network().eval(),
        resolved.output,
        resolved.data.inputs,
        diagnosis_of(doctor.after) if doctor and doctor.after else None,
    )
    run.resolved = resolved
    return run
