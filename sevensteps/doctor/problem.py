"""What a training is about, as the doctor knows it: what was observed, the data, the kind of task,
the loss; worked out once and only on demand.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Hashable
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

import torch
from torch import Tensor, nn

from sevensteps.doctor.asking import SAMPLES, main_target, only_tensor
from sevensteps.doctor.distances import are_distances
from sevensteps.doctor.finding import Finding
from sevensteps.doctor.identify_loss import (
    REGRESSION_LOSSES,
    SIGN_LOSSES,
    IdentifiedLoss,
    LossFn,
    identify_from_looks,
    lifts_own_class,
    pulled_away,
)
from sevensteps.doctor.kind_of_task import (
    are_signs,
    class_indices,
    kind_of_task,
    outputs_fit,
)
from sevensteps.doctor.loss_from_calls import (
    clamps_outputs,
    identify_from_calls,
    recodes_classes,
    transforms_targets,
)
from sevensteps.doctor.loss_purpose import is_error
from sevensteps.doctor.pairs import Pair, same_tensors, subset
from sevensteps.observe.call import Call, LossTerm
from sevensteps.observe.look import Look
from sevensteps.observe.network_facts import LayerFacts, NetworkFacts
from sevensteps.observe.observation import Observation
from sevensteps.observe.structure import sample_count, tensors_of

LIFTED = 0.9  # share of the rows whose own class a loss of classes lifts, at least
AWAY = 0.1  # share of the answers that a loss pulls away from their targets


@dataclass
class Problem:
    """One training as it was observed, and what it was to learn.

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
        if not same_tensors(pair, self.part(part)):
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
        return self.may_be_error and self.answers_fit(self.target, self._output_shape())

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
    def may_be_error(self) -> bool:
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
        are compared with thresholds of grades in order, or are codes, by what their loss pulls at;
        or a single output is no yes, but a distance.
        """
        if recodes_classes(self.looks[:8]):
            return True
        if self.task == "binary" and self.identified_loss is None and are_distances(self.looks):
            return True
        unknown = self.task == "multiclass" and self.identified_loss is None
        lifted = lifts_own_class(self.looks) if unknown else None
        return lifted is not None and lifted < LIFTED

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
