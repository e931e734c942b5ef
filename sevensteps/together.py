"""What the processes of a group settle with each other before they train one network: what process 0 reads, and that all do the same."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Literal

import safetensors.torch
from filelock import FileLock

from sevensteps import process, state
from sevensteps.data import Data
from sevensteps.errors import RunError
from sevensteps.group import Group, agreeing, leads
from sevensteps.recipe import OBJECTS, Recipe, Settled
from sevensteps.record import elastic
from sevensteps.record.folder import find, hold
from sevensteps.record.reader import read_summary
from sevensteps.record.saved import Saved
from sevensteps.record.saved import read as read_state
from sevensteps.record.weights import pack
from sevensteps.state import Training


@dataclass(frozen=True, eq=False)
class Opened:
    """A run folder to go on in: its recipe and the last state, as process 0 read them, in every process of a group."""

    folder: Path
    recipe: Path | str  # its file, or where another process read it, its text
    kept: Saved | None
    lock: FileLock | None = None  # of the process that holds it

    @property
    def wrong(self) -> list[str]:
        """What is to be said of newer states that were damaged."""
        return [f"{wrong}; going on from step {self.kept.step:,}, which is whole" for wrong in self.kept.wrong] if self.kept else []

    def release(self) -> None:
        """Let others train there."""
        if self.lock is not None:
            self.lock.release()

    def refuse_finished(self, recipe: Recipe) -> None:
        """Raise `RunError` where the training has ended for good: by its own stop, or because it diverged."""
        if self.lock is None or not (self.folder / "run.json").is_file():
            return
        summary = read_summary(self.folder)
        rule, reason = summary["stop"]["rule"], summary["stop"]["reason"]
        if rule == "not_finite":
            raise RunError(f"{self.folder} cannot go on: {reason}; find out why with: sevensteps diagnose {self.folder}")
        if rule != "interrupt" and summary["recipe"]["stop"] == repr(recipe.stop):
            raise RunError(f"{self.folder} has finished: {reason}; to go on, give a stop that is further away (--stop)")


def opened(run: Path | str, group: Group | None) -> Opened:
    """The run folder that is to go on, held. In a group process 0 reads, and the others need no such folder."""
    found: Opened | None = None
    with agreeing(group):
        if leads():
            folder = find(run, "recipe.toml")
            lock = hold(folder)
            try:
                found = Opened(folder, folder / "recipe.toml", read_state(folder), lock)
            except BaseException:
                lock.release()
                raise
    if group is not None:
        kept = found and found.kept
        plain = group.said(found and {"folder": str(found.folder), "recipe": found.folder.joinpath("recipe.toml").read_text("utf-8"),
                                      "plain": kept and kept.plain})
        tensors = group.send(pack(kept.tensors) if kept else b"")
        if found is None:
            saved = Saved(Path(plain["folder"]), safetensors.torch.load(tensors), plain["plain"], []) if tensors else None
            found = Opened(Path(plain["folder"]), plain["recipe"], saved)
    assert found is not None  # else `agreeing` has raised
    return found


def begun(out: Path | str | Literal[False] | None, recipe: Recipe, group: Group | None) -> tuple[Path | None, dict[str, str] | None]:
    """(the folder in which an earlier group of this job of torchrun began this training, the mark of it)."""
    mine = elastic.job(recipe) if out is not False else None
    folder = elastic.begun(out or None, mine) if leads() else None
    if group is not None:
        told = group.said(folder and str(folder))
        folder = told and Path(told)
    return folder, mine


@contextmanager
def prepared(settled: Settled, group: Group | None, kept: Saved | None = None) -> Iterator[Training]:
    """The training of `settled` at its beginning, or where it was `kept`, with the threads that it takes."""
    with process.threads(settled.recipe.threads or process.usual_threads(settled)) as used:
        with agreeing(group) as same:
            process.refuse_threads(used)
            training = state.start(replace(settled, recipe=replace(settled.recipe, threads=used)), group=group)
            if kept is not None:
                kept.restore(training)
            same |= facts(training) if group else {}
        yield training


@contextmanager
def staying(group: Group | None) -> Iterator[None]:
    """Who fails in here leaves the group, so that the others do not wait for it."""
    try:
        yield
    except BaseException as failure:
        if group is not None:
            group.leave(failure)
        raise


def objects(recipe: Recipe) -> dict[str, Any]:
    """What a recipe has from Python, which no run folder holds."""
    held = {step: value for step, value in recipe.steps.items() if step in OBJECTS and repr(value).startswith(OBJECTS[step])}
    return {**held, "data": recipe.data} if isinstance(recipe.data, Data) else held


def facts(training: Training) -> dict[str, Any]:
    """What has to be the same in every process."""
    recipe = replace(training.recipe, threads=None)
    return {"recipe": hashlib.sha256(recipe.to_toml().encode()).hexdigest(), "data set": training.settled.data.digest,
            "number of parameters": training.engine.size, "number of steps": training.per_epoch}
