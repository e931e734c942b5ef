"""What is explained: one training with its recipe, data, network and record."""

from __future__ import annotations

import copy
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from sevensteps.data import Data, is_loadable
from sevensteps.data.inputs import Inputs
from sevensteps.engine.engine import Engine
from sevensteps.engine.sequence import named_layers
from sevensteps.errors import ArgumentError, RunError
from sevensteps.head import Output
from sevensteps.observe.observation import Observation
from sevensteps.record.summary import RunSummary
from sevensteps.steps.loss import Loss
from sevensteps.training import state, threads
from sevensteps.training.loop import train
from sevensteps.training.observer import Observer
from sevensteps.training.recipe import PRECISIONS, Recipe
from sevensteps.training.resolve import ResolvedRecipe, resolve
from sevensteps.training.state import Training

PARTS = ("train", "valid")


@dataclass(eq=False)
class Subject:
    """A training to be explained. `network` has its last weights.

    `summary` is what `run.json` says, `history` a row for each evaluation; `observation` is what
    was watched during the training, None if it was not.
    """

    recipe: Recipe
    network: nn.Module
    summary: RunSummary
    history: Sequence[Mapping[str, Any]]
    folder: Path | None = None
    observation: Observation | None = None
    data_dir: Path | str | None = None
    _resolved: ResolvedRecipe | None = field(default=None, repr=False)

    @cached_property
    def resolved(self) -> ResolvedRecipe:
        """The recipe with its data loaded and all its choices made.

        Raises `RunError` if the data came from Python and are not here, and what `resolve` raises,
        such as `DataError` if the file of the data is gone.
        """
        if (
            self._resolved is None
            and isinstance(self.recipe.data, str)
            and not is_loadable(self.recipe.data)
        ):
            raise RunError(
                f"the data of {self.folder or 'this run'}, {self.recipe.data}, came from Python "
                "and are not kept with it; "
                "ask the Run that ss.train gave: run.explain"
            )
        return self._resolved or resolve(self.recipe, self.data_dir)

    @property
    def data(self) -> Data:
        """The data: `data.train` and `data.valid`, their classes, inputs and task."""
        return self.resolved.data

    @property
    def output(self) -> Output:
        """The output layer: its link, how targets are coded, and how outputs become answers."""
        return self.resolved.output

    @property
    def loss(self) -> Loss:
        """The loss of the recipe."""
        loss: Loss = self.recipe.loss
        return loss

    @property
    def layers(self) -> list[tuple[str, nn.Module]]:
        """The named layers in the order in which they are applied."""
        return named_layers(self.network)

    def part(self, name: str = "train", dtype: torch.dtype | None = None) -> tuple[Inputs, Tensor]:
        """Inputs [N, …] and targets as the loss takes them, of "train" or "valid".

        In `dtype`, or else in the recipe's own precision. Raises `ArgumentError` for another part.
        """
        if name not in PARTS:
            raise ArgumentError(f"there is no part {name!r}; the data have train and valid")
        part = getattr(self.data, name)
        wanted = dtype or PRECISIONS[self.recipe.precision]
        x, y = part.x, self.output.encode(part.y)
        return x.to(wanted) if x.is_floating_point() else x, y.to(
            wanted
        ) if y.is_floating_point() else y

    def sample(
        self, index: int, name: str = "train", dtype: torch.dtype | None = None
    ) -> tuple[Tensor, Tensor]:
        """One sample as a batch of one: input [1, …] and target as the loss takes it.

        A negative `index` counts from the end. Raises `ArgumentError` if there is no such sample.
        """
        x, y = self.part(name, dtype)
        if not -len(x) <= index < len(x):
            raise ArgumentError(
                f"there is no sample {index} in {name}; it has {len(x):,}, counted from 0"
            )
        index %= len(x)
        return x[index : index + 1], y[index : index + 1]

    def engine(self, dtype: torch.dtype = torch.float64) -> Engine:
        """The recipe's gradient method on a copy of the network, in `dtype` and evaluation mode."""
        network = copy.deepcopy(self.network).to(dtype).eval()
        engine: Engine = self.recipe.gradient.prepare(network, self.loss)
        return engine

    def rerun(self, observers: Sequence[Observer] = (), **changes: Any) -> Training:
        """Train again from the start, with `changes` to the recipe, watched by `observers`.

        Without changes that gives the same bits: the number of threads is that of the run, of which
        nothing changes. `stop="max_steps(0)"` gives the network as it was before the
        first step.
        """
        resolved = threads.with_threads(
            resolve(replace(self.recipe, **changes), self.data_dir, self.data)
        )
        # the bits of a result depend on them
        with threads.threads(resolved.recipe.threads or 1):
            training = state.start(resolved)
            train(training, observers)
        return training

    def layer(self, name: str) -> nn.Module:
        """A layer by its name. Raises `ArgumentError` with the names there are."""
        by_name = dict(self.layers)
        if name not in by_name:
            raise ArgumentError(f"there is no layer {name!r}; the network has {', '.join(by_name)}")
        return by_name[name]
