"""Reads a run folder back, on this machine or another; whatever is wrong with it is said in one
line.
"""

from __future__ import annotations

import json
import math
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from torch import nn

from sevensteps.data.preprocessing import Preprocessing
from sevensteps.errors import DataError, Error, RunError
from sevensteps.head import Output
from sevensteps.notation import auto, cut
from sevensteps.record.run_folder import inside
from sevensteps.record.summary import LARGEST, RunSummary, read_summary
from sevensteps.record.tensors import read_shapes, read_tensors
from sevensteps.seeds import Isolation, generator
from sevensteps.task import Task
from sevensteps.training.recipe import PRECISIONS, Recipe
from sevensteps.training.resolve import planned

KINDS = ("regression", "binary", "multiclass", "multilabel")


@dataclass(frozen=True, eq=False)
class RunContents:
    """The contents of a run folder: the recipe, the summary of the training, the inputs' shape and
    scaling, and the task."""

    folder: Path
    summary: RunSummary
    recipe: Recipe
    task: Task
    inputs: Preprocessing

    @property
    def output(self) -> Output:
        """The output layer that the recipe's loss asks for."""
        output: Output = self.recipe.loss.output(self.task)
        return output

    def network(self, file: str) -> nn.Module:
        """The recipe's network with the weights in `file`. Both are compared before memory is taken
        for either.
        """
        self._check_shapes(file)
        # what a factory of yours draws leaves no trace
        with Isolation(generator(self.recipe.seed, "initialize")):
            network: nn.Module = self.recipe.predict.build(self.inputs.shape, self.output).to(
                PRECISIONS[self.recipe.precision]
            )
        weights = read_tensors(self.folder / file)
        try:
            network.load_state_dict(weights)
        except RuntimeError as failure:
            raise RunError(
                f"{self.folder / file} does not fit {self.recipe.predict!r}: "
                f"{str(failure).splitlines()[-1].strip()}"
            ) from None
        return network.eval()

    def _check_shapes(self, file: str) -> None:
        """Raise `RunError` where the weights in `file` are not those of the recipe's network."""
        wanted, stored = (
            planned(self.recipe.predict, self.inputs.shape, self.output),
            read_shapes(self.folder / file),
        )
        if wanted is None or wanted == stored:
            return
        where = f"{self.folder / file} does not fit {self.recipe.predict!r}"
        if lacking := [name for name in wanted if name not in stored]:
            raise RunError(
                f"{where}: Missing key(s) in state_dict: {', '.join(map(json.dumps, lacking))}."
            )
        for name in reversed([*(name for name in stored if name not in wanted), *wanted]):
            if name not in wanted:
                raise RunError(f"{where}: {cut(name)} is no parameter of it")
            if wanted[name] != stored[name]:
                raise RunError(
                    f"{where}: size mismatch for {name}: it has shape {list(stored[name])}, the "
                    f"network {list(wanted[name])}"
                )


def read_run(
    folder: Path, *, allow_code: bool = False, predict: nn.Module | None = None
) -> RunContents:
    """Read `run.json` and `recipe.toml` of a run folder. Raises `RunError` (or `NotationError` for
    the recipe).

    `predict` is the network of a run that was given one as a Python object.
    """
    summary = read_summary(folder)
    python_objects: dict[str, Any] = {} if predict is None else {"predict": predict}
    if summary.recipe["repeat"].startswith("loader("):
        # the batches were a Python object; what has been trained does not need them
        python_objects["repeat"] = auto()
    recipe = Recipe.from_toml(
        inside(folder / "recipe.toml"), allow_code=allow_code, **python_objects
    )
    for step in ("predict", "loss"):
        if isinstance(getattr(recipe, step), auto):
            raise RunError(
                f"{folder / 'recipe.toml'} leaves {step} open, which the recipe of a run never "
                "does; it was changed since"
            )
    try:
        data, task = summary.data, summary.data["task"]
        stored = RunContents(
            folder,
            summary,
            recipe,
            Task(
                task["kind"],
                int(task["targets"]),
                tuple(map(str, task["classes"])),
                str(task["reason"]),
            ),
            Preprocessing.from_dict(data["inputs"]),
        )
        _check_data(stored)
        return stored
    except Error as failure:
        raise RunError(f"{folder / 'run.json'} is damaged: {cut(str(failure), 300)}") from None
    except (
        KeyError,
        TypeError,
        ValueError,
        AttributeError,
        OverflowError,
        RuntimeError,
    ) as failure:
        raise RunError(
            f"{folder / 'run.json'} is damaged: {type(failure).__name__}: {cut(str(failure), 300)}"
        ) from None


def _check_data(stored: RunContents) -> None:
    """Raise `DataError` where what is said of the data does not hold together."""
    task, inputs, classes = stored.task, stored.inputs, len(stored.task.classes)
    if task.kind not in KINDS:
        raise DataError(f"the task is {cut(repr(task.kind))}; known: {', '.join(KINDS)}")
    columns = {"binary": 1, "multiclass": 1, "multilabel": classes}.get(task.kind, task.targets)
    if (
        task.targets != columns
        or columns < 1
        or (task.kind == "binary" and classes != 2)
        or (task.kind == "multiclass" and classes < 2)
    ):
        raise DataError(
            f"a {task.kind} task cannot have {task.targets} columns of targets and {classes} "
            "classes"
        )
    dimensions = {"table": 1, "image": 3}[inputs.kind]
    if len(inputs.shape) != dimensions or math.prod(inputs.shape) > LARGEST:
        raise DataError(f"inputs of kind {inputs.kind} have shape {cut(str(list(inputs.shape)))}")
    if (inputs.features and len(inputs.features) != inputs.shape[0]) or (
        inputs.encoding is not None and len(inputs.encoding.features) != inputs.shape[0]
    ):
        raise DataError(f"other names of columns than its {inputs.shape[0]} columns")
    for scaling, shape in (
        (inputs.scaling, (inputs.shape[0], *(1,) * (dimensions - 1))),
        (inputs.target_scaling, (task.targets,)),
    ):
        if tuple(scaling.offset.shape) not in ((), shape):
            raise DataError(
                f"a scaling of {list(scaling.offset.shape)} numbers, where {list(shape)} belong"
            )
    if inputs.highest is not None and not 0 < inputs.highest <= LARGEST:
        raise DataError(f"the highest pixel is {inputs.highest}")
    _ = stored.output
