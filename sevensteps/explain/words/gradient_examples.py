"""Examples of words about gradients: how they pass from layer to layer, and where they end."""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator
from typing import Any

import torch
from torch import Tensor, nn

from sevensteps.engine.activations import activation_of
from sevensteps.errors import Error
from sevensteps.explain.gradient.backward import backward
from sevensteps.explain.run_numbers import RunNumbers
from sevensteps.explain.words.examples import NOTHING_TRAINED, Example, example_of, no_example
from sevensteps.render.text import number_text

SHRUNK = 0.1  # of the last layer's relative gradient in the first: below it, it shrinks
# conditions that come with another, which may be found in its place
RELATED = {
    "vanishing_gradient": ("saturated_units", "signal_vanishes"),
    "exploding_gradient": ("signal_explodes", "learning_rate_too_high"),
}
FLAT = 0.01  # of the slope at its steepest: below it a sigmoid counts as saturated


@example_of("chain rule")
def _chain_rule(run: RunNumbers) -> Example:
    """dL/dw = dL/do · do/dw for the last linear layer, with dL/do of the loss's own derivative."""
    last = run.linear_passes[-1] if run.linear_passes else None
    if (
        last is None
        or last.name != run.layer_passes[-1].name
        or not torch.equal(last.output[0], run.sample_output)
    ):
        return no_example(
            "its last layer is not linear, so that more than two slopes would have to be shown"
        )
    target = run.sample_target
    output_gradient = run.subject.loss.derivative(
        run.sample_output[None], target.double() if target.is_floating_point() else target
    )[0]
    unit, at = int(output_gradient.abs().argmax()), int(last.input[0].abs().argmax())
    outer, inner = float(output_gradient[unit]), float(last.input[0, at])
    return Example(
        f"for validation sample 0 the loss changes by {number_text(outer)} per unit of output "
        f"{unit}, "
        f"and that output by {number_text(inner)} per unit of {last.name}.weight[{unit}, {at}]; "
        "their "
        f"product {number_text(outer * inner)} is the gradient of that weight",
        {
            "weight": f"{last.name}.weight",
            "index": [unit, at],
            "outer": outer,
            "inner": inner,
            "gradient": outer * inner,
        },
    )


@example_of("vanishing gradient")
def _vanishing_gradient(run: RunNumbers) -> Example:
    if run.first_step is None:
        return no_example(NOTHING_TRAINED)
    relative = _relative_gradients(run)
    if len(relative) < 2:
        return no_example(
            "it has fewer than two layers whose parameters are not all 0 at the start, between "
            "which a gradient could vanish"
        )
    (first, early), *_, (last, late) = relative.items()
    ratio = early / late if late else math.inf
    layer, left = _lost_on_its_way(run)
    lost = (
        f"at the end {layer} hands back only {number_text(left, 2)} of the gradient of validation "
        "sample 0; "
        if left < SHRUNK
        else ""
    )
    start = "shrinks" if ratio < SHRUNK else "does not shrink"
    return Example(
        f"{_diagnosis(run, 'vanishing_gradient')}; {lost}at the first step it {start} on its way "
        f"back: the gradient of {first} is {number_text(early, 3)} times as long as its weights, "
        f"that of {last} {number_text(late, 3)} times, {number_text(ratio, 3)} to 1",
        {"first": early, "last": late, "ratio": ratio, "layer": layer, "left": left},
    )


def _lost_on_its_way(run: RunNumbers) -> tuple[str, float]:
    """The layer that hands back the smallest share of validation sample 0's gradient, and that
    share; 1 where the gradient cannot be followed.
    """
    try:
        layers = backward(run.subject, 0).layers
    except Error:
        return "", 1.0
    shares = [(layer.factor, layer.name) for layer in layers if layer.factor is not None]
    share, name = min(shares, default=(1.0, ""))
    return name, share


@example_of("exploding gradient")
def _exploding_gradient(run: RunNumbers) -> Example:
    if run.first_step is None:
        return no_example(NOTHING_TRAINED)
    length, largest = run.first_step.gradient, max(_relative_gradients(run).values(), default=None)
    relative = ""
    if largest is not None:
        relative = (
            f"; in each layer it is at most {number_text(largest, 3)} times as long as the weights"
        )
    return Example(
        f"{_diagnosis(run, 'exploding_gradient')}; the first gradient has the length "
        f"{number_text(length)}{relative}",
        {"length": length},
    )


