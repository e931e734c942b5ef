"""A case: everything a condition may ask of one training, measured once and only on demand.

What needs the network itself (`probe`, `outputs`, `curvature`) is None where the network, the data
or the loss are not available.
"""

from __future__ import annotations

import dataclasses
import math
import operator
import warnings
from collections.abc import Callable, Hashable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

import torch
from torch import Tensor, nn

from sevensteps.doctor.asking import SAMPLES, ask, main_target, only_tensor, set_mode
from sevensteps.doctor.finding import Finding
from sevensteps.doctor.identify_loss import (
    CROSS_ENTROPIES,
    REGRESSION_LOSSES,
    SIGN_LOSSES,
    IdentifiedLoss,
    LossFn,
    identify,
    identify_from_looks,
    lifts_own_class,
    pulled_away,
)
from sevensteps.doctor.kind_of_task import (
    accuracy_of_positions,
    answered_positions,
    are_signs,
    balanced_skill,
    class_indices,
    ignorant_entropy,
    kind_of_task,
    known_positions,
    outputs_fit,
)
from sevensteps.doctor.loss_from_calls import (
    baseline_from_calls,
    clamps_outputs,
    identify_from_calls,
    main_term,
    recodes_classes,
    transforms_targets,
)
from sevensteps.doctor.loss_purpose import is_error
from sevensteps.doctor.rate_by_hand import rate_by_hand
from sevensteps.metrics import accuracy, baseline, r2
from sevensteps.observe.call import Call, LossTerm
from sevensteps.observe.copies import copy_network
from sevensteps.observe.layer_recorder import LayerRecorder
from sevensteps.observe.look import Look
from sevensteps.observe.network_facts import LayerFacts, NetworkFacts
from sevensteps.observe.observation import Observation
from sevensteps.observe.step_hooks import StepHooks
from sevensteps.observe.structure import (
    main_output,
    rows,
    sample_count,
    spread_indices,
    tensors_of,
    to_device,
)
from sevensteps.seeds import Isolation

# inputs and targets: tensors, or tuples and dictionaries of them
Pair = tuple[Any, Any]
LIFTED = 0.9  # share of the rows whose own class a loss of classes lifts, at least
AWAY = 0.1  # share of the answers that a loss pulls away from their targets


