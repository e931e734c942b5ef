"""`train()`: train a network in seven steps, and record it in a run folder."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any, Literal

from sevensteps.api.book import with_book
from sevensteps.api.resume import resume
from sevensteps.api.run import Run
from sevensteps.api.session import (
    prepared_training,
    python_values,
    run_training,
    unfinished_run_folder,
)
from sevensteps.doctor.observer import DoctorObserver
from sevensteps.engine.distributed.process_group import join
from sevensteps.record.writer import EVERY
from sevensteps.training.observer import Observer
from sevensteps.training.recipe import Trained, as_recipe
from sevensteps.training.resolve import resolve
from sevensteps.view.progress import progress_view


def train(
    data: Trained,
    *,
    seed: int | None = None,
    device: str | None = None,
    threads: int | None = None,
    precision: str | None = None,
    data_dir: Path | str | None = None,
    out: Path | str | Literal[False] | None = None,
    save_every: float = EVERY,
    progress: bool | None = None,
    watch: float | DoctorObserver = 0.02,
    observers: Sequence[Observer] = (),
    book: bool = False,
    **steps: Any,
) -> Run:
    """Train a network in seven steps, and record the training in a run folder.

    `data` is a name (`"digits"`), a path, `Data`, a `DataLoader` or `Dataset` of PyTorch, or a
    whole `Recipe`. The steps are keywords (`predict=mlp(30)`); each one left out is chosen, with
    the reason in `run.recipe.reasons`. `out` is the run folder (default `runs/<date>-<name>`, False
    for none); the state is saved there every `save_every` seconds and at the end, for `resume`.
    `progress` shows a live line (default: on a terminal; in a notebook a live picture). `watch` is
    the share of the time that watching the training may cost (0: it is not watched); what is wrong
    is in `run.findings`. `book` takes the steps that fastbook prints for the data ("speed",
    "mnist37") in place of those left out.
    Processes started by `torchrun` share each step. PyTorch's global state, generators included, is
    left as it was. Raises `sevensteps.Error`, one line with the fix, for anything that does not
    fit, before the first step and before a folder is made.

    >>> run = train("digits", stop="epochs(2)", out=False)
    >>> run.summary["stop"]["rule"], len(run.history)
    ('epochs', 2)
    """
    if book:
        steps = with_book(data, steps)
    group = join()
    with group.consensus():
        recipe = as_recipe(
            data,
            {**steps, "seed": seed, "device": device, "threads": threads, "precision": precision},
        )
    folder, job = unfinished_run_folder(out, recipe, group)
    if folder is not None:
        budget = watch.budget if isinstance(watch, DoctorObserver) else watch
        return resume(
            folder,
            **python_values(recipe),
            data_dir=data_dir,
            allow_code=True,
            save_every=save_every,
            progress=progress,
            watch=budget,
            observers=observers,
            again=True,
        )
    with group.consensus():
        resolved = resolve(recipe, data_dir, alone=group.size == 1)
    with (
        prepared_training(resolved, group) as training,
        progress_view(group.leads and progress) as views,
    ):
        return run_training(training, out, [*observers, *views], watch, save_every, job=job)
