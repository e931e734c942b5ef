"""The loss surface where the training ended: how curved it is, what rate that allows, and how far
the quadratic there tells the truth.
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
from sevensteps.explain.surface.least_squares import FLAT, Lane, Optimum
from sevensteps.explain.surface.slice import CELLS, START, Plane, path_of, reach_of, slice_of
from sevensteps.steps.step import sgd

EXACT = 500  # parameters up to which the whole Hessian is computed
PRODUCTS = 120  # Hessian-vector products that Lanczos and the forecast take, about
WORK = 6e9  # multiplications that the curvature, and the slice, may take: seconds
NUMBERS = 40_000_000  # of the samples' that are held at once
LEAST = 64  # samples that are looked at in any case
FORECAST = 50  # steps whose loss is predicted
ILL = 100.0  # condition number from which raw inputs are raced against standardised ones


@dataclass(frozen=True)
class Surface(Explanation):
    """`eigenvalues` of the Hessian at the last weights, largest first: all of them where `exact`, else the two largest and the smallest.

    The smallest is then known to within `TOLERANCE` of the largest. `samples` of the `total`
    training samples were looked at, and `loss` and `gradient` (its length) are theirs. `condition`
    is λ_max / λ_min where the latter is clearly above 0, `stable` = 2/λ_max the largest stable
    learning rate of plain SGD, `slowest` = 1/(lr λ_min) its steps per factor e along the flattest
    direction, at `lr`. `predicted` and `measured` are losses of the next full-batch steps at
    `rate`."""

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
    plane: Plane | None
    optimum: Optimum | None
    race: tuple[Lane, ...]

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
        """How many of those known are 0 but for rounding."""
        return sum(
            abs(value) <= (FLAT if self.exact else TOLERANCE) * self.eigenvalues[0]
            for value in self.eigenvalues
        )

    @property
    def condition(self) -> float | None:
        """None where the loss curves downwards somewhere, or only one direction is curved, or most
        are flat.
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
        """Steps per factor e along the flattest direction, where the rate is a stable one."""
        lr = self.lr or self.rate
        return 1 / (lr * self.positive[-1]) if self.condition and lr < self.stable else None

    def to_dict(self) -> dict[str, Any]:
        derived = {name: getattr(self, name) for name in ("stable", "condition", "slowest", "flat")}
        return {**asdict(self), **derived, "tolerance": 0.0 if self.exact else TOLERANCE}


def surface(subject: Subject) -> Surface:
    """The curvature of the training loss at the last weights, in float64, and what follows from
    it.
    """
    network = copy.deepcopy(subject.network).double().cpu().eval()
    _refuse(network)
    solvable = least_squares.solvable(subject)
    parameters = sum(p.numel() for p in network.parameters() if p.requires_grad)
    exact, total = parameters <= EXACT, len(subject.data.train)
    each = _each(network, tuple(subject.data.train.x.shape[1:]))
    x, y = _some(subject, max(LEAST, int(WORK / (3 * each * (parameters if exact else PRODUCTS)))))
    here = Hessian(network, subject.loss, x, y)
    values, vectors = here.spectrum() if exact else here.largest(2)
    eigenvalues = values.tolist()
    if not exact:
        eigenvalues.append(here.smallest(eigenvalues[0]) if eigenvalues[0] > 0 else eigenvalues[-1])
    lr = _rate(subject)
    plain = isinstance(subject.recipe.step, sgd) and not subject.recipe.step.momentum
    rate = (
        lr
        if plain and lr and isinstance(subject.recipe.step.lr, float)
        else 1 / eigenvalues[0]
        if eigenvalues[0] > 0
        else 0.1
    )
    best = least_squares.optimum(subject, x, y) if solvable else None
    ill = (
        best is not None
        and exact
        and eigenvalues[0]
        > ILL * min(value for value in eigenvalues if value > FLAT * eigenvalues[0])
    )
    predicted, measured = forecast(here, network, subject, x, y, rate)
    return Surface(
        parameters,
        len(x),
        total,
        exact,
        here.loss,
        float(here.gradient.norm()),
        tuple(eigenvalues),
        _start(subject, x, y),
        repr(subject.recipe.step),
        lr,
        int(subject.summary.get("steps") or 0),
        rate,
        predicted,
        measured,
        _plane(subject, network, x, y, abs(here.loss), eigenvalues, vectors, best),
        best,
        tuple(least_squares.race(subject)) if ill else (),
    )


def _refuse(network: nn.Module) -> None:
    if not any(p.requires_grad for p in network.parameters()):
        raise ArgumentError(
            "this network has no trained parameter, so its loss has no surface; the questions "
            "sample and shapes can be "
            "answered"
        )
    if any(isinstance(module, Step) for module in network.modules()):
        raise ArgumentError(
            "the step activation is flat but for its jump, so the loss has no slope and no "
            "curvature; the questions "
            "neuron and shapes can be answered"
        )
    if not all(bool(p.isfinite().all()) for p in network.parameters()):
        raise ArgumentError(
            "the last weights are not finite: the training diverged, and there is no surface "
            "where it ended"
        )