def _relative_gradients(run: RunNumbers) -> dict[str, float]:
    """|gradient| / |parameters| of each layer at the first step."""
    layers = run.first_step.layers if run.first_step else ()
    return {layer.name: layer.gradient / layer.parameters for layer in layers if layer.parameters}


def _diagnosis(run: RunNumbers, condition: str) -> str:
    summary = run.subject.summary
    for findings, when in (
        (summary.findings, ""),
        (summary.before or (), " before the first step"),
    ):
        conditions = {finding["condition"] for finding in _with_symptoms(findings)}
        if condition in conditions:
            return f"the doctor found {condition}{when}"
        for related in RELATED.get(condition, ()):
            if related in conditions:
                return f"the doctor found {related}{when}, which comes with it"
    return "the doctor did not find it"


def _with_symptoms(findings: Iterable[dict[str, Any]]) -> Iterator[dict[str, Any]]:
    """The findings, each followed by those that it explains."""
    for finding in findings:
        yield finding
        yield from _with_symptoms(finding.get("symptoms", ()))


@example_of("dead unit")
def _dead_unit(run: RunNumbers) -> Example:
    if run.dead_units is None:
        return no_example("its network has no ReLU layer")
    dead, units, name = run.dead_units
    if units == 1:
        which = f"the unit of {name} is {'' if dead else 'not '}"
    else:
        which = f"{dead or 'none'} of the {units} units of {name} {'are' if dead > 1 else 'is'} "
    return Example(
        f"{which}0 for all {len(run.train_inputs):,} training samples",
        {"dead": dead, "units": units, "layer": name},
    )


@example_of("dead input")
def _dead_input(run: RunNumbers) -> Example:
    inputs = run.train_inputs.shape[1:].numel()
    if not run.dead_inputs:
        return no_example(f"each of its {inputs:,} inputs differs from 0 somewhere")
    return Example(
        f"{run.dead_inputs:,} of the {inputs:,} inputs are 0 in every one of "
        f"{len(run.train_inputs):,} training samples",
        {"dead": run.dead_inputs, "inputs": inputs},
    )


@example_of("saturation")
def _saturation(run: RunNumbers) -> Example:
    for layer in run.activation_passes:
        function = activation_of(layer.module)
        if function is not None and function.steepest is not None:
            share = _flat_share(layer.module, function.steepest, layer.input)
            return Example(
                f"for validation sample 0, {share:.0%} of the units of {layer.name} have a slope "
                "below 1 % of the steepest",
                {"layer": layer.name, "share": share},
            )
    if run.subject.output.link != "sigmoid":
        return no_example("its network has neither sigmoid nor tanh")
    share = _flat_share(nn.Sigmoid(), 0.25, run.valid_outputs)
    return Example(
        f"{share:.0%} of the {len(run.valid_outputs):,} validation outputs lie where the sigmoid's "
        "slope is below 1 % of the steepest",
        {"share": share},
    )


def _flat_share(activation: nn.Module, steepest: float, x: Tensor) -> float:
    """The share of the inputs `x` where the activation's slope is below `FLAT` of its steepest."""
    with torch.enable_grad():
        at = x.detach().clone().requires_grad_()
        (slope,) = torch.autograd.grad(activation(at).sum(), at)
    return float((slope < FLAT * steepest).double().mean())


@example_of("symmetry")
def _symmetry(run: RunNumbers) -> Example:
    if run.first_step is None:
        return no_example(NOTHING_TRAINED)
    for name, parameter in run.subject.network.named_parameters():
        if parameter.ndim >= 2 and len(parameter) > 1:
            rows = parameter.detach().flatten(1)
            different = len(torch.unique(rows, dim=0))
            apart = float((rows[0] - rows[1]).double().norm())
            alike = (
                f"all {len(rows)} units of {name} are the same at the end"
                if different == 1
                else f"{different} of the {len(rows)} units of {name} differ at the end; units 0 "
                f"and 1 are {number_text(apart)} apart"
            )
            return Example(
                alike,
                {"layer": name, "units": len(rows), "different": different, "apart": apart},
            )
    return no_example("no layer has two units")
