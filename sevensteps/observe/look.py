"""One look: what every layer, unit and parameter did in one step of a training, as numbers.

A look only reads. Its tensors are small copies: one number per unit, and a few rows of input,
output and target.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace

from torch import Tensor

from sevensteps.observe.call import Call, LossTerm
from sevensteps.observe.compared_passes import PairDistances
from sevensteps.observe.later import LazyDict
from sevensteps.observe.network_facts import prefix_of
from sevensteps.observe.part_gradients import PartGradients
from sevensteps.observe.step_account import StepAccount


@dataclass
class Signal:
    """A layer's output over the samples of one step, per unit [U].

    `mean` and `std`; `firing`, the share of positive numbers; `flat`, the share within 1 % of the
    ends of an activation that saturates; `gradient` = √Σ (dL/dy)² over the samples. `low` and
    `high` are the least and largest number of all units; `rank` is the effective number of
    directions that vary (on full looks); `calls` how often the layer was called.
    """

    mean: Tensor
    std: Tensor
    firing: Tensor
    low: Tensor
    high: Tensor
    flat: Tensor | None = None
    gradient: Tensor | None = None
    rank: Tensor | None = None
    calls: int = 1


@dataclass
class Change:
    """A parameter in one step: lengths of its weights, of their gradient and of the true update,
    per row of its matrix [U]; of a vector as a whole, [1].
    """

    weight: Tensor
    gradient: Tensor | None = None
    update: Tensor | None = None
    distinct: int | None = None  # rows that differ from each other (on full looks)


@dataclass
class Look:
    """One step, seen from inside.

    `output`, `target` and `output_gradient` = dL/d(output) are rows of the batch, as the loss had
    them. `batch` is the number of samples; `lr` the learning rate of each optimizer group;
    `leftover_gradient` the length of the gradient that was still there when the backward pass began
    (0: cleared); `training` the network's mode; `stepped` whether an optimizer updated the
    parameters; `passes` how many forward passes the step had, of which the last one's output is
    shown. Of an output of several tensors, `outputs` and `output_gradients` have each by its path,
    and `output` is the one taken for the answer. `parts` are the terms of the loss and `score` the
    score, as `watch.step` was told them; `reward` is the mean of what the loop calls a reward, of a
    policy. Of several passes, `pairs` has how far the inputs of pairs lie apart, and `pulls_alike`
    whether a judge and the network that it judges pull its answers the same way. `account` says
    what became of each parameter's gradient; of several networks, the look at each has its own.

    Of several networks, `networks` has a look at each that ran, in its own names; the look itself
    then has the signals and changes of all of them, with the network's name before, and the output
    of the last.
    """

    step: int
    loss: float
    lr: tuple[float, ...] = ()
    batch: int = 0
    training: bool = True
    leftover_gradient: float | None = None
    backwards: int = 1
    stepped: bool = True
    seconds: float = 0.0  # since watching began
    signals: Mapping[str, Signal] = field(default_factory=dict)
    changes: Mapping[str, Change] = field(default_factory=dict)
    output: Tensor | None = None
    target: Tensor | None = None
    output_gradient: Tensor | None = None
    # of the whole input, output and target
    shapes: dict[str, tuple[int, ...]] = field(default_factory=dict)
    calls: tuple[Call, ...] = ()  # of PyTorch's functions, in the order of their first time
    loss_terms: tuple[LossTerm, ...] = ()
    passes: int = 1
    outputs: dict[str, Tensor] = field(default_factory=dict)
    output_gradients: dict[str, Tensor] = field(default_factory=dict)
    parts: dict[str, float] = field(default_factory=dict)
    score: float | None = None
    reward: float | None = None
    pairs: PairDistances | None = None
    pulls_alike: bool | None = None
    full: bool = False  # whether ranks and equal rows were measured too
    networks: dict[str, Look] = field(default_factory=dict)
    account: StepAccount | None = None
    shown: str = ""  # the network whose output it shows
    # of each loss that is a sum, what its parts send into what they share (on full looks)
    part_gradients: tuple[PartGradients, ...] = ()

    def merge_signals(self) -> None:
        """Take the signals and changes of all `networks`."""
        looks = self.networks
        self.signals = LazyDict(
            lambda: {
                prefix_of(network) + name: signal
                for network, look in looks.items()
                for name, signal in look.signals.items()
            }
        )
        self.changes = LazyDict(
            lambda: {
                prefix_of(network) + name: change
                for network, look in looks.items()
                for name, change in look.changes.items()
            }
        )

    def show(self, network: str) -> None:
        """Take the output of one of the `networks` for that of the look."""
        self.shown = network
        for name in OF_ONE_NETWORK:
            setattr(self, name, getattr(self.networks[network], name))

    def of(self, network: str) -> Look | None:
        """The look at one of several networks; None where it did not run in this step."""
        if (own := self.networks.get(network)) is None:
            return None
        terms = tuple(
            term
            for term in self.loss_terms
            if term.network in (network, None) or network in term.sources
        )
        account = own.account or (self.account and self.account.of(network))
        gradients = tuple(
            one for every in self.part_gradients if (one := every.of(network)) is not None
        )
        return replace(
            own, calls=self.calls, loss_terms=terms, account=account, part_gradients=gradients
        )


# what a look at several networks shows of one of them
OF_ONE_NETWORK = (
    *("batch", "training", "leftover_gradient", "backwards", "passes"),
    *("output", "target", "output_gradient", "outputs", "output_gradients", "shapes"),
)
