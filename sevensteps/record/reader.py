"""Reads a run folder back, on this machine or another; whatever is wrong with it is said in one line."""

from __future__ import annotations

import functools
import operator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from torch import nn

from sevensteps.data.inputs import Inputs
from sevensteps.errors import RunError
from sevensteps.notation import auto
from sevensteps.recipe import PRECISIONS, Recipe
from sevensteps.record.folder import read_json
from sevensteps.record.weights import read_weights
from sevensteps.record.writer import SCHEMA
from sevensteps.seeds import Isolation, generator
from sevensteps.task import Output, Task

RESULT = ("epochs", "steps", "seconds", "findings", "stop.rule", "stop.reason", "seed", "device", "threads", "precision",
          "recipe.data", "recipe.predict", "recipe.repeat", "metrics.train.loss", "metrics.valid.loss",
          "best.epoch", "best.metrics.train.loss", "best.metrics.valid.loss")  # what every reader of a run counts on


@dataclass(frozen=True, eq=False)
class Stored:
    """What a run folder says of a training: recipe and result, the inputs' shape and scaling, and how to read an output."""

    folder: Path
    summary: dict[str, Any]
    recipe: Recipe
    task: Task
    inputs: Inputs

    @property
    def output(self) -> Output:
        """The output layer that the recipe's loss asks for."""
        output: Output = self.recipe.loss.output(self.task)
        return output

    def network(self, file: str) -> nn.Module:
        """The recipe's network with the weights in `file`."""
        with Isolation(generator(self.recipe.seed, "initialize")):  # what a factory of yours draws leaves no trace
            network: nn.Module = self.recipe.predict.build(self.inputs.shape, self.output).to(PRECISIONS[self.recipe.precision])
        weights = read_weights(self.folder / file)
        try:
            network.load_state_dict(weights)
        except RuntimeError as failure:
            raise RunError(f"{self.folder / file} does not fit {self.recipe.predict!r}: {str(failure).splitlines()[-1].strip()}") from None
        return network.eval()


def read_summary(folder: Path) -> dict[str, Any]:
    """`run.json` of a run folder, with every key that a result has. Raises `RunError`."""
    summary = read_json(folder / "run.json")
    if not isinstance(version := summary.get("schema"), int) or version > SCHEMA:
        raise RunError(f"{folder / 'run.json'} has schema {version!r}; this sevensteps reads up to {SCHEMA}")
    try:
        for path in RESULT:
            functools.reduce(operator.getitem, path.split("."), summary)
    except (KeyError, TypeError) as failure:
        raise RunError(f"{folder / 'run.json'} is damaged: {type(failure).__name__}: {failure}") from None
    return summary


def read_run(folder: Path, *, allow_code: bool = False, predict: nn.Module | None = None) -> Stored:
    """Read `run.json` and `recipe.toml` of a run folder. Raises `RunError` (or `NotationError` for the recipe).

    `predict` is the network of a run that was given one as a Python object.
    """
    summary = read_summary(folder)
    given: dict[str, Any] = {} if predict is None else {"predict": predict}
    if str(summary["recipe"]["repeat"]).startswith("loader("):
        given["repeat"] = auto()  # the batches were a Python object; what has been trained does not need them
    recipe = Recipe.from_toml(folder / "recipe.toml", allow_code=allow_code, **given)
    try:
        held, task = summary["data"], summary["data"]["task"]
        return Stored(
            folder, summary, recipe,
            Task(task["kind"], int(task["targets"]), tuple(map(str, task["classes"])), str(task["reason"])),
            Inputs.from_dict(held["inputs"]))
    except (KeyError, TypeError, ValueError, AttributeError) as failure:
        raise RunError(f"{folder / 'run.json'} is damaged: {type(failure).__name__}: {failure}") from None
