"""Changes of a recipe: a remedy's, and one drawn at random that is no larger, to compare the remedy
with.

A change is `{step: value as text}`. Beside the seven it may name the data: `{"data":
"standardize()"}` scales inputs, and the targets of a regression, to mean 0 and standard deviation
1."""

from __future__ import annotations

import dataclasses
import inspect
import math
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import torch

from sevensteps.data import Data, Part, is_loadable, source
from sevensteps.data.inputs import apply_scaling, learn_scaling
from sevensteps.data.scaling import Scaling, learn
from sevensteps.data.streaming.streamed_inputs import StreamedInputs
from sevensteps.engine.activations import activation_names
from sevensteps.errors import Error, NotationError
from sevensteps.notation import auto
from sevensteps.steps import STEPS, catalog, parse
from sevensteps.steps.step import Schedule
from sevensteps.training.recipe import Recipe
from sevensteps.training.resolve import settle

Change = dict[str, str]
STANDARDIZE, UNIT, FINITE = "standardize()", "unit()", "finite()"
TRIES = 12  # draws until a random change fits the rest of the recipe
NEVER = (
    "auto",
    "given",
    "loader",
    "module",
    "as_given",
    "perceptron_rule",
    "finite_differences",
)  # they need more than a name, or hours


def changed(recipe: Recipe, change: Mapping[str, str]) -> Recipe:
    """`recipe` with the values of `change`. Raises `NotationError` for a step or value that there
    is not.
    """
    given: dict[str, Any] = {}
    for step, text in change.items():
        if step == "data":
            given[step] = (
                recipe.data if text == FINITE else scaled(recipe.data, text)
            )  # data of ours have no other numbers
        elif step in STEPS:
            given[step] = parse(step, text)
        else:
            raise NotationError(f"a change names one of {', '.join(STEPS)} or data, not {step!r}")
    return dataclasses.replace(recipe, **given)


def scaled(data: str | Data, text: str) -> str | Data:
    """The same data with inputs (and the targets of a regression) standardised, or with inputs from
    -1 to 1 (`unit()`).

    Data by name stay a name: `speed` becomes `speed(scale="standardize",
    target_scale="standardize")`, as does the name of loaded ones."""
    if text not in (STANDARDIZE, UNIT):
        raise NotationError(
            f'a change of the data is "{STANDARDIZE}", "{UNIT}" or "{FINITE}", not {text!r}'
        )
    name = text.removesuffix("()")
    if isinstance(data, str):
        held: Any = source(data)
        has = {field.name for field in dataclasses.fields(held)} & (
            {"scale", "target_scale"} if name == "standardize" else {"scale"}
        )
        return str(dataclasses.replace(held, **dict.fromkeys(has, name)).text)
    from_raw = isinstance(data.train.x, StreamedInputs)  # known as it lies on disk, not as scaled
    inputs = learn_scaling(name, data.train.x)
    targets = (
        learn(name, data.train.y)
        if data.task.kind == "regression" and name == "standardize"
        else learn("none", data.train.y)
    )

    def part(held: Part) -> Part:
        x = apply_scaling(inputs, held.x)
        return Part(x, targets(held.y) if data.task.kind == "regression" else held.y)

    named = is_loadable(data.source)
    return dataclasses.replace(
        data,
        source=str(scaled(data.source, text)) if named else data.source,
        train=part(data.train),
        valid=part(data.valid),
        scaling=inputs if from_raw else _after(data.scaling, inputs),
        target_scaling=_after(data.target_scaling, targets),
    )


def _after(first: Scaling, second: Scaling) -> Scaling:
    """Both, one after the other: (raw - a) / b, then (that - c) / d, is (raw - (a + b c)) / (b
    d).
    """
    name = first.name if second.name == "none" else second.name
    return Scaling(name, first.offset + first.scale * second.offset, first.scale * second.scale)


