"""The field: recipes made ready beside each other, those that can be trained together put into
lanes, and the lanes run.
"""

from __future__ import annotations

import functools
from collections.abc import Callable, Hashable, Iterable, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

from sevensteps.data import Data
from sevensteps.engine.ensemble.compatibility import structure
from sevensteps.engine.ensemble.vmapped import stackable
from sevensteps.engine.parameters import multiplications
from sevensteps.errors import ArgumentError, Error
from sevensteps.racing.lockstep_loop import Lane, Member
from sevensteps.steps.gradient import autograd, chain_rule
from sevensteps.steps.repeat import loader
from sevensteps.training import interrupts, state
from sevensteps.training import threads as thread_count
from sevensteps.training.recipe import PRECISIONS, Recipe
from sevensteps.training.resolve import Settled, settle
from sevensteps.training.state import Training

# multiplications of one network's step: below it a batch for each costs less than a step for each,
# measured at 784-30-10
LITTLE = 2e6
# parameters trained together: of 784-30-10, 24 to 32 networks were measured a fifth faster than 16,
# or 64
CACHED = 800_000
MANY = 16  # networks that are together however large they are
TRIED = 4  # samples with which it is tried whether networks can be trained together
# networks over the same batches from which on they are worth a lane of their own, however little
# the work
FEW = 4


@dataclass
class Group:
    """Recipes that are trained together, by their numbers, or one that is trained alone, and why.

    With `own` they have the samples each in an order of its own.
    """

    numbers: list[int]
    own: bool = False
    why: str = ""


def settle_all(recipes: Sequence[Recipe], data_dir: Path | str | None = None) -> list[Settled]:
    """Settle each recipe; what several are trained on is loaded once. Raises what `settle` raises,
    with the recipe it is about.
    """
    loaded: dict[Hashable, Data] = {}
    settled = []
    for number, recipe in enumerate(recipes, 1):
        key = recipe.data if isinstance(recipe.data, str) else id(recipe.data)
        try:
            found = settle(recipe, data_dir, loaded.get(key))
        except Error as failure:
            raise type(failure)(
                f"recipe {number} of {len(recipes)}: {failure}"
                if len(recipes) > 1
                else str(failure)
            ) from None
        loaded[key] = found.data
        settled.append(found)
    return settled


def groups(settled: Sequence[Settled]) -> list[Group]:
    """Who is trained together: the same data, layers, shapes, loss and batches, the chain rule, and
    the same order or little work.
    """
    found, alike = list[Group](), dict[Hashable, list[int]]()
    for number, one in enumerate(settled):
        if why := _alone(one):
            found.append(Group([number], why=why))
        else:
            alike.setdefault(_kind(one), []).append(number)
    for numbers in alike.values():
        if len(numbers) > 1 and (why := _apart([settled[number] for number in numbers])):
            found += [Group([number], why=why) for number in numbers]
            continue
        orders: dict[int | None, list[int]] = {}
        for number in numbers:
            orders.setdefault(order_of(settled[number]), []).append(number)
        few = [number for same in orders.values() if len(same) < FEW for number in same]
        if len(orders) > 1 and len(few) > 1 and _work(settled[numbers[0]]) < LITTLE:
            found.append(Group(sorted(few), own=True))
            orders = {order: same for order, same in orders.items() if len(same) >= FEW}
        found += [
            Group(
                some,
                why=""
                if len(some) > 1
                else "no other recipe has its network and its order of the samples",
            )
            for same in orders.values()
            for some in _in_cache(same, settled[same[0]])
        ]
    return sorted(found, key=lambda group: group.numbers[0])


