"""From raw inputs and targets to `Data`: split, scale, and store targets as the task does.

The scaling is learned on the training part.
"""

from __future__ import annotations

from typing import Literal

import torch
from jaxtyping import Shaped
from torch import Tensor

from sevensteps.data.dataset import Data
from sevensteps.data.inputs import Inputs, apply_scaling, fit_input_scaling, select_samples
from sevensteps.data.part import Part
from sevensteps.data.scaling import Scaling, fit_scaling, identity_scaling
from sevensteps.data.split import split_indices
from sevensteps.data.streaming.streamed_inputs import StreamedInputs
from sevensteps.errors import DataError
from sevensteps.seeds import generator
from sevensteps.task import Task, task_of


def build_data(
    source: str,
    x: Shaped[Tensor, "N ..."] | StreamedInputs,
    y: Shaped[Tensor, "M ..."],
    *,
    about: str,
    scale: str,
    classes: tuple[str, ...] = (),
    features: tuple[str, ...] = (),
    highest: float | None = None,
    valid: tuple[Inputs, Tensor] | None = None,
    share: float = 0.2,
    split_generator: torch.Generator | None = None,
    strata: Tensor | None = None,
    target_scale: str = "none",
    notes: tuple[str, ...] = (),
) -> Data:
    """`Data` from raw inputs `[N, F]` or `[N, C, H, W]` and raw targets: int64 class indices `[N]`,
    or floats `[N, columns]`.

    Without a `valid` part of its own, `share` of the samples is split off, drawn from
    `split_generator`: stratified by `strata`, without them by the class, without classes at random.
    `highest` is the largest value a raw input can have, where it is known. Inputs that stay on disk
    keep the order of their file. Raises `DataError` as `sevensteps.data.checks` says.
    """
    if len(x) != len(y):
        raise DataError(
            f"{source}: {len(x)} inputs but {len(y)} targets; give one target for each input"
        )
    if len(x) == 0:
        raise DataError(f"{source}: the training part is empty; give it at least one sample")
    task = task_of(y, classes)
    if valid is None:
        if strata is None and task.kind in ("binary", "multiclass"):
            strata = y.reshape(-1).long()
        indices = split_indices(len(x), share, split_generator or generator(0, "split"), strata)
        (x, y), valid = (select_samples(x, y, part) for part in indices)
    # a column per target, also for the scaling to be learned by column
    if task.kind == "regression":
        y, valid = _columns(y), (valid[0], _columns(valid[1]))
    if isinstance(x, StreamedInputs) and x.statistics.first_not_finite is not None:
        scale = "none"  # `Data.check` says where the number is
    scaling = fit_input_scaling(scale, x, highest)
    target_scaling = (
        fit_scaling(target_scale, y) if task.kind == "regression" else identity_scaling()
    )
    train, judged = (
        Part(apply_scaling(scaling, raw), _store_targets(target, task, target_scaling))
        for raw, target in ((x, y), valid)
    )
    kind: Literal["image", "table"] = "image" if x.ndim == 4 else "table"
    if kind == "image" and highest is None:  # pixels are either shares of full light, or bytes
        largest = x.statistics.high.max() if isinstance(x, StreamedInputs) else x.max()
        highest = 1.0 if float(largest) <= 1 else 255.0
    return Data(
        source,
        train,
        judged,
        task,
        scaling,
        features,
        kind,
        about,
        target_scaling,
        highest if kind == "image" else None,
        notes=notes,
    )


def _store_targets(y: Tensor, task: Task, target_scaling: Scaling) -> Tensor:
    if task.kind == "multiclass":
        return y.reshape(len(y)).long()
    return target_scaling(y) if task.kind == "regression" else _columns(y).to(torch.float32)


def _columns(y: Tensor) -> Tensor:
    return y[:, None] if y.ndim == 1 else y