def at_random(
    held: Mapping[str, Any],
    change: Mapping[str, str],
    draw: torch.Generator,
    fits: Callable[[Change], object] = lambda change: None,
) -> Change | None:
    """A change of the same steps as `change`, no larger, drawn at random; `held` are the values
    that there are. None where there is none.

    Where the remedy multiplies a number by f, this multiplies it by f^u, with u between -1 and 1 at
    random. Where it takes another value of the step, or another activation, so does this one: any
    that is neither the old nor the new. A change that comes to one of these two, or for which
    `fits` raises a `sevensteps.Error`, is drawn again."""

    def values(of: Mapping[str, str]) -> dict[str, Any]:
        return {step: text if step == "data" else parse(step, text) for step, text in of.items()}

    known = values(change), {step: held.get(step) for step in change}
    for _ in range(TRIES):
        try:
            drawn = {
                step: _drawn(held.get(step), step, text, draw) for step, text in change.items()
            }
            kept = {step: text for step, text in drawn.items() if text is not None}
            if len(kept) < len(drawn):
                return None
            if values(kept) in known:
                continue  # rounded to what is there already
            fits(kept)
        except Error:
            continue
        return kept
    return None


def of_recipe(recipe: Recipe) -> Callable[[Change, torch.Generator], Change | None]:
    """`at_random` for `recipe`: what is drawn fits its other values, and is not what an `auto()` of
    the remedy comes to.
    """

    def drawn(change: Change, draw: torch.Generator) -> Change | None:
        remedied = {} if "data" in change else settle(changed(recipe, change)).recipe.steps

        def fits(other: Change) -> None:
            if settle(changed(recipe, other)).recipe.steps == remedied:
                raise NotationError("this is the remedy itself")

        return at_random(recipe.steps, change, draw, fits)

    return drawn


def _drawn(old: Any, step: str, text: str, draw: torch.Generator) -> str | None:
    if step == "data":
        return UNIT if text == STANDARDIZE else STANDARDIZE
    new = parse(step, text)
    if type(old) is type(new) and (moved := _moved(old, new, draw)) is not None:
        return repr(moved)
    others = [
        entry.name
        for entry in catalog(step)
        if entry.name not in (type(old).__name__, type(new).__name__, *NEVER)
    ]
    bare = [name for name in others if _bare(step, name)]
    return f"{_one(bare, draw)}()" if bare else None


def _bare(step: str, name: str) -> bool:
    try:
        return not isinstance(parse(step, f"{name}()"), auto)
    except Error:
        return False


def _moved(old: Any, new: Any, draw: torch.Generator) -> Any:
    """`old` with each argument that `new` has changed moved as far, or less, the rest as it is;
    None where one cannot be moved.
    """
    given = {
        name: _between(name, before, after, draw)
        for name in inspect.signature(type(old)).parameters
        if (before := getattr(old, name)) != (after := getattr(new, name))
    }
    return None if None in given.values() else rebuilt(old, **given)


def _between(name: str, before: Any, after: Any, draw: torch.Generator) -> Any:
    """An argument drawn: a number, or the widths of all layers, times f^u; a schedule likewise; any
    other activation.
    """
    if name == "activation":
        return _one([held for held in activation_names() if held not in (before, after)], draw)
    if isinstance(before, Schedule) and type(before) is type(after):
        return _moved(before, after, draw)
    many = isinstance(before, tuple)
    old, new = (before, after) if many else ((before,), (after,))
    if not isinstance(new, tuple) or len(old) != len(new) or not all(map(_positive, (*old, *new))):
        return None
    power = float(torch.rand((), generator=draw)) * 2 - 1
    factor = math.prod(n / o for n, o in zip(new, old, strict=True)) ** (power / len(old))
    whole = all(isinstance(held, int) for held in (*old, *new))
    moved = tuple(
        max(1, round(held * factor)) if whole else float(f"{held * factor:.2g}") for held in old
    )
    return moved if many else moved[0]


def _positive(held: Any) -> bool:
    return isinstance(held, int | float) and not isinstance(held, bool) and held > 0


def _one(of: Sequence[str], draw: torch.Generator) -> str:
    return of[int(torch.randint(len(of), (), generator=draw))]


def rebuilt(held: Any, **given: Any) -> Any:
    """A step's value with other arguments; the rest as in `held`."""
    bare: list[Any] = []
    named: dict[str, Any] = {}
    for name, parameter in inspect.signature(type(held)).parameters.items():
        value = given.get(name, getattr(held, name))
        if parameter.kind is parameter.VAR_POSITIONAL:
            bare += value
        elif parameter.kind is parameter.VAR_KEYWORD:
            named |= value
        elif parameter.kind is parameter.KEYWORD_ONLY:
            named[name] = value
        else:
            bare.append(value)
    return type(held)(*bare, **named)
