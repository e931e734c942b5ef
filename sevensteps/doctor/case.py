"""A case: everything a condition may ask of one training, measured once and only on demand.

What needs the network itself (`probe`, `outputs`, `curvature`) is None where the network, the data
or the loss are not available.
"""

from __future__ import annotations

import dataclasses
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from functools import cached_property
from typing import Any

import torch
from torch import Tensor, nn

from sevensteps.doctor.asking import SAMPLES, ask, set_mode
from sevensteps.doctor.identify_loss import CROSS_ENTROPIES, REGRESSION_LOSSES, identify
from sevensteps.doctor.kind_of_task import (
    accuracy_of_positions,
    answered_positions,
    balanced_skill,
    class_indices,
    ignorant_entropy,
    known_positions,
)
from sevensteps.doctor.loss_from_calls import baseline_from_calls, clamps_outputs, main_term
from sevensteps.doctor.pairs import Pair, targets_of
from sevensteps.doctor.problem import Problem
from sevensteps.doctor.rate_by_hand import rate_by_hand
from sevensteps.metrics import accuracy, baseline, r2
from sevensteps.observe.copies import copy_network
from sevensteps.observe.layer_recorder import LayerRecorder
from sevensteps.observe.look import Look
from sevensteps.observe.step_hooks import StepHooks
from sevensteps.observe.structure import main_output, rows, sample_count, tensors_of, to_device
from sevensteps.seeds import Isolation


