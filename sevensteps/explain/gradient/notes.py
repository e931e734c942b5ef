"""Notes on a gradient: where a path ends, what is saturated, what evaluation mode leaves out."""

from __future__ import annotations

import math
from collections.abc import Mapping

from torch import Tensor, nn

from sevensteps.engine.activations import UNKNOWN, activation_of
from sevensteps.engine.modules import Dropout
from sevensteps.explain.forward import unit_name
from sevensteps.explain.gradient.paths import Chain, Route
from sevensteps.explain.gradient.verification import relative_difference
from sevensteps.render.text import number_text

SATURATED_BELOW = 0.1  # of the steepest slope: a unit that passes on less is called saturated


def gradient_notes(
    network: nn.Module,
    chain: Chain | None,
    jacobian: Mapping[int, Tensor],
    route: Route | None,
    total: float,
    numeric: float,
) -> tuple[str, ...]:
    """Sentences about a gradient `total`, of which `numeric` is the finite difference.

    `chain` is that of one sample, `jacobian` d(unit)/d(parameter) there by layer, `route` its
    strongest path; None where there are no factors.
    """
    notes: list[str] = []
    if chain is not None and route is not None:
        notes += [*_dead_end(chain, route), *_kink(chain, jacobian), *_saturation(chain, route)]
    if samples_interact(network):
        notes.append(
            "Batch norm takes the statistics of the batch here: samples act on each other, so no "
            "path is one sample's alone."
        )
    modes = [
        word
        for kind, word in (
            (Dropout | nn.Dropout, "dropout leaves nothing out"),
            (nn.BatchNorm1d | nn.BatchNorm2d, "batch norm has its running statistics"),
        )
        if any(isinstance(module, kind) for module in network.modules())
        and not samples_interact(network)
    ]
    if modes:
        notes.append(
            f"Evaluation mode: {' and '.join(modes)}; the gradient of a training step differs."
        )
    if relative_difference(total, numeric) > 1e-3 and abs(total - numeric) > 1e-8:
        notes.append("The finite difference is far off: a kink (ReLU, max) lies within its step.")
    return tuple(notes)


def samples_interact(network: nn.Module) -> bool:
    """Whether samples act on each other: batch norm without running statistics does that."""
    return any(
        isinstance(module, nn.BatchNorm1d | nn.BatchNorm2d) and module.running_mean is None
        for module in network.modules()
    )


def _dead_end(chain: Chain, route: Route) -> list[str]:
    """Why the product is 0, where it is."""
    if route.product != 0:
        return []
    end = route.factors.index(0.0)
    if end == 0:
        return ["The path does not begin: what the parameter multiplies is 0 for this sample."]
    if end == len(route.layers):
        return ["The loss is flat here: dL/do is 0, so nothing is learned from this sample."]
    layer, unit = route.layers[end], route.units[end]
    name = (
        chain.names[layer]
        if unit is None
        else unit_name(chain.names[layer], unit, chain.outputs[layer].shape[1:])
    )
    if _rectifies(chain.modules[layer]) and unit is not None:
        return [
            f"The path ends here: {name} is off for this sample, its input is "
            f"{number_text(float(chain.inputs[layer].flatten()[unit]), 3)}."
        ]
    return [f"The path ends here: {name} does not move with what comes before."]


def _kink(chain: Chain, jacobian: Mapping[int, Tensor]) -> list[str]:
    """A unit of a rectifier with an input of exactly 0, where its derivative is a convention."""
    for layer in jacobian:
        if _rectifies(chain.modules[layer]) and layer - 1 in jacobian:
            at = (chain.inputs[layer].flatten() == 0) & (jacobian[layer - 1] != 0)
            if bool(at.any()):
                name = unit_name(
                    chain.names[layer], int(at.nonzero()[0, 0]), chain.outputs[layer].shape[1:]
                )
                return [
                    f"The input of {name} is exactly 0, where "
                    f"{type(chain.modules[layer]).__name__} has no derivative: 0 is taken, as in "
                    "PyTorch."
                ]
    return []


def _rectifies(module: nn.Module) -> bool:
    return (activation_of(module) or UNKNOWN).rectifies


def _saturation(chain: Chain, route: Route) -> list[str]:
    """What the activations that saturate on the strongest path leave of the gradient."""
    saturating = [
        (chain.names[layer], factor, function, function.steepest)
        for layer, factor in list(zip(route.layers, route.factors, strict=False))[1:]
        if (function := activation_of(chain.modules[layer])) is not None
        and function.steepest is not None
    ]
    if not saturating:
        return []
    notes = []
    product = math.prod(factor for _, factor, _, _ in saturating)
    kinds = {function.name: steepest for _, _, function, steepest in saturating}
    small = [(name, steepest) for name, steepest in kinds.items() if steepest < 1]
    for name, steepest in small[:1]:
        most = number_text(steepest).removeprefix("0")
        start = f"A {name}'s factor is at most {most}; here it is"
        if len(saturating) > 1 and len(kinds) == 1:
            together = number_text(steepest ** len(saturating), 3)
            start = (
                f"{len(saturating)} {name} factors, at most {most} each, {together} together; here "
                "they come to"
            )
        elif len(kinds) > 1:
            start = (
                f"{name.capitalize()} factors are at most {most} each; on this path the "
                f"{len(saturating)} slopes of {' and '.join(sorted(kinds))} come to"
            )
        notes.append(f"{start} {number_text(product, 3)}.")
    saturated = [
        name for name, factor, _, steepest in saturating if abs(factor) < SATURATED_BELOW * steepest
    ]
    if saturated:
        notes.append(
            f"Saturated on this path: {', '.join(saturated)}, which passes on less than a tenth of "
            "what it could."
        )
    return notes
