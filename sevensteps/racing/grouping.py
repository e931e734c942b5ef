"""Grouping: which recipes of a race are trained together, in lockstep, and why others are not."""

from __future__ import annotations

from collections.abc import Hashable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from sevensteps.data import Data
from sevensteps.engine.ensemble.compatibility import structure
from sevensteps.engine.ensemble.vmapped import vmap_refusal
from sevensteps.engine.parameters import multiplications
from sevensteps.errors import Error
from sevensteps.steps.gradient import autograd, chain_rule, compiled
from sevensteps.steps.repeat import loader
from sevensteps.training.recipe import PRECISIONS, Recipe
from sevensteps.training.resolve import ResolvedRecipe, resolve

# multiplications of one network's step: below it, different batches for all networks in one call
# cost less than a call for each network; measured at 784-30-10
SMALL_STEP = 2e6
# parameters trained together: of 784-30-10, 24 to 32 networks were measured a fifth faster than 16,
# or 64
PARAMETERS_IN_CACHE = 800_000
ALWAYS_TOGETHER = 16  # networks that are trained together however large they are
PROBE_SAMPLES = 4  # samples on which it is tried whether networks can be trained together
SMALLEST_GROUP = 4  # networks over the same batches that are worth a group, however small the step


@dataclass
class LockstepPlan:
    """Recipes that are trained together: their numbers in the race.

    With `own_order` each goes through the samples in an order of its own. A plan of one recipe says
    in `why_alone` why it is trained alone.
    """

    numbers: list[int]
    own_order: bool = False
    why_alone: str = ""


def resolve_all(
    recipes: Sequence[Recipe], data_dir: Path | str | None = None
) -> list[ResolvedRecipe]:
    """The resolved recipes, in order; data that several are trained on are loaded once.

    Raises the errors of `resolve`, with the number of the recipe.
    """
    loaded: dict[Hashable, Data] = {}
    all_resolved = []
    for number, recipe in enumerate(recipes, 1):
        key = recipe.data if isinstance(recipe.data, str) else id(recipe.data)
        try:
            resolved = resolve(recipe, data_dir, loaded.get(key), alone=False)
        except Error as failure:
            prefix = f"recipe {number} of {len(recipes)}: " if len(recipes) > 1 else ""
            raise type(failure)(f"{prefix}{failure}") from None
        loaded[key] = resolved.data
        all_resolved.append(resolved)
    return all_resolved


def plan_groups(resolved: Sequence[ResolvedRecipe]) -> list[LockstepPlan]:
    """The groups that are trained together, in the order of their first recipes.

    Recipes of a group have the same data, layers, shapes, loss and batches, a written chain rule or
    autograd, and the same order of the samples, or steps so small that each can have its own.
    """
    plans, compatible = list[LockstepPlan](), dict[Hashable, list[int]]()
    for number, entry in enumerate(resolved):
        if why_alone := _why_alone(entry):
            plans.append(LockstepPlan([number], why_alone=why_alone))
        else:
            compatible.setdefault(_compatibility_key(entry), []).append(number)
    for numbers in compatible.values():
        entries = [resolved[number] for number in numbers]
        if len(numbers) > 1 and (why_alone := why_not_together(entries)):
            plans += [LockstepPlan([number], why_alone=why_alone) for number in numbers]
            continue
        by_order: dict[int | None, list[int]] = {}
        for number in numbers:
            by_order.setdefault(order_seed(resolved[number]), []).append(number)
        scattered = [
            number for same in by_order.values() if len(same) < SMALLEST_GROUP for number in same
        ]
        small_step = _multiplications_per_step(entries[0]) < SMALL_STEP
        if len(by_order) > 1 and len(scattered) > 1 and small_step:
            plans.append(LockstepPlan(sorted(scattered), own_order=True))
            by_order = {
                order: same for order, same in by_order.items() if len(same) >= SMALLEST_GROUP
            }
        for same in by_order.values():
            for together in _split_for_cache(same, resolved[same[0]]):
                lonely = "no other recipe has its network and its order of the samples"
                why_alone = "" if len(together) > 1 else lonely
                plans.append(LockstepPlan(together, why_alone=why_alone))
    return sorted(plans, key=lambda plan: plan.numbers[0])


def _split_for_cache(numbers: list[int], entry: ResolvedRecipe) -> list[list[int]]:
    """The numbers in as few parts as the processor's cache allows, all of about the same size."""
    parameters = sum(p.numel() for p in entry.network.parameters())
    size = max(ALWAYS_TOGETHER, PARAMETERS_IN_CACHE // max(1, parameters))
    parts = -(-len(numbers) // size)
    return [
        numbers[len(numbers) * part // parts : len(numbers) * (part + 1) // parts]
        for part in range(parts)
    ]


def _why_alone(entry: ResolvedRecipe) -> str:
    """Why a recipe is trained alone whatever the others are; "" if it need not be."""
    recipe = entry.recipe
    if not isinstance(recipe.gradient, chain_rule | compiled | autograd):
        return f"its gradient is {recipe.gradient!r}"
    if recipe.precision == "bf16":
        return "it multiplies in bf16"
    return "its batches come from a loader of yours" if isinstance(recipe.repeat, loader) else ""


def _compatibility_key(entry: ResolvedRecipe) -> Hashable:
    """What recipes must have in common to be trained together."""
    recipe, output = entry.recipe, entry.output
    repeat = recipe.repeat if recipe.repeat.order is None else replace(recipe.repeat, seed=None)
    return (
        id(entry.data),
        tuple(structure(entry.network)),
        recipe.device,
        recipe.precision,
        recipe.threads,
        output.size,
        output.coding,
        isinstance(recipe.gradient, autograd),
        repr(recipe.loss),
        repr(repeat),
        recipe.gradient.accumulate,
    )


def order_seed(entry: ResolvedRecipe) -> int | None:
    """The seed that decides the order of the samples; None if they are not shuffled."""
    repeat = entry.recipe.repeat
    if not getattr(repeat, "shuffle", False):
        return None
    return entry.recipe.seed if repeat.order is None else int(repeat.order)


def why_not_together(entries: Sequence[ResolvedRecipe]) -> str:
    """Why networks of the same structure cannot be trained together; "" if they can.

    Networks with a written chain rule always can. Others are tried on a few samples.
    """
    first = entries[0]
    if not isinstance(first.recipe.gradient, autograd):
        return ""
    x, y = (part[:PROBE_SAMPLES] for part in (first.data.train.x, first.data.train.y))
    dtype, target = PRECISIONS[first.recipe.precision], first.output.encode(y)
    return (
        vmap_refusal(
            [entry.network for entry in entries],
            first.recipe.loss,
            x.to(dtype) if x.is_floating_point() else x,
            target.to(dtype) if target.is_floating_point() else target,
        )
        or ""
    )


def _multiplications_per_step(entry: ResolvedRecipe) -> float:
    samples = len(entry.data.train)
    per_sample = multiplications(entry.network, tuple(entry.data.train.x.shape[1:]))
    return float(per_sample * samples / entry.recipe.repeat.count(samples))