def _some(subject: Subject, most: int) -> tuple[Tensor, Tensor]:
    """Training samples, evenly spread, at most about `most` of them, in float64."""
    part = subject.data.train
    every = -(-len(part) // max(1, min(most, NUMBERS // part.x.shape[1:].numel())))
    x, y = part.x[::every], subject.output.encode(part.y[::every])
    return x.double().cpu(), y.double().cpu() if y.is_floating_point() else y.cpu()


def _each(network: nn.Module, shape: tuple[int, ...]) -> int:
    """The work of one sample, in multiplications of a dense layer: those of a convolution in
    float64 take some three times as long.
    """
    return max(
        multiplications(network, shape)
        * (3 if any(isinstance(module, nn.Conv2d) for module in network.modules()) else 1),
        1,
    )


def _rate(subject: Subject) -> float | None:
    """The learning rate of the step, the highest that was reached where it has a schedule; None for
    steps that scale each direction.
    """
    if not isinstance(subject.recipe.step, sgd):
        return None
    lr = subject.recipe.step.lr
    return (
        float(lr)
        if isinstance(lr, int | float)
        else max((float(row["lr"] or 0.0) for row in subject.history), default=0.0) or None
    )


def _start(subject: Subject, x: Tensor, y: Tensor) -> float | None:
    """λ_max before the first step, where the start can be made again."""
    try:
        network = subject.rerun(**START).network.double().cpu().eval()
        here = Hessian(network, subject.loss, x, y)
        return float(here.largest(1)[0][0]) if here.size > 2 else float(here.spectrum()[0][0])
    except Error:
        return None


def forecast(
    here: Hessian, network: nn.Module, subject: Subject, x: Tensor, y: Tensor, rate: float
) -> tuple[tuple[float, ...], tuple[float, ...]]:
    """The loss of the next full-batch steps of plain SGD: by L + gᵀd + dᵀHd / 2 with the gradient g
    + H d, and as it comes out.
    """
    predicted: list[float] = []
    d = torch.zeros_like(here.gradient)
    for _ in range(FORECAST + 1):
        bent = here @ d
        predicted.append(here.loss + float(here.gradient @ d + d @ bent / 2))
        d = d - rate * (here.gradient + bent)
    moving = copy.deepcopy(network)
    parameters = [p for p in moving.parameters() if p.requires_grad]
    measured = []
    for _ in range(FORECAST + 1):
        with torch.enable_grad():
            loss = subject.loss(moving(x), y).mean()
            slopes = torch.autograd.grad(
                loss, parameters, allow_unused=True, materialize_grads=True
            )
        measured.append(float(loss.detach()))
        with torch.no_grad():
            for p, slope in zip(parameters, slopes, strict=True):
                p.sub_(rate * slope)
    return tuple(predicted), tuple(measured)


def _plane(
    subject: Subject,
    network: nn.Module,
    x: Tensor,
    y: Tensor,
    height: float,
    eigenvalues: list[float],
    vectors: Tensor,
    best: Optimum | None,
) -> Plane | None:
    """The slice along the two steepest directions; along the steepest and the flattest, where the
    best parameters are known.
    """
    if vectors.shape[1] < 2 or not eigenvalues[0] > 0:
        return None
    rising = sum(value > FLAT * eigenvalues[0] for value in eigenvalues[: vectors.shape[1]])
    second = max(rising - 1, 1) if best is not None else 1
    directions = torch.stack([vectors[:, 0], vectors[:, second]], 1)
    names = (
        f"steepest direction, λ {eigenvalues[0]:.4g}",
        f"{'flattest' if best is not None and second > 1 else 'second steepest'} direction, λ "
        f"{eigenvalues[second]:.4g}",
    )
    path, again = path_of(subject, directions)
    points = [(step, *_pair(place)) for step, place in path.points] if path else []
    target: tuple[float, float] | None = None
    if best is not None and len(best.parameters) == len(best.terms):  # one output
        apart = torch.tensor(best.parameters, dtype=torch.float64) - torch.tensor(
            best.own, dtype=torch.float64
        )
        target = _pair(apart @ directions)
    seen = [place for _, *place in points] + ([list(target)] if target else [])
    reach = [
        reach_of(
            [place[axis] for place in seen],
            math.sqrt(2 * (height or 1.0) / (curved if curved > 0 else eigenvalues[0])),
        )
        for axis, curved in enumerate((eigenvalues[0], eigenvalues[second]))
    ]
    each = _each(network, tuple(x.shape[1:]))
    some = x[:: -(-len(x) // max(LEAST, int(WORK / (CELLS**2 * each))))]
    goal = y[:: -(-len(x) // len(some))]
    if (
        len(vectors) > EXACT
    ):  # a picture needs no more than float32, which takes a third of the time
        some, goal = some.float(), goal.float() if goal.is_floating_point() else goal
    across, up, losses = slice_of(
        network, subject.loss, some, goal, directions, (reach[0], reach[1])
    )
    way = path.way if path else 0.0
    share = sum(value**2 for value in points[0][1:]) / way if points and way > 0 else None
    return Plane(
        names,
        tuple(across),
        tuple(up),
        tuple(map(tuple, losses)),
        tuple(points),
        again,
        share,
        len(some),
        target,
    )


def _pair(place: Tensor) -> tuple[float, float]:
    return float(place[0]), float(place[1])
