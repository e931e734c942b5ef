"""The face: `train()` runs a recipe, `load()` reads a run back, and both give a `Run`."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import numpy as np
import torch
from torch import Tensor, nn

from sevensteps.data.preprocessing import Inputs
from sevensteps.doctor import Diagnosis
from sevensteps.doctor.finding import Finding
from sevensteps.errors import DataError, RunError, ShapeError
from sevensteps.head import Output
from sevensteps.metrics import primary
from sevensteps.training.evaluation import outputs_of
from sevensteps.training.recipe import Recipe
from sevensteps.training.resolve import Settled


@dataclass(frozen=True, eq=False)
class Snapshot:
    """A network as it was at the end of an epoch, with the metrics of both parts there."""

    epoch: int
    metrics: dict[str, Any]
    network: nn.Module


@dataclass(frozen=True)
class Answers:
    """What a network says of some inputs: `outputs [N, O]`, `predictions [N, O]` through the output link, and the `answers`.

    An answer is a class name, for multilabel a tuple of label names, for a regression the number in
    the units of the raw target."""

    answers: list[Any]
    predictions: Tensor
    outputs: Tensor


class Run:
    """A finished training: its recipe, what came of it, and the networks.

    `metrics` are those of the last epoch, `best` those of the best validation metric; `network` has
    the last weights and is never swapped for the best. `history` has one row an evaluation.
    `diagnosis` is that of the end of a training of this session."""

    def __init__(
        self,
        recipe: Recipe,
        summary: dict[str, Any],
        history: list[dict[str, Any]],
        folder: Path | None,
        last: nn.Module,
        best: nn.Module,
        output: Output,
        inputs: Inputs,
        diagnosis: Diagnosis | None = None,
    ) -> None:
        self.recipe, self.summary, self.history, self.folder = recipe, summary, history, folder
        self.network = last
        self.last = Snapshot(summary["epochs"], summary["metrics"], last)
        self.best = Snapshot(summary["best"]["epoch"], summary["best"]["metrics"], best)
        self.output, self.inputs, self.diagnosis = output, inputs, diagnosis
        self.settled: Settled | None = (
            None  # of a training of this session: its data, wherever they came from
        )

    @property
    def metrics(self) -> dict[str, Any]:
        """`metrics["valid"]["accuracy"]` and the like, of the last epoch."""
        metrics: dict[str, Any] = self.summary["metrics"]
        return metrics

    @property
    def findings(self) -> list[Finding]:
        """What was found wrong with the training, most likely cause first. Raises `RunError` where
        the run's file is damaged.
        """
        try:
            return [Finding.from_dict(held) for held in self.summary["findings"]]
        except (KeyError, TypeError) as failure:
            raise RunError(
                f"the findings of {self.folder} are damaged: {type(failure).__name__}: {failure}"
            ) from None

    @property
    def healed(self) -> list[dict[str, Any]]:
        """What `heal` changed on the way to this run: condition, change, the run it came from, and
        the trial that proves it.
        """
        healed: list[dict[str, Any]] = self.summary.get("healed", [])
        return healed

    def predict(self, raw: Any, which: Literal["last", "best"] = "last") -> Answers:
        """What the network answers to raw inputs `[N, …]`, as they were before the training's own
        scaling.

        Raises `ShapeError` where an input is not of the shape that was trained on, `DataError`
        where it is no finite number."""
        try:
            x = torch.as_tensor(np.asarray(raw) if not isinstance(raw, Tensor) else raw)
        except (TypeError, ValueError) as failure:
            raise DataError(f"inputs must be numbers, one row per sample: {failure}") from None
        if tuple(x.shape[1:]) != self.inputs.shape:
            raise ShapeError(
                f"inputs of shape {list(x.shape)} do not fit a network trained on "
                f"{['N', *self.inputs.shape]}; "
                f"give one row per sample, each of shape {list(self.inputs.shape)}"
            )
        if not bool((finite := x.isfinite()).all()):
            row = int(torch.nonzero(~finite)[0, 0])
            raise DataError(
                f"the inputs hold a number that is not finite, the first in row {row}; fill it in "
                "or leave the row out"
            )
        network = (self.last if which == "last" else self.best).network
        like = next(network.parameters(), torch.empty(0))
        outputs = outputs_of(network, self.inputs.scaling(x).to(like.device, like.dtype)).cpu()
        predictions, classes = self.output.predict(outputs), self.output.task.classes
        if self.output.task.kind == "regression":
            values = self.inputs.target_scaling.undo(predictions)
            return Answers(
                [row[0] if len(row) == 1 else tuple(row) for row in values.tolist()],
                predictions,
                outputs,
            )
        decided = self.output.decide(outputs)
        if self.output.task.kind == "multilabel":
            return Answers(
                [
                    tuple(c for c, on in zip(classes, row, strict=True) if on)
                    for row in decided.tolist()
                ],
                predictions,
                outputs,
            )
        return Answers([classes[index] for index in decided.tolist()], predictions, outputs)

    @property
    def explain(self) -> Any:
        """The questions that can be asked about this run: `run.explain.sample(3)`."""
        from sevensteps.api.explain import explain

        return explain(self)

    def __repr__(self) -> str:
        valid = self.metrics["valid"]
        name = primary(valid)
        where = f", folder={str(self.folder)!r}" if self.folder else ""
        value = "not a number" if valid[name] is None else f"{valid[name]:.4f}"
        return f"<Run of {self.recipe.source}: {name} {value} after {self.summary['epochs']} epochs{where}>"
