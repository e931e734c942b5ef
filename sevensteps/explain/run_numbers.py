"""Numbers of a run that explanations quote, each computed when it is first needed."""

from __future__ import annotations

import copy
from dataclasses import dataclass
from functools import cached_property
from typing import Any, NamedTuple

import torch
from torch import Tensor, nn

from sevensteps.engine.activations import activation_of
from sevensteps.engine.layer_calls import capture_outputs
from sevensteps.explain.one_step.answer import Steps, steps
from sevensteps.explain.subject import Subject
from sevensteps.metrics import primary
from sevensteps.steps.repeat import loader
from sevensteps.training.evaluation import outputs_of

MAX_NUMBERS = 50_000_000  # of training inputs that are looked through at once


class LayerPass(NamedTuple):
    """One layer in a forward pass of one sample: its input [1, …] and its output [1, …]."""

    name: str
    module: Any
    input: Tensor
    output: Tensor


class DeadUnits(NamedTuple):
    """How many of the `units` of a ReLU layer are 0 for every training sample."""

    dead: int
    units: int
    layer: str


@dataclass(eq=False)
class RunNumbers:
    """What is known of one run. What the run does not have is None or empty."""

    subject: Subject

    @cached_property
    def first_step(self) -> Steps | None:
        """The first training step, None if there was none."""
        return steps(self.subject, 0) if self.subject.summary.steps else None

    @cached_property
    def train_inputs(self) -> Tensor:
        """The training inputs [N, …], only the first if they are too many for one look."""
        x, _ = self.subject.part("train")
        return x[: max(1, MAX_NUMBERS // max(1, x.shape[1:].numel()))]

    @cached_property
    def sample_input(self) -> Tensor:
        """The input of validation sample 0, [1, …]."""
        return self.subject.sample(0, "valid")[0]

    @cached_property
    def sample_target(self) -> Tensor:
        """The target of validation sample 0, as the loss takes it."""
        return self.subject.sample(0, "valid")[1]

    @property
    def sample_output(self) -> Tensor:
        """The output for validation sample 0, [O], in float64."""
        return self._sample_pass[1][0]

    @property
    def layer_passes(self) -> list[LayerPass]:
        """Validation sample 0 on its way through the trained network, in float64."""
        return self._sample_pass[0]

    @cached_property
    def linear_passes(self) -> list[LayerPass]:
        """The linear layers among `layer_passes`."""
        return [
            layer
            for layer in self.layer_passes
            if isinstance(layer.module, nn.Linear) and layer.input.ndim == 2
        ]

    @cached_property
    def activation_passes(self) -> list[LayerPass]:
        """The activation functions among `layer_passes`."""
        return [
            layer
            for layer in self.layer_passes
            if (function := activation_of(layer.module)) is not None
            and function.elementwise
            and function.name != "identity"
        ]

    @cached_property
    def _sample_pass(self) -> tuple[list[LayerPass], Tensor]:
        x = self.sample_input
        return _pass_through(self.subject, x.double() if x.is_floating_point() else x)

    @cached_property
    def valid_outputs(self) -> Tensor:
        """The outputs for all validation samples, [N, O]."""
        x, _ = self.subject.part("valid")
        return outputs_of(self.subject.network, x)

    @cached_property
    def dead_inputs(self) -> int:
        """How many inputs are 0 in every training sample."""
        x = self.train_inputs
        return int((x == 0).all(0).sum()) if x.is_floating_point() else 0

    @cached_property
    def dead_units(self) -> DeadUnits | None:
        """The ReLU layer with the most units that are 0 for every training sample, or None."""
        network = copy.deepcopy(self.subject.network).eval()
        alive: dict[str, Tensor] = {}
        rectifiers = [
            (name, module)
            for name, module in network.named_modules()
            if (function := activation_of(module)) is not None and function.rectifies
        ]
        with torch.no_grad():
            for piece in self.train_inputs.split(2048) if rectifiers else ():
                for call in capture_outputs(network, piece, rectifiers)[1]:
                    on = (call.output > 0).transpose(0, 1).flatten(1).any(1)
                    alive[call.name] = on | alive[call.name] if call.name in alive else on
        return max(
            (DeadUnits(int((~on).sum()), len(on), name) for name, on in alive.items()),
            default=None,
        )

    @property
    def metric(self) -> str:
        """The name of the metric that judges this run: accuracy, r2 or loss."""
        return primary(self.subject.summary.metrics["valid"])

    @property
    def score(self) -> float:
        """The value of `metric` on the validation data at the end; nan if it is no number."""
        value = self.subject.summary.metrics["valid"][self.metric]
        return float("nan") if value is None else float(value)

    @property
    def batch_size(self) -> int:
        """Samples of a batch; all training samples if each step takes all."""
        repeat = self.subject.recipe.repeat
        if isinstance(repeat, loader):
            return self.first_step.size if self.first_step else 0
        size: int = getattr(repeat, "size", len(self.subject.data.train))
        return size


def _pass_through(subject: Subject, x: Tensor) -> tuple[list[LayerPass], Tensor]:
    """Every layer without submodules with its input and output, and the network's output."""
    network = copy.deepcopy(subject.network).to(torch.float64).eval()
    with torch.no_grad():
        output, calls = capture_outputs(network, x, copy=True)
    passes = [
        LayerPass(call.name, call.module, call.input, call.output)
        for call in calls
        if isinstance(call.input, Tensor) and isinstance(call.output, Tensor)
    ]
    return passes, output
