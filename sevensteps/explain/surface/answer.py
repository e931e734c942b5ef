"""The loss surface where the training ended: how curved it is, what learning rate that allows, and
how far the quadratic approximation holds.
"""

from __future__ import annotations

import copy
import math
from dataclasses import asdict, dataclass
from typing import Any

import torch
from torch import Tensor, nn

from sevensteps.engine.hessian import TOLERANCE, Hessian
from sevensteps.engine.modules import Step
from sevensteps.engine.parameters import multiplications
from sevensteps.errors import ArgumentError, Error
from sevensteps.explain.base import Explanation
from sevensteps.explain.subject import Subject
from sevensteps.explain.surface import least_squares
from sevensteps.explain.surface.least_squares import FLAT, LeastSquaresOptimum, ScaledTraining
from sevensteps.explain.surface.slice import (
    GRID_POINTS,
    UNTRAINED,
    LossSlice,
    observe_path,
    slice_losses,
    slice_range,
)
from sevensteps.steps.step import sgd

EXACT_PARAMETERS = 500  # up to which the whole Hessian is computed
LANCZOS_PRODUCTS = 120  # Hessian-vector products that Lanczos and the forecast take, about
MAX_MULTIPLICATIONS = 6e9  # for the curvature, and for the slice: a few seconds
MAX_NUMBERS = 40_000_000  # of the samples
MIN_SAMPLES = 64
FORECAST_STEPS = 50
ILL_CONDITIONED = 100.0  # condition number from which raw inputs race against standardised ones


@dataclass(frozen=True)
class Surface(Explanation):
    """The training loss around the last weights.

    `eigenvalues` of its Hessian, largest first: all of them where `exact`, else the two largest and
    the smallest, which is then known to within `TOLERANCE` of the largest. `samples` of the `total`
    training samples were used; `loss` and `gradient` (its length) are theirs. `condition` is
    λ_max / λ_min where the latter is clearly above 0, `stable` = 2/λ_max the largest stable
    learning rate of plain SGD, `slowest` = 1/(lr λ_min) its steps per factor e along the flattest
    direction, at `lr`. `predicted` and `measured` are losses of the next full-batch steps at
    `rate`.
    """

    parameters: int
    samples: int
    total: int
    exact: bool
    loss: float
    gradient: float
    eigenvalues: tuple[float, ...]
    at_start: float | None
    step: str
    lr: float | None
    taken: int
    rate: float
    predicted: tuple[float, ...]
    measured: tuple[float, ...]
    plane: LossSlice | None
    optimum: LeastSquaresOptimum | None
    race: tuple[ScaledTraining, ...]

    @property
    def stable(self) -> float:
        """2/λ_max, the largest stable learning rate of plain SGD; infinite where no direction
        curves upwards.
        """
        return 2 / self.eigenvalues[0] if self.eigenvalues[0] > 0 else math.inf

    @property
    def positive(self) -> list[float]:
        """The eigenvalues that are clearly above 0."""
        top = self.eigenvalues[0]
        return [
            value
            for value in self.eigenvalues
            if value > max((FLAT if self.exact else TOLERANCE) * top, 0.0)
        ]

    @property
    def flat(self) -> int:
        """How many of the eigenvalues known are 0 but for rounding."""
        return sum(
            abs(value) <= (FLAT if self.exact else TOLERANCE) * self.eigenvalues[0]
            for value in self.eigenvalues
        )

    @property
    def condition(self) -> float | None:
        """The condition number λ_max / λ_min; None where the loss curves downwards in a direction,
        or only one direction is curved, or most are flat.
        """
        positive = self.positive
        only = (
            len(positive) == len(self.eigenvalues)
            if not self.exact
            else len(positive) + self.flat == len(self.eigenvalues)
        )
        return positive[0] / positive[-1] if only and len(positive) > 1 else None

    @property
    def slowest(self) -> float | None:
        """Steps per factor e along the flattest direction; None where the learning rate is not
        stable.
        """
        lr = self.lr or self.rate
        return 1 / (lr * self.positive[-1]) if self.condition and lr < self.stable else None

    def to_dict(self) -> dict[str, Any]:
        derived = {name: getattr(self, name) for name in ("stable", "condition", "slowest", "flat")}
        return {**asdict(self), **derived, "tolerance": 0.0 if self.exact else TOLERANCE}


