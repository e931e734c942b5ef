"""Changes of a recipe: a remedy's, and one drawn at random that is no larger, to compare the remedy with.

A change is `{step: value as text}`. Beside the seven it may name the data: `{"data": "standardize()"}` scales inputs, and the targets
of a regression, to mean 0 and standard deviation 1.
"""

from __future__ import annotations

import dataclasses
import inspect
import math
from collections.abc import Callable, Mapping
from typing import Any

import torch

from sevensteps.data import Data, Part, source
from sevensteps.data.scaling import Scaling, learn
from sevensteps.errors import Error, NotationError
from sevensteps.notation import auto
from sevensteps.recipe import Recipe, settle
from sevensteps.steps import STEPS, catalog, parse

Change = dict[str, str]
STANDARDIZE, UNIT = "standardize()", "unit()"
TRIES = 12  # draws until a random change fits the rest of the recipe
NEVER = ("auto", "given", "loader", "module", "as_given", "finite_differences")  # not drawn: they need more than a name, or hours


def changed(recipe: Recipe, change: Mapping[str, str]) -> Recipe:
    """`recipe` with the values of `change`. Raises `NotationError` for a step or value that there is not."""
    given: dict[str, Any] = {}
    for step, text in change.items():
        if step == "data":
            given[step] = scaled(recipe.data, text)
        elif step in STEPS:
            given[step] = parse(step, text)
        else:
            raise NotationError(f"a change names one of {', '.join(STEPS)} or data, not {step!r}")
    return dataclasses.replace(recipe, **given)


def scaled(data: str | Data, text: str) -> str | Data:
    """The same data with inputs (and the targets of a regression) standardised, or with inputs from -1 to 1 (`unit()`).

    Data by name stay a name: `speed` becomes `speed(scale='standardize', target_scale='standardize')`.
    """
    if text not in (STANDARDIZE, UNIT):
        raise NotationError(f'a change of the data is "{STANDARDIZE}" or "{UNIT}", not {text!r}')
    name = text.removesuffix("()")
    if isinstance(data, str):
        held: Any = source(data)
        has = {field.name for field in dataclasses.fields(held)} & ({"scale", "target_scale"} if name == "standardize" else {"scale"})
        return str(dataclasses.replace(held, **dict.fromkeys(has, name)).text)
    inputs = learn(name, data.train.x)
    targets = learn(name, data.train.y) if data.task.kind == "regression" and name == "standardize" else learn("none", data.train.y)

    def part(held: Part) -> Part:
        return Part(inputs(held.x), targets(held.y) if data.task.kind == "regression" else held.y)

    return dataclasses.replace(data, train=part(data.train), valid=part(data.valid), scaling=_after(data.scaling, inputs),
                               target_scaling=_after(data.target_scaling, targets))


def _after(first: Scaling, second: Scaling) -> Scaling:
    """Both, one after the other: (raw - a) / b, then (that - c) / d, is (raw - (a + b c)) / (b d)."""
    return Scaling(second.name, first.offset + first.scale * second.offset, first.scale * second.scale)


def at_random(held: Mapping[str, Any], change: Mapping[str, str], draw: torch.Generator,
              fits: Callable[[Change], object] = lambda change: None) -> Change | None:
    """A change of the same steps as `change`, no larger, drawn at random; `held` are the values that there are. None where there is none.

    Where the remedy multiplies a number by f, this multiplies it by f^u, with u between -1 and 1 at random. Where it takes another
    value of the step, so does this one: any that is neither the old nor the new, and for which `fits` raises no `sevensteps.Error`.
    """
    for _ in range(TRIES):
        drawn = {step: _drawn(held.get(step), step, text, draw) for step, text in change.items()}
        kept = {step: text for step, text in drawn.items() if text is not None}
        if len(kept) < len(drawn):
            return None
        try:
            fits(kept)
        except Error:
            continue
        return kept
    return None


def of_recipe(recipe: Recipe) -> Callable[[Change, torch.Generator], Change | None]:
    """`at_random` for `recipe`: what is drawn fits its other values."""
    return lambda change, draw: at_random(recipe.steps, change, draw, lambda drawn: settle(changed(recipe, drawn)))


def _drawn(old: Any, step: str, text: str, draw: torch.Generator) -> str | None:
    if step == "data":
        return UNIT if text == STANDARDIZE else STANDARDIZE
    new = parse(step, text)
    if type(old) is type(new) and (moved := _moved(old, new, draw)) is not None:
        return repr(moved)
    others = [entry.name for entry in catalog(step) if entry.name not in (type(old).__name__, type(new).__name__, *NEVER)]
    bare = [name for name in others if _bare(step, name)]
    return f"{bare[int(torch.randint(len(bare), (), generator=draw))]}()" if bare else None


def _bare(step: str, name: str) -> bool:
    try:
        return not isinstance(parse(step, f"{name}()"), auto)
    except Error:
        return False


def _moved(old: Any, new: Any, draw: torch.Generator) -> Any:
    """`old` with each number that `new` multiplies by f multiplied by f^u; None where they differ in something else."""
    if hasattr(old, "widths"):
        return _widths(old, new, draw)
    given: dict[str, Any] = {}
    for field in dataclasses.fields(old):
        before, after = getattr(old, field.name), getattr(new, field.name)
        if before == after:
            continue
        if not all(isinstance(v, int | float) and not isinstance(v, bool) and v > 0 for v in (before, after)):
            return None
        other = before * (after / before) ** _exponent(draw)
        given[field.name] = max(1, round(other)) if isinstance(before, int) else float(f"{other:.2g}")
    return dataclasses.replace(old, **given) if given else None


def _widths(old: Any, new: Any, draw: torch.Generator) -> Any:
    if not old.widths or len(old.widths) != len(new.widths):
        return None
    factor = math.prod(n / o for n, o in zip(new.widths, old.widths, strict=True)) ** (1 / len(old.widths))
    power = _exponent(draw)
    return rebuilt(old, widths=tuple(max(1, round(w * factor ** power)) for w in old.widths))


def _exponent(draw: torch.Generator) -> float:
    return float(torch.rand((), generator=draw)) * 2 - 1


def rebuilt(held: Any, **given: Any) -> Any:
    """A step's value with other arguments; the rest as in `held`."""
    star: tuple[Any, ...] = ()
    named: dict[str, Any] = {}
    for name, parameter in inspect.signature(type(held)).parameters.items():
        value = given.get(name, getattr(held, name))
        if parameter.kind is parameter.VAR_POSITIONAL:
            star = value
        elif parameter.kind is parameter.VAR_KEYWORD:
            named |= value
        else:
            named[name] = value
    return type(held)(*star, **named)
