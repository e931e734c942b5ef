"""The field: recipes made ready beside each other, those that can be trained together put into
lanes, and the lanes run.
"""

from __future__ import annotations

from collections.abc import Hashable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from sevensteps.data import Data
from sevensteps.engine.ensemble.compatibility import structure
from sevensteps.engine.ensemble.vmapped import vmap_refusal
from sevensteps.engine.parameters import multiplications
from sevensteps.errors import Error
from sevensteps.steps.gradient import autograd, chain_rule
from sevensteps.steps.repeat import loader
from sevensteps.training.recipe import PRECISIONS, Recipe
from sevensteps.training.resolve import Settled, settle

# multiplications of one network's step: below it a batch for each costs less than a step for each,
# measured at 784-30-10
SMALL_STEP = 2e6
# parameters trained together: of 784-30-10, 24 to 32 networks were measured a fifth faster than 16,
# or 64
PARAMETERS_IN_CACHE = 800_000
ALWAYS_TOGETHER = 16  # networks that are together however large they are
PROBE_SAMPLES = 4  # samples with which it is tried whether networks can be trained together
# networks over the same batches from which on they are worth a lane of their own, however little
# the work
SMALLEST_GROUP = 4


@dataclass
class LockstepPlan:
    """Recipes that are trained together, by their numbers, or one that is trained alone, and why.

    With `own` they have the samples each in an order of its own.
    """

    numbers: list[int]
    own: bool = False
    why: str = ""


def resolve_all(recipes: Sequence[Recipe], data_dir: Path | str | None = None) -> list[Settled]:
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


def plan_groups(settled: Sequence[Settled]) -> list[LockstepPlan]:
    """Who is trained together: the same data, layers, shapes, loss and batches, the chain rule, and
    the same order or little work.
    """
    found, alike = list[LockstepPlan](), dict[Hashable, list[int]]()
    for number, one in enumerate(settled):
        if why := _why_alone(one):
            found.append(LockstepPlan([number], why=why))
        else:
            alike.setdefault(_compatibility_key(one), []).append(number)
    for numbers in alike.values():
        if len(numbers) > 1 and (why := why_not_together([settled[number] for number in numbers])):
            found += [LockstepPlan([number], why=why) for number in numbers]
            continue
        orders: dict[int | None, list[int]] = {}
        for number in numbers:
            orders.setdefault(order_seed(settled[number]), []).append(number)
        few = [number for same in orders.values() if len(same) < SMALLEST_GROUP for number in same]
        if (
            len(orders) > 1
            and len(few) > 1
            and _multiplications_per_step(settled[numbers[0]]) < SMALL_STEP
        ):
            found.append(LockstepPlan(sorted(few), own=True))
            orders = {order: same for order, same in orders.items() if len(same) >= SMALLEST_GROUP}
        found += [
            LockstepPlan(
                some,
                why=""
                if len(some) > 1
                else "no other recipe has its network and its order of the samples",
            )
            for same in orders.values()
            for some in _split_for_cache(same, settled[same[0]])
        ]
    return sorted(found, key=lambda group: group.numbers[0])


def _split_for_cache(numbers: list[int], one: Settled) -> list[list[int]]:
    """The networks in parts of about the same size, as many in each as the processor's cache holds;
    so few parts as can be.
    """
    size = max(
        ALWAYS_TOGETHER,
        PARAMETERS_IN_CACHE // max(1, sum(p.numel() for p in one.network.parameters())),
    )
    parts = -(-len(numbers) // size)
    return [
        numbers[len(numbers) * part // parts : len(numbers) * (part + 1) // parts]
        for part in range(parts)
    ]


def _why_alone(one: Settled) -> str:
    recipe = one.recipe
    if not isinstance(recipe.gradient, chain_rule | autograd):
        return f"its gradient is {recipe.gradient!r}"
    if recipe.precision == "bf16":
        return "it multiplies in bf16"
    return "its batches come from a loader of yours" if isinstance(recipe.repeat, loader) else ""


def _compatibility_key(one: Settled) -> Hashable:
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


def order_seed(one: Settled) -> int | None:
    """The seed that decides the order of the samples; None where nothing does."""
    repeat = one.recipe.repeat
    if not getattr(repeat, "shuffle", False):
        return None
    return one.recipe.seed if repeat.order is None else int(repeat.order)


def why_not_together(several: Sequence[Settled]) -> str:
    """Why networks without a written chain rule cannot be trained together, if so."""
    first = several[0]
    if not isinstance(first.recipe.gradient, autograd):
        return ""
    x, y = (part[:PROBE_SAMPLES] for part in (first.data.train.x, first.data.train.y))
    dtype, target = PRECISIONS[first.recipe.precision], first.output.encode(y)
    return (
        vmap_refusal(
            [one.network for one in several],
            first.recipe.loss,
            x.to(dtype) if x.is_floating_point() else x,
            target.to(dtype) if target.is_floating_point() else target,
        )
        or ""
    )


def _multiplications_per_step(one: Settled) -> float:
    samples = len(one.data.train)
    return float(
        multiplications(one.network, tuple(one.data.train.x.shape[1:]))
        * samples
        / one.recipe.repeat.count(samples)
    )
