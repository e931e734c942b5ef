"""What a reader of a gradient should notice: where a path ends, what is saturated, what evaluation
mode leaves out.
"""

from __future__ import annotations

import math
from collections.abc import Mapping

from torch import Tensor, nn

from sevensteps.engine.activations import UNKNOWN, activation_of
from sevensteps.engine.modules import Dropout
from sevensteps.explain.forward import unit
from sevensteps.explain.gradient.paths import Chain, Route
from sevensteps.explain.gradient.verification import apart
from sevensteps.render.text import figure

SATURATED = 0.1  # of the steepest slope: a unit that passes on less is called saturated


def remarks(
    network: nn.Module,
    chain: Chain | None,
    moves: Mapping[int, Tensor],
    route: Route | None,
    total: float,
    numeric: float,
) -> tuple[str, ...]:
    """Sentences about a gradient `total`; `chain` is that of one sample, `moves`
    d(unit)/d(parameter) there by layer, `route` its path.
    """
    found: list[str] = []
    if chain is not None and route is not None:
        found += [*_end(chain, route), *_kinks(chain, moves), *_saturated(chain, route)]
    if coupled(network):
        found.append(
            "Batch norm takes the statistics of the batch here: samples act on each other, so no "
            "path is one sample's alone."
        )
    modes = [
        word
        for kind, word in (
            (Dropout | nn.Dropout, "dropout leaves nothing out"),
            (nn.BatchNorm1d | nn.BatchNorm2d, "batch norm has its running statistics"),
        )
        if any(isinstance(module, kind) for module in network.modules()) and not coupled(network)
    ]
    if modes:
        found.append(
            f"Evaluation mode: {' and '.join(modes)}; the gradient of a training step differs."
        )
    if apart(total, numeric) > 1e-3 and abs(total - numeric) > 1e-8:
        found.append("The finite difference is far off: a kink (ReLU, max) lies within its step.")
    return tuple(found)


def coupled(network: nn.Module) -> bool:
    """Whether samples act on each other even in evaluation mode: batch norm without running
    statistics.
    """
    return any(
        isinstance(module, nn.BatchNorm1d | nn.BatchNorm2d) and module.running_mean is None
        for module in network.modules()
    )


def _end(chain: Chain, route: Route) -> list[str]:
    """Why the product is 0, where it is."""
    if route.product != 0:
        return []
    end = route.factors.index(0.0)
    if end == 0:
        return ["The path does not begin: what the parameter multiplies is 0 for this sample."]
    if end == len(route.places):
        return ["The loss is flat here: dL/do is 0, so nothing is learned from this sample."]
    place, held = route.places[end], route.units[end]
    name = (
        chain.names[place]
        if held is None
        else unit(chain.names[place], held, chain.outputs[place].shape[1:])
    )
    if _rectifies(chain.modules[place]) and held is not None:
        return [
            f"The path ends here: {name} is off for this sample, its input is "
            f"{figure(float(chain.inputs[place].flatten()[held]), 3)}."
        ]
    return [f"The path ends here: {name} does not move with what comes before."]


def _kinks(chain: Chain, moves: Mapping[int, Tensor]) -> list[str]:
    """Units of a rectifier whose input is exactly 0, where the derivative is a matter of agreement."""
    for place in moves:
        if _rectifies(chain.modules[place]) and place - 1 in moves:
            at = (chain.inputs[place].flatten() == 0) & (moves[place - 1] != 0)
            if bool(at.any()):
                name = unit(
                    chain.names[place], int(at.nonzero()[0, 0]), chain.outputs[place].shape[1:]
                )
                return [
                    f"The input of {name} is exactly 0, where "
                    f"{type(chain.modules[place]).__name__} has no derivative: 0 is taken, as in "
                    "PyTorch."
                ]
    return []


def _rectifies(module: nn.Module) -> bool:
    return (activation_of(module) or UNKNOWN).rectifies


def _saturated(chain: Chain, route: Route) -> list[str]:
    """What the activations that saturate on the strongest path leave of the gradient."""
    squeezed = [
        (chain.names[place], factor, function, function.steepest)
        for place, factor in list(zip(route.places, route.factors, strict=False))[1:]
        if (function := activation_of(chain.modules[place])) is not None
        and function.steepest is not None
    ]
    if not squeezed:
        return []
    notes = []
    product = math.prod(factor for _, factor, _, _ in squeezed)
    kinds = {function.name: steepest for _, _, function, steepest in squeezed}
    small = [(name, steepest) for name, steepest in kinds.items() if steepest < 1]
    for name, steepest in small[:1]:
        most = figure(steepest).removeprefix("0")
        many = f"A {name}'s factor is at most {most}; here it is"
        if len(squeezed) > 1 and len(kinds) == 1:
            together = figure(steepest ** len(squeezed), 3)
            many = (
                f"{len(squeezed)} {name} factors, at most {most} each, {together} together; here "
                "they come to"
            )
        elif len(kinds) > 1:
            many = (
                f"{name.capitalize()} factors are at most {most} each; on this path the "
                f"{len(squeezed)} slopes of {' and '.join(sorted(kinds))} come to"
            )
        notes.append(f"{many} {figure(product, 3)}.")
    tight = [name for name, factor, _, steepest in squeezed if abs(factor) < SATURATED * steepest]
    if tight:
        notes.append(
            f"Saturated on this path: {', '.join(tight)}, which passes on less than a tenth of "
            "what it could."
        )
    return notes
