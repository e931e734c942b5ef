"""`resume()`: go on with a training that was interrupted or killed, to the same bits."""

from __future__ import annotations

import warnings
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from torch import nn

from sevensteps.api.run import Run
from sevensteps.api.session import opened, prepared, run_training
from sevensteps.arguments import number
from sevensteps.data import Data, loadable
from sevensteps.doctor.case_folder import seen
from sevensteps.doctor.observer import Attending
from sevensteps.engine import matmul
from sevensteps.engine.distributed.process_group import join
from sevensteps.errors import RunError
from sevensteps.record.writer import EVERY
from sevensteps.training.loop import Observer
from sevensteps.training.recipe import Recipe
from sevensteps.training.resolve import settle
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
    """Go on with a training that was interrupted or killed, to the same bits as if it never had
    been; `run` as for `load`.

    It goes on from the last state that was saved, or from the start where none was, in the same
    folder. `stop` lets it go further than it was to, or one that has finished go on. Data, network
    or batches that were Python objects are given again, as `data`, `predict` and `repeat`.
    `say(text)` is told where the last state was damaged and the one before it is taken. Raises
    `RunError` where the training runs elsewhere, has finished (with `again` it only ends once
    more), or its state is damaged, `DataError` where the data are others."""
    group = join()
    found = opened(run, group)
    folder, kept = found.folder, found.kept
    try:
        with group.consensus():
            given = {"stop": stop, "data": data, "predict": predict, "repeat": repeat}
            recipe = Recipe.from_toml(
                found.recipe,
                allow_code=allow_code,
                **{key: it for key, it in given.items() if it is not None},
            )
            if isinstance(recipe.data, str) and not loadable(recipe.data):
                raise RunError(
                    f"the data of {folder}, {recipe.data}, came from Python; give them again, as "
                    "in ss.resume(run, data=…)"
                )
            settled = settle(recipe, data_dir)
            if not again:
                found.refuse_finished(settled.recipe)
            number("watch", watch, at_least=0, at_most=1)
            attending = (
                Attending(watch, seen=seen(folder, kept.step) if kept else None)
                if watch and group.leads
                else 0
            )
        with (
            matmul.decided(kept.kernels if kept else {}),
            prepared(settled, group, kept) as training,
            progress_view(group.leads and progress) as views,
        ):
            for wrong in found.wrong:
                say(wrong)
            return run_training(
                training, folder, [*observers, *views], attending, save_every, again=True
            )
    finally:
        found.release()
