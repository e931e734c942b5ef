"""From raw inputs and targets to `Data`: split, learn the scaling on the training part, store
targets as the task does.
"""

from __future__ import annotations

import torch
from jaxtyping import Shaped
from torch import Tensor

from sevensteps.data.dataset import Data
from sevensteps.data.part import Part
from sevensteps.data.scaling import Scaling, identity, learn
from sevensteps.data.split import split
from sevensteps.data.streaming.streamed import Streamed
from sevensteps.errors import DataError
from sevensteps.seeds import generator
from sevensteps.task import Task, task_of


def build(
    source: str,
    x: Shaped[Tensor, "N ..."] | Streamed,
    y: Shaped[Tensor, "M ..."],
    *,
    about: str,
    scale: str,
    classes: tuple[str, ...] = (),
    features: tuple[str, ...] = (),
    highest: float | None = None,
    valid: tuple[Tensor | Streamed, Tensor] | None = None,
    share: float = 0.2,
    draw: torch.Generator | None = None,
    strata: Tensor | None = None,
    target_scale: str = "none",
) -> Data:
    """`Data` from raw inputs `[N, F]` or `[N, C, H, W]` and raw targets: int64 class indices `[N]`,
    or floats `[N, columns]`.

    Without a `valid` part of its own, `share` of the samples is split off by `draw`: stratified by
    `strata`, without them by the class, without classes at random. `highest` is the largest value a
    raw input can have, where it is known. Inputs that stay on disk keep the order of their file.
    Raises `DataError` as `sevensteps.data.checks` says."""
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
        rows = split(len(x), share, draw or generator(0, "split"), strata)
        if isinstance(x, Streamed):
            (x, y), valid = ((x.among(some), y[some.sort().values]) for some in rows)
        else:
            (x, y), valid = ((x[some], y[some]) for some in rows)
    if (
        task.kind == "regression"
    ):  # a column per target, also for the scaling to be learned by column
        y, valid = _columns(y), (valid[0], _columns(valid[1]))
    if isinstance(x, Streamed) and x.tally.wrong is not None:
        scale = "none"  # `check` says where the number is
    scaling = learn(scale, x.tally if isinstance(x, Streamed) else x, highest)
    targets = learn(target_scale, y) if task.kind == "regression" else identity()
    train, judged = (
        Part(
            held.scaled(scaling) if isinstance(held, Streamed) else scaling(held),
            _stored(of, task, targets),
        )
        for held, of in ((x, y), valid)
    )
    if x.ndim != 4:
        return Data(source, train, judged, task, scaling, features, "table", about, targets)
    if highest is None:  # pixels are either shares of full light, or bytes
        highest = (
            1.0 if float((x.tally.high if isinstance(x, Streamed) else x).max()) <= 1 else 255.0
        )
    return Data(source, train, judged, task, scaling, features, "image", about, targets, highest)


def _stored(y: Tensor, task: Task, targets: Scaling) -> Tensor:
    if task.kind == "multiclass":
        return y.reshape(len(y)).long()
    return targets(y) if task.kind == "regression" else _columns(y).to(torch.float32)


def _columns(y: Tensor) -> Tensor:
    return y[:, None] if y.ndim == 1 else y
