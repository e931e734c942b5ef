"""Changes of a recipe: a remedy's, and random ones no larger than it, to compare it with.

A change is `{step: value as text}`. Beside the seven steps it may name the data:
`{"data": "standardize()"}` scales the inputs, and the targets of a regression, to mean 0 and
standard deviation 1.
"""

from __future__ import annotations

import dataclasses
import inspect
import math
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import torch

from sevensteps.data import Data, Part, is_loadable, source
from sevensteps.data.inputs import apply_scaling, fit_input_scaling
from sevensteps.data.scaling import Scaling, fit_scaling
from sevensteps.data.streaming.streamed_inputs import StreamedInputs
from sevensteps.engine.activations import activation_names
from sevensteps.errors import Error, NotationError
from sevensteps.notation import auto
from sevensteps.steps import STEPS, catalog, module_of, parse
from sevensteps.steps.step import Schedule
from sevensteps.training.recipe import Recipe
from sevensteps.training.resolve import resolve

Change = dict[str, str]
STANDARDIZE, UNIT, FINITE = "standardize()", "unit()", "finite()"
TRIES = 12  # draws until a random change fits the rest of the recipe
# values that are never drawn at random: they need more than a name, or take hours
NEVER_DRAWN = (
    "auto",
    "given",
    "loader",
    "module",
    "as_given",
    "perceptron_rule",
    "finite_differences",
)


def changed(recipe: Recipe, change: Mapping[str, str]) -> Recipe:
    """`recipe` with the values of `change`.

    Raises `NotationError` for a step or a value that does not exist.
    """
    values: dict[str, Any] = {}
    for step, text in change.items():
        if step == "data":  # data of ours are finite already
            values[step] = recipe.data if text == FINITE else rescale(recipe.data, text)
        elif step in STEPS:
            values[step] = parse(step, text)
        else:
            raise NotationError(f"a change names one of {', '.join(STEPS)} or data, not {step!r}")
    return dataclasses.replace(recipe, **values)


def rescale(data: str | Data, text: str) -> str | Data:
    """`data` with standardized inputs (and targets, for a regression), or with inputs in -1..1.

    `text` is "standardize()" or "unit()". Data by name stay a name: `speed` becomes
    `speed(scale="standardize", target_scale="standardize")`, and so does the name of loaded
    data.
    """
    if text not in (STANDARDIZE, UNIT):
        raise NotationError(
            f'a change of the data is "{STANDARDIZE}", "{UNIT}" or "{FINITE}", not {text!r}'
        )
    name = text.removesuffix("()")
    if isinstance(data, str):
        named: Any = source(data)
        wanted = {"scale", "target_scale"} if name == "standardize" else {"scale"}
        options = {field.name for field in dataclasses.fields(named)} & wanted
        return str(dataclasses.replace(named, **dict.fromkeys(options, name)).text)
    # streamed data are known as they lie on disk, and scaled from there
    streamed = isinstance(data.train.x, StreamedInputs)
    inputs = fit_input_scaling(name, data.train.x)
    targets = (
        fit_scaling(name, data.train.y)
        if data.task.kind == "regression" and name == "standardize"
        else fit_scaling("none", data.train.y)
    )

    def rescale_part(part: Part) -> Part:
        x = apply_scaling(inputs, part.x)
        return Part(x, targets(part.y) if data.task.kind == "regression" else part.y)

    return dataclasses.replace(
        data,
        source=str(rescale(data.source, text)) if is_loadable(data.source) else data.source,
        train=rescale_part(data.train),
        valid=rescale_part(data.valid),
        scaling=inputs if streamed else _compose(data.scaling, inputs),
        target_scaling=_compose(data.target_scaling, targets),
    )


def _compose(first: Scaling, second: Scaling) -> Scaling:
    """Both, one after the other: (raw - a) / b, then (that - c) / d, is (raw - (a + b c)) / (b
    d).
    """
    name = first.name if second.name == "none" else second.name
    return Scaling(name, first.offset + first.scale * second.offset, first.scale * second.scale)


