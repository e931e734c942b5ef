"""The metrics of several networks over the same samples, counted together, piece by piece: no
outputs are kept beyond a piece, so that many networks take no more memory than one.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import torch
from jaxtyping import Float, Shaped
from torch import Tensor, nn

from sevensteps.data.inputs import Inputs
from sevensteps.engine.ensemble.base import Ensemble
from sevensteps.engine.ensemble.stacked import StackedEnsemble
from sevensteps.engine.ensemble.vmapped import VmappedEnsemble
from sevensteps.head import Output
from sevensteps.metrics import metric_of
from sevensteps.steps.loss import Loss
from sevensteps.training.state import Training

CHUNK_OUTPUTS = 1 << 16  # numbers that all networks give for one piece: a piece stays in the cache
SMALLEST_CHUNK, LARGEST_CHUNK = 256, 2048  # samples in one piece
COPIES = 16  # networks with the weights of their best epochs that are made at once


class EnsembleMetrics:
    """Counts losses and right answers of K networks, piece by piece of the samples `y`.

    Gives what `measure` gives for each network's outputs for all samples, up to the rounding of
    sums.
    """

    def __init__(
        self, count: int, y: Shaped[Tensor, "N ..."], loss: Loss, output: Output, dtype: torch.dtype
    ) -> None:
        coded = output.encode(y)
        self.coded = coded.to(dtype) if coded.is_floating_point() else coded
        self.y, self.loss, self.output, self.count, self.samples = y, loss, output, count, 0
        kind = output.task.kind
        self.losses = torch.zeros(count, dtype=torch.float64, device=y.device)
        # right answers, or for a regression the squared residuals, of each network
        self.sums = torch.zeros_like(self.losses)
        self.labels = self.one_hot = None
        if kind in ("binary", "multiclass"):
            self.labels = y.reshape(-1).long()
            classes = torch.arange(len(output.task.classes), device=y.device)
            self.one_hot = (self.labels[:, None] == classes).to(torch.float32)
            self.by_class = self.losses.new_zeros(count, len(classes))

    def add(self, outputs: Float[Tensor, "K B O"]) -> None:
        """Count the next samples, for which the networks give these outputs."""
        size = outputs.shape[1]
        rows = slice(self.samples, self.samples + size)
        flat = outputs.reshape(self.count * size, -1)
        target = self.coded[rows]
        losses = self.loss(flat, target.expand(self.count, *target.shape).flatten(0, 1))
        self.losses += losses.view(self.count, size).double().sum(1)
        if self.output.task.kind == "regression":
            residual = self.y[rows] - self.output.predict(flat).unflatten(0, (self.count, size))
            self.sums += residual.double().square().flatten(1).sum(1)
        else:
            answers = self.output.decide(flat).unflatten(0, (self.count, size))
            right = answers == self.y[rows].reshape(answers.shape[1:])
            self.sums += right.flatten(1).sum(1)
            if self.one_hot is not None:
                self.by_class += right.to(torch.float32) @ self.one_hot[rows]
        self.samples += size

    def metrics(self) -> list[dict[str, Any]]:
        """The metrics of each network over all samples that were counted."""
        y, output = self.y[: self.samples], self.output
        losses = (self.losses / self.samples).tolist()
        name = metric_of(output.task.kind)
        if output.task.kind == "regression":
            variation = float((y - y.mean(0)).double().square().sum())
            values = [
                1 - residual / variation if variation > 0 else math.nan
                for residual in self.sums.tolist()
            ]
        else:
            values = (self.sums / y.numel()).tolist()
        rows = [{"loss": loss, name: value} for loss, value in zip(losses, values, strict=True)]
        if self.one_hot is not None:
            sizes = self.one_hot[: self.samples].sum(0).tolist()
            names = output.task.classes
            for row, hits in zip(rows, self.by_class.tolist(), strict=True):
                row["by_class"] = {
                    names[index]: hits[index] / size for index, size in enumerate(sizes) if size
                }
        return rows


def measure_ensemble(
    ensemble: Ensemble, x: Inputs, y: Shaped[Tensor, "N ..."], loss: Loss, output: Output
) -> list[dict[str, Any]]:
    """Loss and metrics of each network of `ensemble` over all of `x`, in evaluation mode."""
    count = len(ensemble)
    size = max(SMALLEST_CHUNK, min(LARGEST_CHUNK, CHUNK_OUTPUTS // (count * output.size)))
    metrics = EnsembleMetrics(count, y, loss, output, ensemble.parameters.dtype)
    with evaluation_mode(ensemble.networks):
        for piece in x.split(size):
            metrics.add(ensemble.predict(piece))
    return metrics.metrics()


def ensemble_of(networks: Sequence[nn.Module], loss: Loss, by_autograd: bool) -> Ensemble:
    """These networks together, by the written chain rule or by autograd."""
    return (VmappedEnsemble if by_autograd else StackedEnsemble)(networks, loss)


def measure_members(
    ensemble: object, active: Sequence[Training], members: Sequence[Training], part: str
) -> list[dict[str, Any] | None]:
    """The metrics of some `members` of an ensemble, whose networks are those of `active`, on a
    whole part of the data.

    None where it is better asked of each alone: of few of many, or without an ensemble.
    """
    if not isinstance(ensemble, Ensemble) or 2 * len(members) <= len(active):
        return [None] * len(members)
    first = active[0]
    measured = measure_ensemble(ensemble, *first.parts[part], first.loss, first.output)
    by_training = {
        id(training): metrics for training, metrics in zip(active, measured, strict=True)
    }
    return [by_training[id(member)] for member in members]


def measure_last_and_best(
    ensemble: object, active: Sequence[Training], leaving: Sequence[Training]
) -> None:
    """Set the `train_metrics` of members that have ended: all last networks in one pass, and those
    of the best epochs in others, where these are earlier ones.
    """
    earlier = []
    for training, metrics in zip(
        leaving, measure_members(ensemble, active, leaving, "train"), strict=True
    ):
        if metrics is None:
            continue
        training.train_metrics = {"last": metrics}
        best = training.best
        if best is not None and best.valid is not training.progress.history[-1]["valid"]:
            earlier.append(training)
    for start in range(0, len(earlier), COPIES):
        some = earlier[start : start + COPIES]
        if len(some) == 1:
            continue
        first = some[0]
        networks = [training.best_network() for training in some]
        copies = ensemble_of(networks, first.loss, first.engine.grad_enabled)
        of_best = measure_ensemble(copies, *first.parts["train"], first.loss, first.output)
        for training, metrics in zip(some, of_best, strict=True):
            assert training.train_metrics is not None
            training.train_metrics["best"] = metrics


@contextmanager
def evaluation_mode(networks: Sequence[nn.Module]) -> Iterator[None]:
    """All modules of these networks in evaluation mode inside the block."""
    modes = [(module, module.training) for module in _modules(networks)]
    try:
        for module, _ in modes:
            module.training = False
        yield
    finally:
        for module, mode in modes:
            module.training = mode


def _modules(networks: Iterable[nn.Module]) -> Iterator[nn.Module]:
    for network in networks:
        yield from network.modules()