def surface(subject: Subject, *, whole: bool = True) -> Surface:
    """The curvature of the training loss at the last weights, in float64, and what follows from it.

    Without `whole` only what a page draws: no forecast, no curvature at the start, no race of
    scales, and of the eigenvalues of a large network the two largest.

    Raises `ArgumentError` where there is no surface: nothing is trained, the activation is a step,
    or the training diverged.
    """
    network = copy.deepcopy(subject.network).double().cpu().eval()
    _require_surface(network)
    parameters = sum(p.numel() for p in network.parameters() if p.requires_grad)
    exact = parameters <= EXACT_PARAMETERS
    products = parameters if exact else LANCZOS_PRODUCTS
    cost = 3 * _sample_cost(network, tuple(subject.data.train.x.shape[1:])) * products
    x, y = _samples(subject, max(MIN_SAMPLES, int(MAX_MULTIPLICATIONS / cost)))
    hessian = Hessian(network, subject.loss, x, y)
    values, vectors = hessian.spectrum() if exact else hessian.largest(2)
    eigenvalues = values.tolist()
    steepest = eigenvalues[0]
    if not exact and whole:
        eigenvalues.append(hessian.smallest(steepest) if steepest > 0 else eigenvalues[-1])
    lr = _learning_rate(subject)
    step = subject.recipe.step
    if isinstance(step, sgd) and not step.momentum and lr and isinstance(step.lr, float):
        rate = lr
    else:
        rate = 1 / steepest if steepest > 0 else 0.1
    optimum = None
    race: tuple[ScaledTraining, ...] = ()
    if least_squares.has_closed_form(subject):
        optimum = least_squares.least_squares_optimum(subject, x, y)
        curved = [value for value in eigenvalues if value > FLAT * steepest]
        if exact and whole and steepest > ILL_CONDITIONED * min(curved):
            race = tuple(least_squares.race_input_scales(subject))
    predicted, measured = (
        forecast_losses(hessian, network, subject, x, y, rate) if whole else ((), ())
    )
    return Surface(
        parameters=parameters,
        samples=len(x),
        total=len(subject.data.train),
        exact=exact,
        loss=hessian.loss,
        gradient=float(hessian.gradient.norm()),
        eigenvalues=tuple(eigenvalues),
        at_start=_curvature_at_start(subject, x, y) if whole else None,
        step=repr(step),
        lr=lr,
        taken=subject.summary.steps,
        rate=rate,
        predicted=predicted,
        measured=measured,
        plane=_loss_slice(subject, network, x, y, abs(hessian.loss), eigenvalues, vectors, optimum),
        optimum=optimum,
        race=race,
    )


def _require_surface(network: nn.Module) -> None:
    if not any(p.requires_grad for p in network.parameters()):
        raise ArgumentError(
            "this network has no trained parameter, so its loss has no surface; ask for sample or "
            "shapes"
        )
    if any(isinstance(module, Step) for module in network.modules()):
        raise ArgumentError(
            "the step activation is flat on both sides of its jump, so the loss has no slope and "
            "no curvature; ask for neuron or shapes"
        )
    if not all(bool(p.isfinite().all()) for p in network.parameters()):
        raise ArgumentError(
            "the last weights are not finite: the training diverged, and there is no surface "
            "where it ended"
        )


