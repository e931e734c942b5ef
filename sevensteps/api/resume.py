"""`resume()`: go on with a training that was interrupted or killed, to the same bits."""

from __future__ import annotations

import warnings
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from torch import nn

from sevensteps.api.run import Run
from sevensteps.api.session import open_resumable, prepared_training, run_training
from sevensteps.arguments import number
from sevensteps.data import Data, is_loadable
from sevensteps.doctor.case_folder import read_observation
from sevensteps.doctor.observer import DoctorObserver
from sevensteps.engine.distributed.process_group import join
from sevensteps.errors import RunError
from sevensteps.record.writer import EVERY
from sevensteps.training.observer import Observer
from sevensteps.training.recipe import Recipe
from sevensteps.training.resolve import resolve
from sevensteps.view.progress import progress_view


def resume(
    run: Path | str,
    *,
    stop: Any = None,
    data: Data | None = None,
    predict: nn.Module | None = None,
    repeat: Any = None,
    data_dir: Path | str | None = None,
    allow_code: bool = False,
    save_every: float = EVERY,
    progress: bool | None = None,
    watch: float = 0.02,
    observers: Sequence[Observer] = (),
    say: Callable[[str], None] = warnings.warn,
    again: bool = False,
) -> Run:
    """Go on with a training that was interrupted or killed; it ends with the same bits as if it had
    never stopped.

    `run` is a run folder, its name under `runs/`, or `"last"`. The training goes on in that folder,
    from the last saved state, or from the start where there is none. A new `stop` makes it longer,
    also where it has finished. Data, network or batches that were Python objects must be passed
    again, as `data`, `predict` and `repeat`. `say(text)` is called where the last state is damaged
    and the one before it is used. Raises `RunError` where another process trains in the folder,
    where the training has finished (unless `again`: it then ends once more), or where its state is
    damaged; `DataError` where the data have changed.
    """
    group = join()
    resumable = open_resumable(run, group)
    folder, saved = resumable.folder, resumable.saved
    try:
        with group.consensus():
            replacements = {"stop": stop, "data": data, "predict": predict, "repeat": repeat}
            recipe = Recipe.from_toml(
                resumable.recipe,
                allow_code=allow_code,
                **{key: value for key, value in replacements.items() if value is not None},
            )
            if isinstance(recipe.data, str) and not is_loadable(recipe.data):
                raise RunError(
                    f"the data of {folder}, {recipe.data}, came from Python; give them again, as "
                    "in ss.resume(run, data=…)"
                )
            resolved = resolve(recipe, data_dir)
            if not again:
                resumable.require_unfinished(resolved.recipe)
            number("watch", watch, at_least=0, at_most=1)
            doctor = (
                DoctorObserver(
                    watch, earlier=read_observation(folder, saved.step) if saved else None
                )
                if watch and group.leads
                else 0
            )
        with (
            prepared_training(resolved, group, saved) as training,
            progress_view(group.leads and progress) as views,
        ):
            for warning in resumable.damage_warnings:
                say(warning)
            return run_training(
                training, folder, [*observers, *views], doctor, save_every, resumed=True
            )
    finally:
        resumable.release()
