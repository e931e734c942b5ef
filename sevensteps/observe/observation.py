"""What was observed of one training: looks, losses, the network's facts, and some samples."""

from __future__ import annotations

import dataclasses
import math
from dataclasses import dataclass, field
from typing import Any

import torch
from jaxtyping import Float64
from torch import Tensor

from sevensteps.observe.data_sketch import DataSketch
from sevensteps.observe.look import Look
from sevensteps.observe.loss_extremes import LossExtremes
from sevensteps.observe.loss_graph import LossGraph, Operation
from sevensteps.observe.network_facts import NetworkFacts, prefix_of
from sevensteps.observe.replay_recorder import Replay
from sevensteps.observe.samples import MAX_SAMPLES as MAX_SAMPLES
from sevensteps.observe.samples import Inputs, Samples
from sevensteps.observe.structure import tensors_of
from sevensteps.observe.torch_warnings import TrainingWarning

# What a look pins in memory is more than its few numbers: they lie between batches long freed.
MAX_LOOKS = 48
# losses, and learning rates, one by one; of longer trainings every second, fourth, … one
MAX_LOSSES = 4096


@dataclass
class Observation:
    """What was observed of one training.

    `losses` are (step, loss) of every step, thinned out when there are many, of which `extremes`
    then has the least and the largest of all steps; `rates` (step, learning rate of the first
    optimizer group) wherever it changed; `x`, `y` some of the samples, `inputs`, `targets` the same
    where there are several tensors. `networks` are the names of those watched, `("",)` where there
    is only one; with several, names of layers and parameters have the network's before them, and
    `of(network)` is the observation of one of them. `evaluations` are (step, loss, score) of each
    evaluation that `watch.valid` told of, `scores` (step, score) and `parts` (step, value) of each
    term of the loss, as `watch.step` told them. `sketch` has the data as they were fed.

    `notes` may have "loss" (its name, in a training of `ss.train`), "first_not_finite" (a step),
    "updates" (of each optimizer, how many steps changed its parameters), "evaluations_training"
    (how many evaluations ran in training mode), "left_out" (name, class and number of parameters of
    a network that gets gradients and that no optimizer has; and 2, where two optimizers have the
    same parameters, those of another one, or 1, where the parameters of none have a gradient),
    "script" (whether it was watched in a script from outside), "goes_on" (whether a script then
    trains the network on with other layers), "bootstrapped" (whether targets came of the network's
    own answers, as in Q-learning), "failure" (what went wrong in the watch, which then saw no more
    than losses), "not_seen" (sentences about what could not be seen) and "thinned" (the step from
    which on fewer were looked at than planned, because looks took too long).
    """

    facts: NetworkFacts
    looks: list[Look] = field(default_factory=list)
    losses: list[tuple[int, float]] = field(default_factory=list)
    rates: list[tuple[int, float]] = field(default_factory=list)
    graph: LossGraph | None = None
    x: Tensor | None = None
    y: Tensor | None = None
    steps: int = 0
    seconds: float = 0.0
    watching_seconds: float = 0.0  # of `seconds`
    notes: dict[str, Any] = field(default_factory=dict)
    networks: tuple[str, ...] = ("",)
    evaluations: list[tuple[int, float | None, float | None]] = field(default_factory=list)
    scores: list[tuple[int, float]] = field(default_factory=list)
    parts: dict[str, list[tuple[int, float]]] = field(default_factory=dict)
    warnings: list[TrainingWarning] = field(default_factory=list)  # of PyTorch, as they were shown
    # of each network, by its name
    samples: dict[str, Samples] = field(default_factory=dict)
    sketch: DataSketch = field(default_factory=DataSketch)
    replay: Replay | None = None  # of the first step in which something was not finite
    extremes: LossExtremes = field(default_factory=LossExtremes)  # empty where losses has them all
    _every: int = 1  # of the losses, which ones are recorded

    def record_loss(self, step: int, loss: float) -> bool:
        """Record the loss of one step. Returns whether it is finite."""
        finite = math.isfinite(loss)
        if self.extremes and finite:
            self.extremes.add(step, loss)
        if step % self._every and finite:
            return True
        self.losses.append((step, loss))
        if len(self.losses) > MAX_LOSSES:
            self._thin_losses()
        return finite

    def _thin_losses(self) -> None:
        """Keep every second of the losses; what they were at most and at least stays known."""
        if not self.extremes:
            for step, loss in self.losses:
                if math.isfinite(loss):
                    self.extremes.add(step, loss)
        self._every *= 2
        self.losses = [(s, value) for s, value in self.losses if s % self._every == 0]

    def record_losses(self, first: int, losses: Float64[Tensor, "K"]) -> None:
        """`record_loss` for each step from `first` on; all losses are finite."""
        step, end = first, first + len(losses)
        if self.extremes:
            self.extremes.add_losses(first, losses)
        while step < end:
            step += -step % self._every
            room = MAX_LOSSES + 1 - len(self.losses)
            values = losses[step - first :: self._every][:room].tolist()
            steps = range(step, step + len(values) * self._every, self._every)
            self.losses.extend(zip(steps, values, strict=True))
            step += len(values) * self._every
            if len(self.losses) > MAX_LOSSES:
                had_extremes = bool(self.extremes)
                self._thin_losses()
                if not had_extremes:
                    self.extremes.add_losses(step, losses[step - first :])

    def record_rates(self, first: int, rates: Float64[Tensor, "K"]) -> None:
        """`record_rate` for each step from `first` on."""
        last = self.rates[-1][1] if self.rates else math.nan
        changed = rates != torch.cat((rates.new_tensor([last]), rates[:-1]))
        steps = changed.nonzero().flatten()
        pairs = list(zip((steps + first).tolist(), rates[steps].tolist(), strict=True))
        while pairs:
            room = MAX_LOSSES + 1 - len(self.rates)
            self.rates += pairs[:room]
            pairs = pairs[room:]
            if len(self.rates) > MAX_LOSSES:
                del self.rates[1::2]

    def record_rate(self, step: int, lr: float) -> None:
        """Record the learning rate of one step, if it is not that of the step before."""
        if not self.rates or self.rates[-1][1] != lr:
            self.rates.append((step, lr))
        if len(self.rates) > MAX_LOSSES:
            del self.rates[1::2]

    def add_look(self, look: Look) -> None:
        """Add a look; where there are more than `MAX_LOOKS`, drop every second of the older
        ones.
        """
        self.looks.append(look)
        if len(self.looks) > MAX_LOOKS:
            self.looks[8 : MAX_LOOKS // 2] = self.looks[8 : MAX_LOOKS // 2 : 2]

    def record_evaluation(self, step: int, loss: float | None, score: float | None) -> None:
        """Record what an evaluation gave, after `step` steps."""
        self.evaluations.append((step, loss, score))
        if len(self.evaluations) > MAX_LOSSES:
            del self.evaluations[1::2]

    def note_unseen(self, what: str) -> None:
        """Note once what could not be seen."""
        sentences = self.notes.setdefault("not_seen", [])
        if what not in sentences and len(sentences) < 20:
            sentences.append(what)

    def record_score(self, step: int, score: float) -> None:
        """Record the score of one step."""
        self.scores.append((step, score))
        if len(self.scores) > MAX_LOSSES:
            del self.scores[1::2]

    def record_part(self, name: str, step: int, value: float) -> None:
        """Record a term of one step's loss."""
        values = self.parts.setdefault(name, [])
        values.append((step, value))
        if len(values) > MAX_LOSSES:
            del values[1::2]

    def add_samples(self, x: Any, y: Any) -> None:
        """`add_batch` of one network that takes one argument."""
        self.add_batch((x,), {}, y)

    def add_batch(
        self, args: tuple[Any, ...], kwargs: dict[str, Any], target: Any, network: str = ""
    ) -> None:
        """Add rows of one batch to the samples of a network, as long as there is room.

        Of inputs that another network computes only the latest are kept: those of earlier steps
        were computed with weights that it no longer has.
        """
        if any(tensor.grad_fn is not None for tensor in tensors_of((args, kwargs)).values()):
            self.samples[network] = Samples()
        if network not in self.samples:  # of a training that is resumed, there are some already
            self.samples[network] = Samples() if network else Samples(self.x, self.y)
        samples = self.samples[network]
        samples.add(args, kwargs, target)
        if network == self.networks[-1]:
            self.x, self.y = samples.x, samples.y

    @property
    def inputs(self) -> Inputs | None:
        """The arguments of the network, with some of the samples; None where there are none."""
        return self.samples[self.networks[-1]].inputs if self.networks[-1] in self.samples else None

    @property
    def targets(self) -> Any:
        """The targets of the samples in `inputs`."""
        return self.samples[self.networks[-1]].targets if self.inputs is not None else None

    def of(self, network: str) -> Observation:
        """What was observed of one of the `networks`, in its own names.

        Its losses are the part of the loss that has its name; without one those of all networks
        together.
        """
        if self.networks == (network,) and not network:
            return self
        if network not in self.networks:
            raise KeyError(network)
        facts, start = self.facts.of(network), prefix_of(network)
        looks = [own for look in self.looks if (own := look.of(network)) is not None]
        rates: list[tuple[int, float]] = []
        for look in looks:
            if look.lr and (not rates or rates[-1][1] != look.lr[0]):
                rates.append((look.step, look.lr[0]))
        graph = self.graph and dataclasses.replace(
            self.graph,
            reached=frozenset(
                name.removeprefix(start) for name in self.graph.reached if name.startswith(start)
            ),
        )
        samples = self.samples.get(network, Samples())
        return dataclasses.replace(
            self,
            facts=facts,
            looks=looks,
            losses=self.parts.get(network, self.losses),
            extremes=LossExtremes() if network in self.parts else self.extremes,
            rates=rates,
            graph=graph,
            x=samples.x,
            y=samples.y,
            networks=("",),
            samples={"": samples},
            sketch=self.sketch if network == self.sketch.network else DataSketch(),
        )

    def to_dict(self) -> dict[str, Any]:
        """Everything but looks and samples, as JSON can hold it."""
        graph = self.graph
        return {
            "facts": self.facts.to_dict(),
            "losses": self.losses,
            **({"extremes": self.extremes.to_dict()} if self.extremes else {}),
            "rates": self.rates,
            "steps": self.steps,
            "seconds": self.seconds,
            "spent": self.watching_seconds,
            "notes": self.notes,
            "networks": self.networks,
            "evaluations": self.evaluations,
            "scores": self.scores,
            "parts": self.parts,
            "sketch": self.sketch.to_dict(),
            "warnings": [dataclasses.asdict(warning) for warning in self.warnings],
            "graph": graph
            and {
                "head": [dataclasses.astuple(operation) for operation in graph.operations],
                "outside": graph.after_output,
                "whole": graph.complete,
                "reached": sorted(graph.reached),
            },
        }

    @classmethod
    def from_dict(cls, record: dict[str, Any]) -> Observation:
        """The observation that `to_dict` wrote, still without looks and samples.

        Raises `KeyError`, `TypeError` or `ValueError` for anything else.
        """
        graph = record["graph"] and LossGraph(
            tuple(Operation(*operation) for operation in record["graph"]["head"]),
            record["graph"]["outside"],
            frozenset(record["graph"]["reached"]),
            record["graph"]["whole"],
        )
        losses = [
            (int(step), math.nan if loss is None else float(loss))
            for step, loss in record["losses"]
        ]
        return cls(
            NetworkFacts.from_dict(record["facts"]),
            losses=losses,
            graph=graph,
            notes=record["notes"],
            rates=[(int(step), float(lr)) for step, lr in record["rates"]],
            steps=record["steps"],
            seconds=record["seconds"],
            watching_seconds=record["spent"],
            # not in older files
            extremes=LossExtremes.from_dict(record["extremes"])
            if "extremes" in record
            else LossExtremes(),
            networks=tuple(record.get("networks", ("",))),
            evaluations=[
                (int(step), number_or_none(loss), number_or_none(score))
                for step, loss, score in record.get("evaluations", ())
            ],
            scores=[(int(step), nan_of(score)) for step, score in record.get("scores", ())],
            warnings=[TrainingWarning(**warning) for warning in record.get("warnings", ())],
            parts={
                str(name): [(int(step), nan_of(value)) for step, value in values]
                for name, values in record.get("parts", {}).items()
            },
            sketch=DataSketch.from_dict(record["sketch"]) if "sketch" in record else DataSketch(),
        )


def nan_of(number: float | None) -> float:
    """A number as JSON holds it: what is not finite is None there."""
    return math.nan if number is None else float(number)


def number_or_none(number: float | None) -> float | None:
    """A number that may be missing."""
    return None if number is None else float(number)