def _in_cache(numbers: list[int], one: Settled) -> list[list[int]]:
    """The networks in parts of about the same size, as many in each as the processor's cache holds;
    so few parts as can be.
    """
    size = max(MANY, CACHED // max(1, sum(p.numel() for p in one.network.parameters())))
    parts = -(-len(numbers) // size)
    return [
        numbers[len(numbers) * part // parts : len(numbers) * (part + 1) // parts]
        for part in range(parts)
    ]


def _alone(one: Settled) -> str:
    recipe = one.recipe
    if not isinstance(recipe.gradient, chain_rule | autograd):
        return f"its gradient is {recipe.gradient!r}"
    if recipe.precision == "bf16":
        return "it multiplies in bf16"
    return "its batches come from a loader of yours" if isinstance(recipe.repeat, loader) else ""


def _kind(one: Settled) -> Hashable:
    recipe, output = one.recipe, one.output
    repeat = recipe.repeat if recipe.repeat.order is None else replace(recipe.repeat, seed=None)
    return (
        id(one.data),
        tuple(structure(one.network)),
        recipe.device,
        recipe.precision,
        recipe.threads,
        output.size,
        output.coding,
        type(recipe.gradient),
        repr(recipe.loss),
        repr(repeat),
        recipe.gradient.accumulate,
    )


def order_of(one: Settled) -> int | None:
    """The seed that decides the order of the samples; None where nothing does."""
    repeat = one.recipe.repeat
    if not getattr(repeat, "shuffle", False):
        return None
    return one.recipe.seed if repeat.order is None else int(repeat.order)


def _apart(several: Sequence[Settled]) -> str:
    """Why networks without a written chain rule cannot be trained together, if so."""
    first = several[0]
    if not isinstance(first.recipe.gradient, autograd):
        return ""
    x, y = (part[:TRIED] for part in (first.data.train.x, first.data.train.y))
    dtype, target = PRECISIONS[first.recipe.precision], first.output.encode(y)
    return (
        stackable(
            [one.network for one in several],
            first.recipe.loss,
            x.to(dtype) if x.is_floating_point() else x,
            target.to(dtype) if target.is_floating_point() else target,
        )
        or ""
    )


def _work(one: Settled) -> float:
    samples = len(one.data.train)
    return float(
        multiplications(one.network, tuple(one.data.train.x.shape[1:]))
        * samples
        / one.recipe.repeat.count(samples)
    )


@dataclass
class Field:
    """Lanes ready to run. `members` are in the order of the recipes."""

    members: list[Member]
    lanes: list[tuple[Lane, int]] = field(repr=False)  # and its threads

    @property
    def trainings(self) -> list[Training]:
        """The trainings, in the order of the recipes."""
        return [member.training for member in self.members]


def line_up(settled: Sequence[Settled], parted: Sequence[Group] | None = None) -> Field:
    """Make trainings of recipes, in lanes as `parted`. Whoever is to look on is added to the
    members before `run`.
    """
    if not settled:
        raise ArgumentError("a race of no recipes has no winner; give at least one")
    members: dict[int, Member] = {}
    lanes = []
    for group in parted or groups(settled):
        threads, of_group = 1, list[Member]()
        for number in group.numbers:
            one = settled[number]
            threads = one.recipe.threads or thread_count.usual_threads(one, len(group.numbers))
            training = state.start(
                replace(one, recipe=replace(one.recipe, threads=threads)),
                _beside(one, members.values()),
            )
            members[number] = Member(number, training)
            of_group.append(members[number])
        lanes.append((Lane(of_group, group.own), threads))
    return Field([members[number] for number in sorted(members)], lanes)


def _beside(one: Settled, members: Iterable[Member]) -> Training | None:
    """A training that is there already and has the same samples."""
    return next(
        (member.training for member in members if state.alike(one, member.training.settled)), None
    )


def run(
    racing: Field,
    after: Callable[[Field, int], None] | None = None,
    report: Callable[[Field], None] | None = None,
) -> None:
    """Run every lane to its end, an epoch of each in turn.

    `after(field, epoch)` is called after each round, and may end members; `report(field)` after
    each step of a lane."""
    for lane, _ in racing.lanes:
        lane.report = report and functools.partial(report, racing)
    with interrupts.interruptible(*(training.progress for training in racing.trainings)):
        for lane, threads in racing.lanes:
            with thread_count.threads(threads):
                lane.begin()
        epoch = 0
        while any(lane.active for lane, _ in racing.lanes):
            for lane, threads in racing.lanes:
                if lane.active:
                    with thread_count.threads(threads):
                        lane.epoch()
            epoch += 1
            if after is not None:
                after(racing, epoch)
