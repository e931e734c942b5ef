"""The learning rate above which gradient descent is unstable: 2/λ_max."""

from __future__ import annotations

import copy

import torch
from torch import Tensor

from sevensteps.engine.hessian import eigenvalues, largest_eigenvalue
from sevensteps.lr_finder.rates import Sharpness
from sevensteps.steps.step import Optimizer, sgd
from sevensteps.training.state import Training

SAMPLES = 1000  # of the training samples, evenly spaced: their mean loss has the curvature


def largest_curvature(training: Training) -> float | None:
    """λ_max of the Hessian of the training loss, at the current parameters.

    None for a step other than SGD, about which λ_max says nothing, and where the loss has no second
    derivative or no direction in which it curves upwards.
    """
    if not isinstance(training.recipe.step, sgd):
        return None
    x, y, network = training.samples.x, training.samples.y, copy.deepcopy(training.network).eval()
    count = min(len(x), SAMPLES)
    indices = torch.linspace(0, len(x) - 1, count, dtype=torch.float64).long().to(y.device)
    x, y = x[indices], y[indices]

    def loss(outputs: Tensor, target: Tensor) -> Tensor:
        return training.loss(outputs, target)

    with training.isolated_randomness:
        spectrum = eigenvalues(network, loss, x, y)
        largest = spectrum[-1] if spectrum else largest_eigenvalue(network, loss, x, y, SAMPLES)
    return largest if largest is not None and largest > 0 else None


def largest_stable_rate(step: Optimizer, eigenvalue: float | None) -> float | None:
    """The largest rate at which full-batch descent is stable on a quadratic of this curvature.

    2/λ; with momentum m 2(1 + m)/λ, with Nesterov's 2(1 + m)/((1 + 2m) λ). Weight decay adds to λ.
    None for a step other than SGD, and for an unknown `eigenvalue`.
    Source: Polyak 1964; Cohen et al. 2021, Gradient Descent on Neural Networks Typically Occurs at
    the Edge of Stability, appendix B.
    """
    if not isinstance(step, sgd) or eigenvalue is None:
        return None
    m = step.momentum
    return 2 * (1 + m) / (1 + 2 * m if step.nesterov else 1) / (eigenvalue + step.weight_decay)


def describe_sharpness(
    step: Optimizer,
    eigenvalue: float | None,
    edge: float | None,
    after: float | None,
    suggestion: float,
) -> Sharpness:
    """The curvature and the edges of stability, with a sentence that compares the suggestion."""
    if not isinstance(step, sgd):
        name = type(step).__name__
        text = f"2/λ does not apply: {name} adapts the step size of each parameter."
        return Sharpness(eigenvalue, None, None, text)
    if edge is None:
        return Sharpness(
            eigenvalue,
            None,
            after,
            "2/λ could not be computed: the loss does not curve upwards at the start, or has no "
            "second derivative.",
        )
    name = "2/λ" if not step.momentum else "2(1+m)/((1+2m)λ)" if step.nesterov else "2(1+m)/λ"
    text = (
        f"{name} = {edge:.2g} at the start: up to there full-batch descent is stable; the "
        f"suggestion is {suggestion / edge:.2g} times that."
    )
    if after is not None:
        text += f" After training at it, {name} = {after:.2g}."
    return Sharpness(eigenvalue, edge, after, text)
