"""A case: everything that a condition may ask of one training, measured once and only when somebody
asks.

What needs the network itself (`probe`, `outputs`, `curvature`) is None where the network, data or
loss are not at hand."""

from __future__ import annotations

import copy
import math
import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

import torch
from torch import Tensor, nn

from sevensteps.doctor.identify_loss import FoundLoss, LossFn, identify_by
from sevensteps.doctor.scores import score
from sevensteps.metrics import baseline
from sevensteps.observe.capture import StepCapture
from sevensteps.observe.look import Look
from sevensteps.observe.network_facts import LayerFacts, NetworkFacts
from sevensteps.observe.observation import Observation
from sevensteps.seeds import Isolation

Pair = tuple[Tensor, Tensor]
SAMPLE = 1024  # samples of the training data that the doctor asks with


@dataclass
class Case:
    """One training as the doctor sees it.

    `network` is as it is now, `train` and `valid` are inputs and targets as network and loss take
    them, `loss_fn(output, target)` gives the mean loss. `early`: nothing has been trained yet.
    `recipe` and `history` are there for trainings of `ss.train`. `answers` are those of an earlier
    machine, by name, for a case that is read back from a folder."""

    observation: Observation
    network: nn.Module | None = None
    train: Pair | None = None
    valid: Pair | None = None
    loss_fn: LossFn | None = None
    early: bool = False
    recipe: Any = None
    history: list[dict[str, Any]] = field(default_factory=list)
    judge: Callable[[Tensor, Tensor], float] | None = (
        None  # (output, target) -> accuracy or r2, where it is known how to read an output
    )
    lacking: str = ""  # why `recipe` cannot be trained again here, with what to do
    shared: dict[str, Any] = field(
        default_factory=dict
    )  # what is found out about the data, for other cases on the same
    ruled_out: list[tuple[str, str]] = field(
        default_factory=list
    )  # (condition, why not), filled by the conditions

    # -- what was seen -----------------------------------------------------------------------------

    @property
    def facts(self) -> NetworkFacts:
        """Layers, parameters and optimizer groups."""
        return self.observation.facts

    @property
    def looks(self) -> list[Look]:
        """The looks, oldest first."""
        return self.observation.looks

    @property
    def losses(self) -> list[tuple[int, float]]:
        """(step, loss), oldest first."""
        return self.observation.losses

    @property
    def steps(self) -> int:
        """Steps that were trained."""
        return self.observation.steps

    def series(self, measure: Callable[[Look], float | None]) -> list[tuple[int, float]]:
        """`measure` of every look that has it: (step, number)."""
        found = ((look.step, measure(look)) for look in self.looks)
        return [(step, float(value)) for step, value in found if value is not None]

    def layers(self, *roles: str) -> list[LayerFacts]:
        """The layers in the order in which they were computed, of these roles (all: without
        one).
        """
        known = list(self.facts.layers.values())
        seen = list(self.looks[0].signals) if self.looks else []
        if {layer.name for layer in known} <= set(
            seen
        ):  # else in the order in which they were made, which is usually the same
            known.sort(key=lambda layer: seen.index(layer.name))
        return [layer for layer in known if not roles or layer.role in roles]

    # -- the problem -------------------------------------------------------------------------------

    @cached_property
    def sample(self) -> Pair | None:
        """At most `SAMPLE` training samples, spread over the training data, or those that watching
        kept.
        """
        if self.train is not None:
            x, y = self.train
            every = torch.linspace(0, len(x) - 1, min(SAMPLE, len(x))).long().to(x.device)
            return x[every], y[every.to(y.device)]
        return (
            None
            if self.observation.x is None or self.observation.y is None
            else (self.observation.x, self.observation.y)
        )

    @cached_property
    def target(self) -> Tensor | None:
        """Targets: of all training data where they are at hand, else those seen."""
        if self.train is not None:
            return self.train[1]
        seen = [look.target for look in self.looks if look.target is not None]
        same = [t for t in seen if t.shape[1:] == seen[0].shape[1:]]
        return torch.cat(same) if same else self.observation.y

    @cached_property
    def task(self) -> str | None:
        """ "multiclass", "binary", "multilabel" or "regression", from the targets and the loss;
        None where there are none.
        """
        t = self.target
        if t is None:
            return None
        if not t.is_floating_point():
            columns = 1 if t.ndim == 1 else t.shape[-1]
            return (
                "multilabel"
                if columns > 1
                else "multiclass"
                if int(t.max()) > 1 or self._outputs_wide()
                else "binary"
            )
        if bool(((t == 0) | (t == 1)).all()):
            wide = t.ndim == 2 and t.shape[1] > 1
            return (
                "multiclass"
                if wide and bool((t.sum(1) == 1).all())
                else "multilabel"
                if wide
                else "binary"
            )
        return "regression"

    def _outputs_wide(self) -> bool:
        return any(
            look.output is not None and look.output.ndim == 2 and look.output.shape[1] > 1
            for look in self.looks[:1]
        )

    @cached_property
    def labels(self) -> Tensor | None:
        """Class indices [N] of `target`, for classes; None for a regression."""
        t = self.target
        if t is None or self.task not in ("binary", "multiclass"):
            return None
        return t.argmax(1) if t.ndim == 2 and t.shape[1] > 1 else t.reshape(-1).long()

    @cached_property
    def found_loss(self) -> FoundLoss | None:
        """The loss that the loop computes, told from its slope."""
        return identify_by(self.looks[:8])

    @cached_property
    def loss(self) -> LossFn | None:
        """loss(output, target) -> its mean: as given, or as found."""
        if self.loss_fn is not None:
            return self.loss_fn
        if (found := self.found_loss) is None:
            return None
        return lambda output, target: found.loss.sum(output, target) * (found.scale / len(output))

    @cached_property
    def ignorant_loss(self) -> float | None:
        """The loss of an answer that does not look at the input: the entropy of the classes, or the
        variance of the targets.
        """
        t, labels = self.target, self.labels
        name = self.found_loss.name if self.found_loss else ""
        if (labels is not None and "cross_entropy" in name) or (
            "nll_loss" in name and labels is not None
        ):
            shares = torch.bincount(labels).double() / len(labels)
            return float(torch.special.entr(shares).sum())
        if t is not None and name.startswith("mse_loss") and t.is_floating_point():
            return float((t - t.mean(0)).double().square().mean())
        return None

    # -- what can be asked of the network ----------------------------------------------------------

    @contextmanager
    def asking(self, training: bool = False) -> Iterator[nn.Module | None]:
        """A copy of the network to ask, in evaluation mode unless `training`; its random numbers
        are isolated, ours is untouched.
        """
        if self.network is None:
            yield None
            return
        try:
            network = copy.deepcopy(self.network)
        except Exception:  # a network that cannot be copied cannot be asked
            yield None
            return
        for module in network.modules():
            module._forward_hooks.clear()
            module._forward_pre_hooks.clear()
            module._backward_hooks.clear()
        with Isolation(torch.Generator().manual_seed(0)), warnings.catch_warnings():
            warnings.simplefilter(
                "ignore"
            )  # what PyTorch has to say of the loop, it has said there
            yield network.train(training)

    def outputs(self, pair: Pair | None, training: bool = False) -> Tensor | None:
        """What the network as it is now gives for the inputs of `pair`; None where it cannot be
        asked.
        """
        if pair is None:
            return None
        with self.asking(training) as network, torch.no_grad():
            if network is None:
                return None
            try:
                device = next((p.device for p in network.parameters()), torch.device("cpu"))
                parts = [network(x.to(device)) for x in pair[0].split(1024)]
                return (
                    torch.cat(parts).cpu()
                    if all(isinstance(part, Tensor) for part in parts)
                    else None
                )
            except Exception:  # not every network takes a batch alone
                return None

    @cached_property
    def train_outputs(self) -> Tensor | None:
        """The network's outputs for `sample`."""
        return self.outputs(self.sample)

    @cached_property
    def valid_outputs(self) -> Tensor | None:
        """The network's outputs for the validation data."""
        return self.outputs(self.valid)

    def score(self, output: Tensor | None, target: Tensor | None) -> float | None:
        """Accuracy for classes, r2 for a regression; None where it cannot be told."""
        if output is None or target is None or len(output) != len(target):
            return None
        target = target.cpu()
        if self.judge is not None:
            return self.judge(output, target)
        link = self.found_loss.loss.link if self.found_loss else "identity"
        return score(self.task, link, output, target)

    @cached_property
    def scores(self) -> dict[str, float]:
        """Accuracy or r2 on "train" (the sample) and "valid", where they can be told."""
        found = {
            "train": self.score(self.train_outputs, self.sample[1] if self.sample else None),
            "valid": self.score(self.valid_outputs, self.valid[1] if self.valid else None),
        }
        return {part: value for part, value in found.items() if value is not None}

    @cached_property
    def chance(self) -> float | None:
        """The score of an answer that does not look at the input: the share of the largest class,
        or r2 = 0.
        """
        if self.target is None:
            return None
        if self.labels is not None:
            return baseline("multiclass", self.labels)
        return baseline("regression", self.target) if self.task == "regression" else None

    @cached_property
    def learned(self) -> float | None:
        """How far the training came, 0 as good as an ignorant answer, 1 perfect: (score - chance) /
        (1 - chance) on the sample.
        """
        if "train" not in self.scores or self.chance is None or self.chance >= 1:
            return None
        return (self.scores["train"] - self.chance) / (1 - self.chance)

    @cached_property
    def probe(self) -> Look | None:
        """A full look at the network as it is now: forward and backward over `sample`, in
        evaluation mode, without a step.
        """
        return self.look_now(self.sample)

    def look_now(self, pair: Pair | None, training: bool = False) -> Look | None:
        """A full look at the network as it is now, over `pair`."""
        if pair is None or self.loss is None:
            return None
        with self.asking(training) as network:
            if network is None:
                return None
            capture = StepCapture(network, [], dict(self.facts.layers))
            capture.arm()
            try:
                with torch.enable_grad():
                    loss = self.loss(network(pair[0]), pair[1])
                    loss = loss.mean() if loss.ndim else loss
                    loss.backward()
            except Exception:  # whatever a network that is not ours may raise
                capture.disarm()
                return None
            found = capture.look(self.steps, float(loss.detach()), pair[1], full=True)
            capture.disarm()
            return found

    @cached_property
    def curvature(self) -> float | None:
        """λ_max, the largest eigenvalue of the Hessian of the mean loss over `sample`, of the
        network as it is now.

        Plain gradient descent is stable for lr < 2/λ_max. By Lanczos (scipy), on Hessian-vector
        products of autograd."""
        from sevensteps.engine.curvature import largest_eigenvalue

        if self.sample is None or self.loss is None:
            return None
        with self.asking() as network:
            return None if network is None else largest_eigenvalue(network, self.loss, *self.sample)

    # -- small helps -------------------------------------------------------------------------------

    @cached_property
    def rate(self) -> float | None:
        """The learning rate of the first group, at the first look."""
        return self.looks[0].lr[0] if self.looks and self.looks[0].lr else None

    @cached_property
    def diverged(self) -> int | None:
        """The first step whose loss was not finite; None: all were."""
        step: int | None = self.observation.notes.get("first_not_finite")
        return step

    @cached_property
    def smooth(self) -> list[tuple[int, float]]:
        """The loss as means over up to 20 equal stretches of the training: (middle step, mean),
        finite ones only.
        """
        held = [(s, v) for s, v in self.losses if math.isfinite(v)]
        size = max(1, len(held) // 20)
        parts = [held[i : i + size] for i in range(0, len(held), size)]
        return [
            (part[len(part) // 2][0], sum(v for _, v in part) / len(part))
            for part in parts
            if len(part) == size
        ]