@dataclass
class Case:
    """One training as the doctor sees it.

    `network` is in its present state. `train` and `valid` are inputs and targets as the network and
    the loss take them; `loss_fn(output, target)` gives the mean loss. What is more than a pair of
    tensors is in `data`, and only conditions that ask the network know of it: `train` and `valid`
    are then None. `networks` are those that train together, by name, where there are several; each
    is examined as a case of its own, `several`.
    `before_training`: no step has been taken yet. `recipe`, `history` and the names of the
    `classes` are known for trainings of `ss.train`.
    `score_output(output, target)` gives accuracy or r2, where it is known how to read an output.
    `why_not_retrainable` says why `recipe` cannot be trained again here, and what to do instead.
    `data_cache` holds what was worked out about the data, for other cases on the same data: of a
    training of `ss.train` it belongs to its `Data`.
    `sample_limit` samples of each part the network is evaluated on, at most.
    `findings` are those of the conditions that were asked so far. `ruled_out` is filled by the
    conditions: (condition, why not); `not_judged` by what could not be asked: (condition, why).
    """

    observation: Observation
    network: nn.Module | None = None
    train: tuple[Tensor, Tensor] | None = None
    valid: tuple[Tensor, Tensor] | None = None
    loss_fn: LossFn | None = None
    before_training: bool = False
    recipe: Any = None
    history: list[dict[str, Any]] = field(default_factory=list)
    score_output: Callable[[Tensor, Tensor], float] | None = None
    why_not_retrainable: str = ""
    data_cache: dict[Hashable, Any] = field(default_factory=dict)
    findings: list[Finding] = field(default_factory=list)
    ruled_out: list[tuple[str, str]] = field(default_factory=list)
    not_judged: list[tuple[str, str]] = field(default_factory=list)
    several: bool = False
    classes: tuple[str, ...] = ()
    networks: dict[str, nn.Module] = field(default_factory=dict)
    data: dict[str, Pair] = field(default_factory=dict)
    sample_limit: int = SAMPLES
    _worked_out: dict[str, Any] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.hand_over("train", self.train)
        self.hand_over("valid", self.valid)

    def hand_over(self, part: str, pair: Pair | None) -> None:
        """Take `pair` for the "train" or the "valid" data; what was worked out of others goes."""
        if not _same_tensors(pair, self.part(part)):
            self.data_cache = {}
            self._forget()
        plain = pair is None or all(isinstance(tensor, Tensor) for tensor in pair)
        self.data.pop(part, None)
        if pair is not None and not plain:
            self.data[part] = pair
        setattr(self, part, pair if plain else None)

    def part(self, name: str) -> Pair | None:
        """The "train" or the "valid" data, whatever form they have; None where there are none."""
        own: Pair | None = self.train if name == "train" else self.valid
        return self.data.get(name, own)

    def once(self, name: str, compute: Callable[[], Any]) -> Any:
        """What `compute()` gives, worked out once for this case and its data."""
        if name not in self._worked_out:
            self._worked_out[name] = compute()
        return self._worked_out[name]

    def _forget(self) -> None:
        """Work every value out again when it is next asked for."""
        self._worked_out = {}
        for kind in type(self).__mro__:
            for name, member in vars(kind).items():
                if isinstance(member, cached_property):
                    vars(self).pop(name, None)

    @property
    def names(self) -> tuple[str, ...]:
        """The names of the networks that train together; none where there is only one."""
        networks = self.observation.networks
        return () if networks == ("",) else networks

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

        One that was not observed comes after the one before it in the order of construction, and a
        function before the layer that it is called for.
        """
        seen = self.looks[0].signals if self.looks else ()
        order = {name: float(place) for place, name in enumerate(seen)}
        places, place = dict[str, tuple[float, bool]](), -1.0
        for name in self.facts.layers:
            place = order.get(name, place)
            places[name] = place, name not in order
        for name in places.keys() - order.keys():
            if name.endswith(".input"):  # a function that is called before this layer
                before, unseen = places.get(name.removesuffix(".input"), places[name])
                places[name] = before - 0.5, unseen
        layers = sorted(self.facts.layers.values(), key=lambda layer: places[layer.name])
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
    def examples(self) -> Pair | None:
        """At most `sample_limit` training samples in whatever form, spread over the training data.

        Without the training data, the samples that watching stored; None where there are none.
        """
        if (pair := self.part("train")) is not None:
            return subset(pair, self.sample_limit)
        observation = self.observation
        if observation.x is None or observation.y is None:
            return None
        inputs = getattr(observation, "inputs", None)
        count = sample_count(inputs)
        # without its other arguments the network gives no answer
        if inputs is not None and (count == len(observation.x) or len(tensors_of(inputs)) > 1):
            return subset((inputs, observation.targets), self.sample_limit)
        return subset((observation.x, observation.y), self.sample_limit)

    @cached_property
    def valid_examples(self) -> Pair | None:
        """The validation data; where a network takes long to answer, only as many of them as
        `sample_limit`, spread over all.
        """
        pair = self.part("valid")
        if pair is None or self.sample_limit >= SAMPLES:
            return pair
        return subset(pair, self.sample_limit)

    @cached_property
    def sample(self) -> tuple[Tensor, Tensor] | None:
        """The `examples`, where inputs and targets are one tensor each."""
        if self.examples is None:
            return None
        inputs, targets = map(only_tensor, self.examples)
        return None if inputs is None or targets is None else (inputs, targets)

    @cached_property
    def target(self) -> Tensor | None:
        """The targets of all training data; without them, those of the batches looked at."""
        if (pair := self.part("train")) is not None:
            return main_target(pair[1])
        batches = [look.target for look in self.looks if look.target is not None]
        same = [t for t in batches if t.shape[1:] == batches[0].shape[1:]]
        return torch.cat(same) if same else self.observation.y

    @cached_property
    def task(self) -> str | None:
        """The kind of task: "multiclass", "binary", "multilabel", "tokens", "dense" or
        "regression".

        Read off the targets and the shape of the output; None where there are no targets, or it is
        not known what they are to the outputs.
        """
        if self.target is None or self.target.numel() == 0 or self.target.ndim == 0:
            return None
        if self.signed:
            return "binary" if self.target.numel() == len(self.target) else "multilabel"
        return kind_of_task(self.target, self._output_shape())

    @cached_property
    def signed(self) -> bool:
        """Whether the targets are -1 for no and 1 for yes, and the signs of as many outputs answer.

        Where a function that compares numbers is called, they are numbers. By its gradients alone
        a hinge loss is not told from such a one, while no answer is beyond the margin.
        """
        if self.target is None or self.target.numel() == 0 or not are_signs(self.target):
            return False
        shape, known = self._output_shape(), self.identified_loss
        one = shape is None or math.prod(shape[1:]) == math.prod(self.target.shape[1:])
        if known is None or known.loss.function in SIGN_LOSSES:
            return one
        return one and known.call is None and known.loss.function in REGRESSION_LOSSES

    def _output_shape(self) -> tuple[int, ...] | None:
        """The shape of the network's answer to one batch; None where it is not known."""
        shapes = (look.output.shape for look in self.looks if look.output is not None)
        if (shape := next(shapes, None)) is not None:
            return tuple(shape)
        return None

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
        by_call = identify_from_calls(self.looks[:8])
        if by_call is None and clamps_outputs(self.looks[:8]):
            return None  # within the clamp its gradient is that of a loss without it
        return by_call or by_gradient

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

    @property
    def bootstrapped(self) -> bool:
        """Whether the targets come of the network's own answers: they move with the training, and
        its loss is no measure of how well it goes.
        """
        return bool(self.observation.notes.get("bootstrapped"))

    @cached_property
    def loss_is_error(self) -> bool:
        """Whether the loss measures how far outputs are from targets that are data, so that its
        curve says how well the training goes.

        That of a policy, of networks that play against each other, of distances between codes or of
        a density does not. What is not known is no error: nobody is to be accused by it.
        """
        if self.recipe is not None or self.score_output is not None or self.before_training:
            return True
        if self.bootstrapped:
            return False
        if (known := is_error(self.looks)) is not None:
            return known
        return self._may_be_error and self.answers_fit(self.target, self._output_shape())

    @cached_property
    def targets_transformed(self) -> bool:
        """Whether the outputs are compared with something else than the targets that are known:
        with numbers made of them, by the call of the loss function, or because the loss pulls
        outputs away from them.
        """
        if transforms_targets(self.looks[:8]):
            return True
        return self.identified_loss is None and pulled_away(self.looks) > AWAY

    @property
    def _may_be_error(self) -> bool:
        """Whether nothing speaks against a loss that compares outputs with targets that are data,
        the shape of the outputs apart.
        """
        if self.bootstrapped:
            return False
        if (known := is_error(self.looks)) is not None:
            return known
        if self.identified_loss is not None:
            return True
        negative = any(value < 0 for _, value in self.smoothed_losses)
        return not (self.several or negative)

    def answers_fit(self, target: Tensor | None, shape: tuple[int, ...] | None) -> bool:
        """Whether outputs of this shape can be answers to these targets."""
        if target is None or target.numel() == 0:
            return False
        if self.identified_loss is not None:
            return True
        return shape is not None and outputs_fit(shape, target) and not self.read_otherwise

    @cached_property
    def read_otherwise(self) -> bool:
        """Whether the largest output is not the answer, though there are as many as classes: they
        are compared with thresholds of grades in order, or are codes, by what their loss pulls at.
        """
        if recodes_classes(self.looks[:8]):
            return True
        unknown = self.task == "multiclass" and self.identified_loss is None
        lifted = lifts_own_class(self.looks) if unknown else None
        return lifted is not None and lifted < LIFTED

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
        if task is None or not self._may_be_error:
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

    # -- learning rate and losses ------------------------------------------------------------------

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


def subset(pair: Pair, most: int) -> Pair:
    """At most `most` samples of a pair, spread over all."""
    count = sample_count(pair[0])
    if count <= most:
        return pair
    chosen = spread_indices(count, most)
    return rows(pair[0], chosen), rows(pair[1], chosen)


def _same_tensors(pair: Pair | None, other: Pair | None) -> bool:
    """Whether two pairs hold the very same inputs and targets."""
    if pair is None or other is None:
        return pair is other
    return len(pair) == len(other) and all(map(operator.is_, pair, other))


def targets_of(pair: Pair | None) -> Tensor | None:
    """The main targets of a pair."""
    return None if pair is None else main_target(pair[1])


def remove_user_hooks(network: nn.Module) -> None:
    """Take off a network what its user hooked on to it, and may write to a log. Hooks that are part
    of it stay: those of PyTorch's `weight_norm`, `spectral_norm`, `prune`.
    """
    for module in network.modules():
        for hooks in (module._forward_hooks, module._forward_pre_hooks, module._backward_hooks):
            for key, hook in list(hooks.items()):
                if not type(hook).__module__.startswith("torch."):
                    del hooks[key]
