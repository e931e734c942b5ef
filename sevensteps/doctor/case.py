"""A case: everything a condition may ask of one training, measured once and only on demand.

What needs the network itself (`probe`, `outputs`, `curvature`) is None where the network, the data
or the loss are not available.
"""

from __future__ import annotations

import copy
import math
import warnings
from collections.abc import Callable, Hashable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

import torch
from torch import Tensor, nn

from sevensteps.doctor.identify_loss import (
    CROSS_ENTROPIES,
    IdentifiedLoss,
    LossFn,
    identify_from_looks,
)
from sevensteps.doctor.loss_from_calls import baseline_from_calls, identify_from_calls
from sevensteps.doctor.loss_purpose import is_error
from sevensteps.metrics import accuracy, baseline, r2
from sevensteps.observe.call import Call, LossTerm
from sevensteps.observe.layer_recorder import LayerRecorder
from sevensteps.observe.look import Look
from sevensteps.observe.network_facts import LayerFacts, NetworkFacts
from sevensteps.observe.observation import Observation
from sevensteps.observe.step_hooks import StepHooks
from sevensteps.seeds import Isolation

Pair = tuple[Tensor, Tensor]
SAMPLES = 1024  # samples of the training data that the network is evaluated on


@dataclass
class Case:
    """One training as the doctor sees it.

    `network` is in its present state. `train` and `valid` are inputs and targets as the network and
    the loss take them; `loss_fn(output, target)` gives the mean loss. `before_training`: no step
    has been taken yet. `recipe` and `history` are known for trainings of `ss.train`.
    `score_output(output, target)` gives accuracy or r2, where it is known how to read an output.
    `why_not_retrainable` says why `recipe` cannot be trained again here, and what to do instead.
    `data_cache` holds what was worked out about the data, for other cases on the same data: of a
    training of `ss.train` it belongs to its `Data`.
    `ruled_out` is filled by the conditions: (condition, why it is not that one); `not_judged` by
    whatever could not be asked: (condition or argument of `diagnose`, why).
    """

    observation: Observation
    network: nn.Module | None = None
    train: Pair | None = None
    valid: Pair | None = None
    loss_fn: LossFn | None = None
    before_training: bool = False
    recipe: Any = None
    history: list[dict[str, Any]] = field(default_factory=list)
    score_output: Callable[[Tensor, Tensor], float] | None = None
    why_not_retrainable: str = ""
    data_cache: dict[Hashable, Any] = field(default_factory=dict)
    ruled_out: list[tuple[str, str]] = field(default_factory=list)
    not_judged: list[tuple[str, str]] = field(default_factory=list)

    # -- what was observed -------------------------------------------------------------------------

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

    def layers(self, *roles: str) -> list[LayerFacts]:
        """The layers with one of these roles (no role: all), in the order of computation.

        Where not all of them were observed, in the order of construction, usually the same.
        """
        layers = list(self.facts.layers.values())
        order = list(self.looks[0].signals) if self.looks else []
        if {layer.name for layer in layers} <= set(order):
            layers.sort(key=lambda layer: order.index(layer.name))
        return [layer for layer in layers if not roles or layer.role in roles]

    def of_data(self, name: str, compute: Callable[[], Any]) -> Any:
        """What `compute()` gives, worked out once for all cases on the same data: for what depends
        on nothing but inputs and targets, and takes long.
        """
        dtype = None if self.train is None else self.train[0].dtype
        key = (name, self.before_training, self.task, dtype)
        if key not in self.data_cache:
            self.data_cache[key] = compute()
        return self.data_cache[key]

    # -- the problem -------------------------------------------------------------------------------

    @cached_property
    def sample(self) -> Pair | None:
        """At most `SAMPLES` training samples, evenly spread over the training data.

        Without the training data, the samples that watching stored; None where there are none.
        """
        if self.train is not None:
            x, y = self.train
            rows = torch.linspace(0, len(x) - 1, min(SAMPLES, len(x))).long().to(x.device)
            return x[rows], y[rows.to(y.device)]
        observation = self.observation
        if observation.x is None or observation.y is None:
            return None
        return observation.x, observation.y

    @cached_property
    def target(self) -> Tensor | None:
        """The targets of all training data; without them, those of the batches looked at."""
        if self.train is not None:
            return self.train[1]
        batches = [look.target for look in self.looks if look.target is not None]
        same = [t for t in batches if t.shape[1:] == batches[0].shape[1:]]
        return torch.cat(same) if same else self.observation.y

    @cached_property
    def task(self) -> str | None:
        """The kind of task: "multiclass", "binary", "multilabel" or "regression".

        Read off the targets and the width of the output; None where there are no targets.
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
                if int(t.max()) > 1 or self._has_wide_output()
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

    def _has_wide_output(self) -> bool:
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
        return class_indices(t)

    @cached_property
    def identified_loss(self) -> IdentifiedLoss | None:
        """The loss that the loop computes: by the call of its function, or by its gradient at the
        output.
        """
        by_gradient = identify_from_looks(self.looks[:8])
        if by_gradient is not None and by_gradient.loss.fault:
            return by_gradient
        return identify_from_calls(self.looks[:8]) or by_gradient

    @cached_property
    def loss_calls(self) -> list[tuple[LossTerm, Call]]:
        """The calls of loss functions in the first look that has some, each with its place in the
        loss.
        """
        for look in self.looks:
            calls = [
                (term, look.calls[term.call])
                for term in look.loss_terms
                if term.call is not None and term.call < len(look.calls)
            ]
            if calls:
                return calls
        return []

    @cached_property
    def loss_is_error(self) -> bool | None:
        """Whether the loss measures an error between outputs and targets that are data, so that
        its curve tells how good the network is.

        False for policies, networks that play against each other, distances between embeddings,
        densities, moving targets, and where penalties weigh most; None where it is not known.
        """
        if self.recipe is not None:
            return True
        answer = is_error(self.looks[:8])
        if answer is None and self.identified_loss is not None:
            return True
        return answer

    @cached_property
    def loss(self) -> LossFn | None:
        """The mean loss as a function of output and target: `loss_fn`, or the identified loss."""
        if self.loss_fn is not None:
            return self.loss_fn
        return self.identified_loss

    @cached_property
    def baseline_loss(self) -> float | None:
        """The loss of the best answer that ignores the input.

        The entropy of the classes for cross-entropy, the variance of the targets for a squared
        error; None for other losses.
        """
        if (best := baseline_from_calls(self.looks[:8], self.target)) is not None:
            return best
        t, labels = self.target, self.labels
        function = self.identified_loss.loss.function if self.identified_loss else ""
        if labels is not None and function in CROSS_ENTROPIES:
            shares = torch.bincount(labels).double() / len(labels)
            return float(torch.special.entr(shares).sum())
        if t is not None and function == "mse_loss" and t.is_floating_point():
            return float((t - t.mean(0)).double().square().mean())
        return None

    # -- what the network answers ------------------------------------------------------------------

    @contextmanager
    def network_copy(self, training: bool = False) -> Iterator[nn.Module | None]:
        """A copy of the network to evaluate, in evaluation mode unless `training`; None without
        one.

        Its random numbers are isolated, and the network itself is left untouched.
        """
        if self.network is None:
            yield None
            return
        try:
            network = copy.deepcopy(self.network)
        except Exception:  # a network that cannot be copied cannot be evaluated
            yield None
            return
        remove_user_hooks(network)
        with Isolation(torch.Generator().manual_seed(0)), warnings.catch_warnings():
            warnings.simplefilter("ignore")  # the loop has shown PyTorch's warnings already
            yield network.train(training)

    def outputs(self, pair: Pair | None, training: bool = False) -> Tensor | None:
        """The outputs of the network in its present state for the inputs of `pair`.

        None without `pair`, or where the network cannot be evaluated on them.
        """
        if pair is None:
            return None
        with self.network_copy(training) as network, torch.no_grad():
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
            except Exception:  # not every network takes inputs alone
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
        """Accuracy for classes, r2 for a regression; None where it cannot be computed."""
        if output is None or target is None or len(output) != len(target):
            return None
        target = target.cpu()
        if self.score_output is not None:
            return self.score_output(output, target)
        if self.task in ("binary", "multiclass"):
            return accuracy(self.answers(output, "identity"), class_indices(target))
        if self.task == "regression" and output.numel() == target.numel():
            return r2(output.reshape(target.shape), target)
        return None

    def answers(self, output: Tensor, default_link: str) -> Tensor:
        """The classes [N] that outputs [N, C] or [N, 1] answer.

        A single output is a yes above 0 where the loss applies a sigmoid, else above 0.5.
        `default_link` is the link of a loss that is not identified.
        """
        if output.ndim == 2 and output.shape[1] > 1:
            return output.argmax(1)
        link = self.identified_loss.loss.link if self.identified_loss else default_link
        return (output.reshape(-1) > (0.0 if link == "sigmoid" else 0.5)).long()

    @cached_property
    def scores(self) -> dict[str, float]:
        """Accuracy or r2 on "train" (the sample) and "valid", where they can be computed."""
        scores = {
            "train": self.score(self.train_outputs, self.sample[1] if self.sample else None),
            "valid": self.score(self.valid_outputs, self.valid[1] if self.valid else None),
        }
        return {part: value for part, value in scores.items() if value is not None}

    @cached_property
    def baseline_score(self) -> float | None:
        """The score of the best answer that ignores the input: the share of the largest class, or
        r2 = 0.
        """
        if self.target is None:
            return None
        if self.labels is not None:
            return baseline("multiclass", self.labels)
        return baseline("regression", self.target) if self.task == "regression" else None

    @cached_property
    def skill(self) -> float | None:
        """The skill score on the sample, (score - baseline) / (1 - baseline).

        0 is as good as an answer that ignores the input, 1 is perfect; None where there is no
        score.
        """
        least = self.baseline_score
        if "train" not in self.scores or least is None or least >= 1:
            return None
        return (self.scores["train"] - least) / (1 - least)

    @cached_property
    def probe(self) -> Look | None:
        """A full look at the network in its present state, on `sample` and in evaluation mode."""
        return self.look_at(self.sample)

    def look_at(self, pair: Pair | None, training: bool = False) -> Look | None:
        """A full look at the network in its present state: forward and backward on `pair`, no step.

        None where the network cannot be evaluated on `pair`, or the loss is not known.
        """
        if pair is None or self.loss is None:
            return None
        with self.network_copy(training) as network:
            if network is None:
                return None
            layers = LayerRecorder(network, [], dict(self.facts.layers))
            try:
                with torch.enable_grad(), StepHooks({"": network}, [], [layers]):
                    loss = self.loss(network(pair[0]), pair[1])
                    loss = loss.mean() if loss.ndim else loss
                    loss.backward()
                look = Look(self.steps, float(loss.detach()), full=True)
                layers.measure(look, pair[1])
            except Exception:  # whatever somebody else's network may raise
                return None
            finally:
                layers.disarm()
            return look

    @cached_property
    def curvature(self) -> float | None:
        """λ_max: the largest eigenvalue of the Hessian of the mean loss over `sample`.

        Of the network in its present state, by Lanczos (scipy) on autograd's Hessian-vector
        products. Plain gradient descent is stable for lr < 2/λ_max.
        """
        from sevensteps.engine.hessian import largest_eigenvalue

        if self.sample is None or self.loss is None:
            return None
        with self.network_copy() as network:
            return None if network is None else largest_eigenvalue(network, self.loss, *self.sample)

    # -- learning rate and losses ------------------------------------------------------------------

    @cached_property
    def lr(self) -> float | None:
        """The learning rate of the first parameter group, at the first look."""
        return self.looks[0].lr[0] if self.looks and self.looks[0].lr else None

    @cached_property
    def diverged_at(self) -> int | None:
        """The first step whose loss was not finite; None where all were."""
        step: int | None = self.observation.notes.get("first_not_finite")
        return step

    @cached_property
    def smoothed_losses(self) -> list[tuple[int, float]]:
        """The finite losses as means over up to 20 equal stretches: (middle step, mean)."""
        losses = [(s, v) for s, v in self.losses if math.isfinite(v)]
        size = max(1, len(losses) // 20)
        stretches = [losses[i : i + size] for i in range(0, len(losses), size)]
        return [
            (stretch[len(stretch) // 2][0], sum(v for _, v in stretch) / len(stretch))
            for stretch in stretches
            if len(stretch) == size
        ]


def failure_text(failure: BaseException) -> str:
    """What was raised, in one line of at most 200 characters."""
    said = " ".join(str(failure).split())
    return f"{type(failure).__name__}: {said}"[:200] if said else type(failure).__name__


def remove_user_hooks(network: nn.Module) -> None:
    """Take off a network what its user hooked on to it, and may write to a log. Hooks that are part
    of it stay: those of PyTorch's `weight_norm`, `spectral_norm`, `prune`.
    """
    for module in network.modules():
        for hooks in (module._forward_hooks, module._forward_pre_hooks, module._backward_hooks):
            for key, hook in list(hooks.items()):
                if not type(hook).__module__.startswith("torch."):
                    del hooks[key]


def class_indices(target: Tensor) -> Tensor:
    """Class indices [N], from indices, from one column of them, or from one-hot rows [N, C]."""
    one_hot = target.ndim == 2 and target.shape[1] > 1
    return (target.argmax(1) if one_hot else target.reshape(-1)).long()
