"""Numbers of a run that explanations quote, each computed when it is first asked for."""

from __future__ import annotations

import copy
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import torch
from torch import Tensor, nn

from sevensteps.engine.activations import activation_of
from sevensteps.explain.one_step.answer import Steps, steps
from sevensteps.explain.subject import Subject
from sevensteps.metrics import primary
from sevensteps.training.evaluation import outputs_of

MOST = 50_000_000  # numbers of training inputs that are looked through at once


@dataclass(eq=False)
class Facts:
    """What is known of one run. Where something is not there, it is None or empty."""

    subject: Subject

    @cached_property
    def first(self) -> Steps | None:
        """The first training step, None where there was none."""
        return steps(self.subject, 0) if self.subject.summary["steps"] else None

    @cached_property
    def train(self) -> Tensor:
        """The training inputs, the first of them where there are too many to hold."""
        x, _ = self.subject.part("train")
        return x[: max(1, MOST // max(1, x.shape[1:].numel()))]

    @cached_property
    def x(self) -> Tensor:
        """Sample 0 of the validation data, [1, …]."""
        return self.subject.sample(0, "valid")[0]

    @cached_property
    def target(self) -> Tensor:
        """Its target, as the loss takes it."""
        return self.subject.sample(0, "valid")[1]

    @cached_property
    def passed(self) -> list[tuple[str, nn.Module, Tensor, Tensor]]:
        """Sample 0 on its way through the last network in float64: name, layer, what went in, what
        came out.
        """
        return self._pass[0]

    @cached_property
    def linears(self) -> list[tuple[str, nn.Linear, Tensor, Tensor]]:
        """The linear layers among them."""
        return [
            (name, module, x, y)
            for name, module, x, y in self.passed
            if isinstance(module, nn.Linear) and x.ndim == 2
        ]

    @cached_property
    def activations(self) -> list[tuple[str, nn.Module, Tensor, Tensor]]:
        """The activation functions among them."""
        return [
            row
            for row in self.passed
            if (function := activation_of(row[1])) is not None
            and function.elementwise
            and function.name != "identity"
        ]

    @property
    def output(self) -> Tensor:
        """The output for sample 0, [O], in float64."""
        return self._pass[1][0]

    @cached_property
    def _pass(self) -> tuple[list[tuple[str, nn.Module, Tensor, Tensor]], Tensor]:
        return _passed(self.subject, self.x.double() if self.x.is_floating_point() else self.x)

    @cached_property
    def valid(self) -> Tensor:
        """The outputs for all validation samples, [N, O]."""
        x, _ = self.subject.part("valid")
        return outputs_of(self.subject.network, x)

    @cached_property
    def dead_inputs(self) -> int:
        """Inputs that are 0 in every training sample."""
        return int((self.train == 0).all(0).sum()) if self.train.is_floating_point() else 0

    @cached_property
    def dead_units(self) -> tuple[int, int, str] | None:
        """(dead, units, layer) of the ReLU layer with the most units that are 0 for every training
        sample; None without such a layer.
        """
        network = copy.deepcopy(self.subject.network).eval()
        alive: dict[str, Tensor] = {}

        def look(name: str) -> Any:
            def hook(module: nn.Module, inputs: Any, output: Tensor) -> None:
                on = (output > 0).transpose(0, 1).flatten(1).any(1)
                alive[name] = on | alive[name] if name in alive else on

            return hook

        for name, module in network.named_modules():
            if (function := activation_of(module)) is not None and function.rectifies:
                module.register_forward_hook(look(name))
        with torch.no_grad():
            for piece in self.train.split(2048):
                network(piece)
        return max(((int((~on).sum()), len(on), name) for name, on in alive.items()), default=None)

    @property
    def metric(self) -> str:
        """The name of the metric that judges this run: accuracy, r2 or loss."""
        return primary(self.subject.summary["metrics"]["valid"])

    @property
    def score(self) -> float:
        """The value of `metric` on the validation data at the end; nan where it is no number."""
        value = self.subject.summary["metrics"]["valid"][self.metric]
        return float("nan") if value is None else float(value)

    @property
    def size(self) -> int:
        """Samples of a batch."""
        repeat, count = self.subject.recipe.repeat, len(self.subject.data.train)
        return (
            getattr(repeat, "size", count)
            if type(repeat).__name__ != "loader"
            else self.first.size
            if self.first
            else 0
        )


def _passed(
    subject: Subject, x: Tensor
) -> tuple[list[tuple[str, nn.Module, Tensor, Tensor]], Tensor]:
    network = copy.deepcopy(subject.network).to(torch.float64).eval()
    found: list[tuple[str, nn.Module, Tensor, Tensor]] = []
    entered: dict[str, Tensor] = {}

    def enter(name: str) -> Any:
        def hook(module: nn.Module, inputs: tuple[Any, ...]) -> None:
            if inputs and isinstance(inputs[0], Tensor):
                entered[name] = inputs[0].clone()  # before a layer that works in place

        return hook

    def leave(name: str) -> Any:
        def hook(module: nn.Module, inputs: Any, output: Any) -> None:
            if name in entered and isinstance(output, Tensor):
                found.append((name, module, entered[name], output.clone()))

        return hook

    for name, module in network.named_modules():
        if not any(module.children()):
            module.register_forward_pre_hook(enter(name or type(module).__name__))
            module.register_forward_hook(leave(name or type(module).__name__))
    with torch.no_grad():
        output = network(x)
    return found, output