class Case(Problem):
    """One training as the doctor sees it: the `Problem`, and how its network answers in its present
    state.
    """

    def of(self, name: str) -> Case:
        """The case of one of several networks, with the data of all, which not every one takes."""
        observation = self.observation.of(name)
        if len(self.names) > 1:
            # the loss that was reported may be that of another network
            observation = dataclasses.replace(observation, graph=None)
        case = Case(
            observation,
            self.networks.get(name),
            networks=self.networks,
            loss_fn=self.loss_fn,
            before_training=self.before_training,
            several=len(self.names) > 1,
            sample_limit=self.sample_limit,
        )
        for part in ("train", "valid"):
            case.hand_over(part, self.part(part))
        return case

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
            network = copy_network(self.network)
        except Exception as failure:
            why = f"it cannot be copied, so it cannot be evaluated: {failure_text(failure)}"
            self.not_judged.append(("network", why))
            yield None
            return
        remove_user_hooks(network)
        with Isolation(torch.Generator().manual_seed(0)), warnings.catch_warnings():
            warnings.simplefilter("ignore")  # the loop has shown PyTorch's warnings already
            set_mode(network, training)
            yield network

    def outputs(self, pair: Pair | None, training: bool = False) -> Tensor | None:
        """The answers of the network in its present state for the inputs of `pair`.

        None without `pair`, where the network cannot be evaluated on them, or where it is not known
        which of several outputs is the answer.
        """
        if pair is None:
            return None
        with self.network_copy(training) as network, torch.no_grad():
            if network is None:
                return None
            device = next((p.device for p in network.parameters()), torch.device("cpu"))
            try:
                parts = []
                for first in range(0, sample_count(pair[0]), SAMPLES):
                    chunk = rows(pair[0], slice(first, first + SAMPLES))
                    answer = self.answer_in(ask(network, to_device(chunk, device)))
                    if answer is None or answer.ndim == 0:
                        return None
                    parts.append(answer)
                return torch.cat(parts).cpu()
            except Exception as failure:
                why = f"the network could not be evaluated: {failure_text(failure)}"
                self.not_judged.append(("outputs", why))
                return None

    @cached_property
    def answer_path(self) -> str | None:
        """Which of several outputs the loss compares with the targets, by its path in them: the one
        that a loss function was called with, or whose gradient is that of a known loss. None where
        that is not known.
        """
        for look in self.observation.looks[:8]:
            term = main_term(look)
            if term is not None and term.output in look.outputs:
                return term.output
            gradients = getattr(look, "output_gradients", {})
            for path, output in getattr(look, "outputs", {}).items():
                if identify(output, look.target, gradients.get(path), look.batch) is not None:
                    return str(path)
        return None

    def answer_in(self, output: Any) -> Tensor | None:
        """The tensor in what a network gave that is its answer; None where that is not known."""
        found = {k: t for k, t in tensors_of(output).items() if t.is_floating_point()}
        if len(found) == 1:
            return next(iter(found.values()))
        if self.answer_path in found:
            return found[self.answer_path or ""]
        answer = main_output(output)
        named = [k for k, t in found.items() if t is answer]
        return answer if named and not named[0].rpartition(".")[2].isdigit() else None

    @cached_property
    def train_outputs(self) -> Tensor | None:
        """The network's outputs for `sample`."""
        return self.outputs(self.examples)

    @cached_property
    def valid_outputs(self) -> Tensor | None:
        """The network's outputs for the `valid_examples`."""
        return self.outputs(self.valid_examples)

    def score(self, output: Tensor | None, target: Tensor | None) -> float | None:
        """Accuracy for classes, r2 for a regression; None where it cannot be computed."""
        if output is None or target is None or len(output) != len(target):
            return None
        target = target.cpu()
        if self.score_output is not None:
            return self.score_output(output, target)
        task = self.task
        if task is None or not self.may_be_error:
            return None
        if not self.answers_fit(target, tuple(output.shape)):
            return None
        if task in ("binary", "multiclass"):
            if self.read_otherwise:
                return None
            answers, classes = self.answers(output, "identity"), class_indices(target)
            known = classes >= 0  # a negative one is `ignore_index`
            if len(answers) != len(classes) or not bool(known.any()):
                return None
            return accuracy(answers[known], classes[known])
        if task in ("tokens", "dense"):
            return accuracy_of_positions(output, target)
        if task == "regression" and output.numel() == target.numel():
            output = output.reshape(target.shape)
            return r2(output, target) if self._estimates(output, target) else None
        return None

    def _estimates(self, output: Tensor, target: Tensor) -> bool:
        """Whether outputs are estimates of the targets themselves, and not of their logarithm, or
        of their order, say: whether the loss would be least if they were equal, and pulls each
        towards its target.
        """
        if self.targets_transformed:
            return False
        known = self.identified_loss
        if known is None and clamps_outputs(self.looks[:8]):
            return False
        if known is not None:
            return known.loss.function in REGRESSION_LOSSES
        if self.loss_fn is None:
            return True
        try:
            right, given = (float(self.loss_fn(o.to(output), target)) for o in (target, output))
        except Exception:  # it takes outputs in another form
            return True
        return right <= given

    def answers(self, output: Tensor, default_link: str) -> Tensor:
        """The classes [N] that outputs [N, C] or [N, 1] answer. A single output for several classes
        is the number of one.

        A single output is a yes above 0 where the loss applies a sigmoid or the targets are signs,
        else above 0.5.
        `default_link` is the link of a loss that is not identified, of outputs that may be
        probabilities.
        """
        if output.ndim == 2 and output.shape[1] > 1:
            return output.argmax(1)
        if self.signed:
            return (output.reshape(-1) > 0).long()
        if self.task == "multiclass":  # the number of the class, as grades in order
            return output.reshape(-1).round().long()
        link = self.identified_loss.loss.link if self.identified_loss else default_link
        if self.identified_loss is None and bool(((output < 0) | (output > 1)).any()):
            link = "sigmoid"
        return (output.reshape(-1) > (0.0 if link == "sigmoid" else 0.5)).long()

    @cached_property
    def scores(self) -> dict[str, float]:
        """Accuracy or r2 on "train" (the sample) and "valid", where they can be computed."""
        scores = {
            "train": self.score(self.train_outputs, targets_of(self.examples)),
            "valid": self.score(self.valid_outputs, targets_of(self.valid_examples)),
        }
        return {part: value for part, value in scores.items() if value is not None}

    @cached_property
    def baseline_loss(self) -> float | None:
        """The loss of the best answer that ignores the input.

        The entropy of the classes for cross-entropy, the variance of the targets for a squared
        error; None for other losses.
        """
        if (best := baseline_from_calls(self.looks[:8], self.target)) is not None:
            return best
        t = self.target
        function = self.identified_loss.loss.function if self.identified_loss else ""
        weights = ("weight", "pos_weight")
        weighed = any(
            call.options.get(name) is not None or name in call.shapes
            for _, call in self.loss_calls
            for name in weights
        )
        if t is None or weighed:
            return None
        if self.task is not None and self.task != "regression" and function in CROSS_ENTROPIES:
            return ignorant_entropy(t, self.task)
        if function == "mse_loss" and t.is_floating_point():
            return float((t - t.mean(0)).double().square().mean())
        return None

    @cached_property
    def baseline_score(self) -> float | None:
        """The score of the best answer that ignores the input: the share of the largest class, or
        r2 = 0.
        """
        if self.target is None:
            return None
        if self.labels is not None or self.task in ("tokens", "dense"):
            known = known_positions(self.target if self.labels is None else self.labels)
            return baseline("multiclass", known) if len(known) else None
        return baseline("regression", self.target) if self.task == "regression" else None

    @cached_property
    def skill(self) -> float | None:
        """The skill score on the sample, (score - baseline) / (1 - baseline).

        0 is as good as an answer that ignores the input, 1 is perfect; of classes, the better one
        by accuracy and by their mean recall. None where there is no score.
        """
        least = self.baseline_score
        if "train" not in self.scores or least is None or least >= 1:
            return None
        skill, recall = (self.scores["train"] - least) / (1 - least), self._balanced_skill()
        return skill if recall is None else max(skill, recall)

    def _balanced_skill(self) -> float | None:
        """`balanced_skill` on the sample; None of what are no classes."""
        output, target = self.train_outputs, targets_of(self.examples)
        if self.task in ("tokens", "dense") and output is not None and target is not None:
            judged = answered_positions(output, target.cpu())
            return None if judged is None else balanced_skill(*judged)
        if self.task not in ("binary", "multiclass") or output is None or target is None:
            return None
        answers, classes = self.answers(output, "identity"), class_indices(target.cpu())
        known = classes >= 0
        return balanced_skill(answers[known], classes[known])

    @cached_property
    def probe(self) -> Look | None:
        """A full look at the network in its present state, on `sample` and in evaluation mode."""
        return self.look_at(self.examples)

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
                    output = ask(network, pair[0])
                    if self.loss_fn is None and (answer := self.answer_in(output)) is not None:
                        output = answer
                    loss = self.loss(output, pair[1])
                    loss = loss.mean() if loss.ndim else loss
                    if not loss.requires_grad:
                        why = "the loss has no gradient, as behind a step function"
                        self.not_judged.append(("probe", why))
                        return None
                    loss.backward()
                look = Look(self.steps, float(loss.detach()), full=True)
                layers.measure(look, pair[1])
            except Exception as failure:
                why = f"the network could not be looked into: {failure_text(failure)}"
                self.not_judged.append(("probe", why))
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

    @cached_property
    def lr(self) -> float | None:
        """The learning rate of the first parameter group, at the first look; of a loop without an
        optimizer, the one that its updates show.
        """
        if self.looks and self.looks[0].lr:
            return self.looks[0].lr[0]
        return None if self.facts.groups else rate_by_hand(self.looks)

    @cached_property
    def diverged_at(self) -> int | None:
        """The first step whose loss was not finite; None where all were."""
        step: int | None = self.observation.notes.get("first_not_finite")
        return step


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