def _samples(subject: Subject, limit: int) -> tuple[Tensor, Tensor]:
    """Training samples, evenly spread, at most about `limit` of them, in float64."""
    part = subject.data.train
    every = -(-len(part) // max(1, min(limit, MAX_NUMBERS // part.x.shape[1:].numel())))
    x, y = part.x[::every], subject.output.encode(part.y[::every])
    return x.double().cpu(), y.double().cpu() if y.is_floating_point() else y.cpu()


def _sample_cost(network: nn.Module, shape: tuple[int, ...]) -> int:
    """The work of one sample, in multiplications of a dense layer: those of a convolution in
    float64 take some three times as long.
    """
    return max(
        multiplications(network, shape)
        * (3 if any(isinstance(module, nn.Conv2d) for module in network.modules()) else 1),
        1,
    )


def _learning_rate(subject: Subject) -> float | None:
    """The learning rate of the step; where it has a schedule, the highest that was reached. None
    for steps that scale each direction.
    """
    if not isinstance(subject.recipe.step, sgd):
        return None
    lr = subject.recipe.step.lr
    return (
        float(lr)
        if isinstance(lr, int | float)
        else max((float(row["lr"] or 0.0) for row in subject.history), default=0.0) or None
    )


def _curvature_at_start(subject: Subject, x: Tensor, y: Tensor) -> float | None:
    """λ_max before the first step; None where the training cannot be repeated."""
    try:
        network = subject.rerun(**UNTRAINED).network.double().cpu().eval()
        hessian = Hessian(network, subject.loss, x, y)
        eigenvalues = hessian.largest(1)[0] if hessian.size > 2 else hessian.spectrum()[0]
        return float(eigenvalues[0])
    except Error:
        return None


def forecast_losses(
    hessian: Hessian, network: nn.Module, subject: Subject, x: Tensor, y: Tensor, rate: float
) -> tuple[tuple[float, ...], tuple[float, ...]]:
    """The loss before each of the next full-batch steps of plain SGD, predicted and measured.

    Predicted by the quadratic L + gᵀd + dᵀHd / 2, whose gradient after a way d is g + H d.
    """
    predicted: list[float] = []
    d = torch.zeros_like(hessian.gradient)
    for _ in range(FORECAST_STEPS + 1):
        hd = hessian @ d
        predicted.append(hessian.loss + float(hessian.gradient @ d + d @ hd / 2))
        d = d - rate * (hessian.gradient + hd)
    moving = copy.deepcopy(network)
    parameters = [p for p in moving.parameters() if p.requires_grad]
    measured = []
    for _ in range(FORECAST_STEPS + 1):
        with torch.enable_grad():
            loss = subject.loss(moving(x), y).mean()
            gradients = torch.autograd.grad(
                loss, parameters, allow_unused=True, materialize_grads=True
            )
        measured.append(float(loss.detach()))
        with torch.no_grad():
            for p, gradient in zip(parameters, gradients, strict=True):
                p.sub_(rate * gradient)
    return tuple(predicted), tuple(measured)


def _loss_slice(
    subject: Subject,
    network: nn.Module,
    x: Tensor,
    y: Tensor,
    height: float,
    eigenvalues: list[float],
    vectors: Tensor,
    optimum: LeastSquaresOptimum | None,
) -> LossSlice | None:
    """The slice along the two steepest directions; along the steepest and the flattest, where the
    optimum is known. None where no two directions are curved.
    """
    if vectors.shape[1] < 2 or not eigenvalues[0] > 0:
        return None
    curved = sum(value > FLAT * eigenvalues[0] for value in eigenvalues[: vectors.shape[1]])
    second = max(curved - 1, 1) if optimum is not None else 1
    directions = torch.stack([vectors[:, 0], vectors[:, second]], 1)
    names = (
        f"steepest direction, λ {eigenvalues[0]:.4g}",
        f"{'flattest' if optimum is not None and second > 1 else 'second steepest'} direction, λ "
        f"{eigenvalues[second]:.4g}",
    )
    path, repeated = observe_path(subject, directions)
    points = [(step, *_pair(point)) for step, point in path.points] if path else []
    target: tuple[float, float] | None = None
    if optimum is not None and len(optimum.parameters) == len(optimum.terms):  # one output
        difference = torch.tensor(optimum.parameters, dtype=torch.float64) - torch.tensor(
            optimum.own, dtype=torch.float64
        )
        target = _pair(difference @ directions)
    shown = [(a, b) for _, a, b in points] + ([target] if target else [])
    ranges = [
        slice_range(
            [point[axis] for point in shown],
            math.sqrt(2 * (height or 1.0) / (curvature if curvature > 0 else eigenvalues[0])),
        )
        for axis, curvature in enumerate((eigenvalues[0], eigenvalues[second]))
    ]
    cost = GRID_POINTS**2 * _sample_cost(network, tuple(x.shape[1:]))
    x = x[:: -(-len(x) // max(MIN_SAMPLES, int(MAX_MULTIPLICATIONS / cost)))]
    y = y[:: -(-len(y) // len(x))]
    # A picture of a large network needs no more than float32, which takes a third of the time.
    if len(vectors) > EXACT_PARAMETERS:
        x, y = x.float(), y.float() if y.is_floating_point() else y
    across, up, losses = slice_losses(
        network, subject.loss, x, y, directions, (ranges[0], ranges[1])
    )
    distance = path.squared_distance if path else 0.0
    share = sum(v**2 for v in points[0][1:]) / distance if points and distance > 0 else None
    return LossSlice(
        names,
        tuple(across),
        tuple(up),
        tuple(map(tuple, losses)),
        tuple(points),
        repeated,
        share,
        len(x),
        target,
    )


def _pair(point: Tensor) -> tuple[float, float]:
    return float(point[0]), float(point[1])