def random_change(
    values: Mapping[str, Any],
    change: Mapping[str, str],
    draw: torch.Generator,
    check: Callable[[Change], object] = lambda change: None,
) -> Change | None:
    """A change of the same steps as `change`, no larger, drawn at random.

    `values` are the present values of the steps. Where the remedy multiplies a number by f, this
    multiplies it by f^u, with u drawn between -1 and 1. Where it takes another value of the step,
    or another activation, so does this: any that is neither the old nor the new. A change that
    comes to one of these two, or for which `check` raises a `sevensteps.Error`, is drawn again.
    None where there is none.
    """

    def parse_all(texts: Mapping[str, str]) -> dict[str, Any]:
        return {step: text if step == "data" else parse(step, text) for step, text in texts.items()}

    excluded = parse_all(change), {step: values.get(step) for step in change}
    for _ in range(TRIES):
        try:
            texts = {
                step: _draw_value(values.get(step), step, text, draw)
                for step, text in change.items()
            }
            drawn = {step: text for step, text in texts.items() if text is not None}
            if len(drawn) < len(texts):
                return None
            if parse_all(drawn) in excluded:
                continue  # rounded to what is there already
            check(drawn)
        except Error:
            continue
        return drawn
    return None


def random_change_of(recipe: Recipe) -> Callable[[Change, torch.Generator], Change | None]:
    """`random_change` for `recipe`: fits its other values, and is not what an `auto()` of the
    remedy resolves to.
    """

    def draw_change(change: Change, draw: torch.Generator) -> Change | None:
        remedied = {} if "data" in change else resolve(changed(recipe, change)).recipe.steps

        def check(other: Change) -> None:
            if resolve(changed(recipe, other)).recipe.steps == remedied:
                raise NotationError("this is the remedy itself")

        return random_change(recipe.steps, change, draw, check)

    return draw_change


def _draw_value(old: Any, step: str, text: str, draw: torch.Generator) -> str | None:
    if step == "data":
        return UNIT if text == STANDARDIZE else STANDARDIZE
    new = parse(step, text)
    if type(old) is type(new) and (nearby := _draw_between(old, new, draw)) is not None:
        return repr(nearby)
    excluded = {type(old), type(new)}
    others = [
        entry.name
        for entry in catalog(step)
        if entry.name not in NEVER_DRAWN
        and getattr(module_of(step), entry.name) not in excluded
        and _needs_no_arguments(step, entry.name)
    ]
    return f"{_draw_one(others, draw)}()" if others else None


def _needs_no_arguments(step: str, name: str) -> bool:
    try:
        return not isinstance(parse(step, f"{name}()"), auto)
    except Error:
        return False


def _draw_between(old: Any, new: Any, draw: torch.Generator) -> Any:
    """`old` with each argument that `new` changes moved as far or less; None where one cannot be
    moved.
    """
    arguments = {
        name: _draw_argument(name, before, after, draw)
        for name in inspect.signature(type(old)).parameters
        if (before := getattr(old, name)) != (after := getattr(new, name))
    }
    return None if None in arguments.values() else with_arguments(old, **arguments)


def _draw_argument(name: str, before: Any, after: Any, draw: torch.Generator) -> Any:
    """An argument drawn at random: a number, or the widths of all layers, times f^u; a schedule
    likewise; any other activation.
    """
    if name == "activation":
        return _draw_one(
            [other for other in activation_names() if other not in (before, after)], draw
        )
    if isinstance(before, Schedule) and type(before) is type(after):
        return _draw_between(before, after, draw)
    many = isinstance(before, tuple)
    old, new = (before, after) if many else ((before,), (after,))
    if not isinstance(new, tuple) or len(old) != len(new):
        return None
    if not all(map(_is_positive, (*old, *new))):
        return None
    power = float(torch.rand((), generator=draw)) * 2 - 1
    factor = math.prod(n / o for n, o in zip(new, old, strict=True)) ** (power / len(old))
    whole = all(isinstance(number, int) for number in (*old, *new))
    drawn = tuple(
        max(1, round(number * factor)) if whole else float(f"{number * factor:.2g}")
        for number in old
    )
    return drawn if many else drawn[0]


def _is_positive(number: Any) -> bool:
    return isinstance(number, int | float) and not isinstance(number, bool) and number > 0


def _draw_one(options: Sequence[str], draw: torch.Generator) -> str:
    return options[int(torch.randint(len(options), (), generator=draw))]


def with_arguments(value: Any, **arguments: Any) -> Any:
    """A step's value with some arguments replaced; the others as in `value`."""
    positional: list[Any] = []
    named: dict[str, Any] = {}
    for name, parameter in inspect.signature(type(value)).parameters.items():
        argument = arguments.get(name, getattr(value, name))
        if parameter.kind is parameter.VAR_POSITIONAL:
            positional += argument
        elif parameter.kind is parameter.VAR_KEYWORD:
            named |= argument
        elif parameter.kind is parameter.KEYWORD_ONLY:
            named[name] = argument
        else:
            positional.append(argument)
    return type(value)(*positional, **named)
