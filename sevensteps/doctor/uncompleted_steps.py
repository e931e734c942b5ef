"""Why a script's training completed not one step: from the order of its calls.

`parameters_not_updated`: no optimizer stepped, or there was no backward pass for it to follow.
`gradient_discarded`: the gradients are cleared before the optimizer uses them, as where it steps
before the backward pass. Silent on: fewer than two rounds, and what a `GradScaler` may have
skipped.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from sevensteps.doctor.finding import Finding, Measure, Remedy

LEAST_ROUNDS = 2


def why_no_step(
    counts: Mapping[str, int],
    places: Mapping[str, str],
    order: Sequence[str],
    optimizer: str,
) -> Finding | None:
    """The finding, of how often the script called "backward", "step" and "clear", where first, and
    in which order from one forward pass to the next; None where that says nothing.
    """
    backwards, steps = counts.get("backward", 0), counts.get("step", 0)
    name = optimizer or "optimizer"
    if max(backwards, steps) < LEAST_ROUNDS or counts.get("scale"):
        return None
    if not steps:
        return _never_stepped(backwards, places, name)
    if not backwards:
        return _never_backward(steps, places, name)
    if "clear" not in order or not {"backward", "step"} <= set(order):
        return None
    if order.index("step") < order.index("backward"):
        return _stepped_first(steps, places, name)
    if order.index("backward") < order.index("clear") < order.index("step"):
        return _cleared_between(steps, places, name)
    return None


def _never_stepped(backwards: int, places: Mapping[str, str], name: str) -> Finding:
    at = places.get("backward", "")
    return _finding(
        "parameters_not_updated",
        f"loss.backward(){_at(at)} ran {backwards:,} times, and no optimizer ever took a step: the "
        "gradients are computed, and nothing follows them. The network is as it was at the start.",
        [
            Measure("backward passes", backwards, "one or more a step"),
            Measure("steps of an optimizer", 0, "one after each backward pass, or after some"),
        ],
        f"call {name}.step() after loss.backward(){_at(at)}",
        {"line": at},
    )


def _never_backward(steps: int, places: Mapping[str, str], name: str) -> Finding:
    at = places.get("step", "")
    return _finding(
        "parameters_not_updated",
        f"{name}.step(){_at(at)} ran {steps:,} times, and loss.backward() never did: there is no "
        "gradient that it could follow. The network is as it was at the start.",
        [
            Measure("steps of an optimizer", steps, "as many as there are batches"),
            Measure("backward passes", 0, "one before each step"),
        ],
        f"call loss.backward() before {name}.step(){_at(at)}",
        {"line": at},
    )


def _stepped_first(steps: int, places: Mapping[str, str], name: str) -> Finding:
    at = places.get("step", "")
    return _finding(
        "gradient_discarded",
        f"{name}.step(){_at(at)} comes before loss.backward(){_at(places.get('backward', ''))}, "
        f"and {name}.zero_grad(){_at(places.get('clear', ''))} clears what the backward pass of "
        "the step before has left: each step finds no gradient, and nothing moves.",
        [Measure("steps of an optimizer that found a gradient", 0, f"all {steps:,}")],
        f"in this order: {name}.zero_grad(), loss.backward(), {name}.step()",
        {"line": at},
    )


def _cleared_between(steps: int, places: Mapping[str, str], name: str) -> Finding:
    at = places.get("clear", "")
    return _finding(
        "gradient_discarded",
        f"{name}.zero_grad(){_at(at)} comes between loss.backward()"
        f"{_at(places.get('backward', ''))} and {name}.step(){_at(places.get('step', ''))}: every "
        "gradient is cleared before the step that is to use it, and nothing moves.",
        [Measure("steps of an optimizer that found a gradient", 0, f"all {steps:,}")],
        f"in this order: {name}.zero_grad(), loss.backward(), {name}.step()",
        {"line": at},
    )


def _at(place: str) -> str:
    return f" ({place})" if place else ""


def _finding(
    condition: str, explanation: str, evidence: list[Measure], advice: str, where: dict[str, str]
) -> Finding:
    return Finding(
        condition,
        "gradient",
        "error",
        0.97,
        explanation,
        evidence,
        [Remedy({}, "each step then follows the gradient of its own batch", advice)],
        where={key: value for key, value in where.items() if value},
        onset=0,
    )
