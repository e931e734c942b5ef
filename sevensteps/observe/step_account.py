"""The account of one step: what became of each parameter's gradient, from the backward pass to the
change of the weights.
"""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

from sevensteps.observe.later import LazyDict
from sevensteps.observe.network_facts import prefix_of


@dataclass(frozen=True)
class ParameterAccount:
    """One parameter in one step. Norms are √Σ over its entries, of very large parameters estimated
    from many of them.

    `group` is the optimizer group that updates it (None: no optimizer that is known does); `passes`
    how many backward passes reached it in this step, `accumulated` how many are summed in its
    gradient; `discarded` those whose gradient was cleared before any optimizer used it.
    `leftover` is the norm of what an earlier optimizer step had used already and the gradient now
    in use still contains (0: it was cleared; None: not known). `gradient` is the gradient's norm
    after the last backward pass, `used` at the optimizer's step, divided by the scale where the
    optimizer itself does so; `stepped` says whether its optimizer used the gradient in this step.
    `weight` and `update` are root mean squares of the weights and of their true change; `pushed`
    counts the sampled entries with a gradient that is not 0, `unmoved` those of them that did not
    change: all of them in some looks only, else None and 0.
    """

    size: int
    dtype: str
    group: int | None = None
    passes: int = 0
    accumulated: int = 0
    discarded: int = 0
    leftover: float | None = None
    gradient: float | None = None
    used: float | None = None
    stepped: bool = False
    weight: float | None = None
    update: float | None = None
    pushed: int = 0
    unmoved: int = 0


@dataclass(frozen=True)
class GroupAccount:
    """An optimizer group in one step: its settings when the optimizer stepped, at the end where it
    did not.

    `optimizer` is the optimizer's number, `steps` how often it stepped; `initial_lr` is there where
    a schedule changes `lr`; `scale` is what a `GradScaler` had multiplied the loss by; `built_lr`
    is the rate that the optimizer was built with, for groups without one of their own.
    """

    optimizer: int
    kind: str
    lr: float
    initial_lr: float | None = None
    weight_decay: float = 0.0
    steps: int = 0
    scale: float | None = None
    built_lr: float | None = None


@dataclass(frozen=True)
class Stranger:
    """A parameter that a gradient reaches and that no module registers and no optimizer has.

    `place` says where the network has it, as `hidden[0].weight`; `length` is √Σ w².
    """

    place: str
    shape: tuple[int, ...]
    length: float


@dataclass(frozen=True)
class StepAccount:
    """What became of the gradient in one step, per parameter and per optimizer group.

    `strangers` is None where they were not looked for. `rootless`: the loss requires a gradient,
    and has no graph behind it.
    """

    parameters: Mapping[str, ParameterAccount] = field(default_factory=dict)
    groups: tuple[GroupAccount, ...] = ()
    strangers: tuple[Stranger, ...] | None = None
    rootless: bool = False

    @property
    def leftover(self) -> float:
        """The norm of all that was left over."""
        return joint_norm(p.leftover for p in self.parameters.values())

    def of(self, network: str) -> StepAccount:
        """The account of one of several networks, in its own names."""
        start = prefix_of(network)
        return dataclasses.replace(
            self,
            parameters=LazyDict(
                lambda: {
                    name.removeprefix(start): p
                    for name, p in self.parameters.items()
                    if name.startswith(start)
                }
            ),
            strangers=None
            if self.strangers is None
            else tuple(
                dataclasses.replace(s, place=s.place.removeprefix(start))
                for s in self.strangers
                if s.place.startswith(start)
            ),
        )

    def of_optimizer(self, optimizer: int) -> dict[str, ParameterAccount]:
        """The parameters that the optimizer of that number updates."""
        groups = {i for i, group in enumerate(self.groups) if group.optimizer == optimizer}
        return {name: p for name, p in self.parameters.items() if p.group in groups}

    def to_dict(self) -> dict[str, Any]:
        """All of it as JSON can hold it: for each parameter a row of its fields' values."""
        return {
            "parameters": {n: list(dataclasses.astuple(p)) for n, p in self.parameters.items()},
            "groups": [dataclasses.asdict(group) for group in self.groups],
            "strangers": None
            if self.strangers is None
            else [dataclasses.asdict(stranger) for stranger in self.strangers],
            "rootless": self.rootless,
        }

    @classmethod
    def from_dict(cls, record: dict[str, Any]) -> StepAccount:
        """The account that `to_dict` wrote.

        Raises `KeyError`, `TypeError` or `ValueError` for anything else.
        """
        strangers = record["strangers"]
        return cls(
            {str(name): ParameterAccount(*row) for name, row in record["parameters"].items()},
            tuple(GroupAccount(**group) for group in record["groups"]),
            None
            if strangers is None
            else tuple(Stranger(s["place"], tuple(s["shape"]), s["length"]) for s in strangers),
            bool(record["rootless"]),
        )


def joint_norm(norms: Iterable[float | None]) -> float:
    """√Σ norm² over those that are known: the norm of all of them as one vector."""
    return math.sqrt(sum(norm * norm for norm in norms if norm is not None))
