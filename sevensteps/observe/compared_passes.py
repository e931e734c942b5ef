"""What the forward passes of one step say about each other: which codes a loss draws together, and
whether a judge's answer for what another network makes is pulled the same way by both.

By the gradients that come back to each pass's output. Everything here only reads.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from sevensteps.observe.structure import spread_indices

MAX_PASSES = 6  # of one step
MIN_ROWS = 4
MAX_COLUMNS = 64  # of the inputs that are compared one by one
OPPOSED = 1e-3  # of the length of a gradient, that its two halves may differ from opposites
NEARER = 0.5  # of the distance to what else is judged, within which inputs are of one kind


@dataclass(frozen=True)
class OnePass:
    """Inputs, output and the gradient that came back to it, of one forward pass; `attached` where
    the inputs have a gradient of their own.
    """

    inputs: Tensor
    output: Tensor
    gradient: Tensor
    attached: bool


@dataclass(frozen=True)
class PairDistances:
    """How far the inputs lie apart of pairs whose codes the loss draws together, and of those that
    it pushes apart: how many, the mean and the variance. `drawn_columns` and `pushed_columns` have
    the mean and the variance of the squared difference in each of some columns of the inputs;
    `felt` is the share of all pairs that the loss moves at all.
    """

    drawn: tuple[int, float, float]
    pushed: tuple[int, float, float]
    drawn_columns: tuple[tuple[float, float], ...] = ()
    pushed_columns: tuple[tuple[float, float], ...] = ()
    felt: float = 1.0


def pair_distances(passes: Sequence[OnePass]) -> PairDistances | None:
    """Of the rows of the first pass and those of each other one; None where they are no pairs."""
    if not 2 <= len(passes) <= MAX_PASSES:
        return None
    first = passes[0]
    same = all(
        one.inputs.shape == first.inputs.shape
        and one.output.shape == first.output.shape
        and one.inputs.is_floating_point()
        and not one.attached
        for one in passes
    )
    if (
        not same
        or len(first.inputs) < MIN_ROWS
        or first.output.ndim != 2
        or first.output.shape[1] < 2
    ):
        return None
    differences = torch.cat([(one.inputs - first.inputs).flatten(1).double() for one in passes[1:]])
    pull = torch.cat(
        [(one.gradient * (one.output - first.output)).double().sum(1) for one in passes[1:]]
    )
    apart = differences.norm(dim=1)
    columns = spread_indices(differences.shape[1], MAX_COLUMNS)
    squares = differences[:, columns.to(differences.device)].square()
    return PairDistances(
        _summary(apart[pull > 0]),
        _summary(apart[pull < 0]),
        _by_column(squares[pull > 0]),
        _by_column(squares[pull < 0]),
        float((pull != 0).double().mean()),
    )


def halves(one: OnePass) -> list[OnePass]:
    """The two halves of one pass, where each row of the one is pulled exactly against the same row
    of the other: pairs that went through the network together; else nothing.
    """
    half = len(one.gradient) // 2
    if one.attached or half < MIN_ROWS or len(one.gradient) != 2 * half:
        return []
    both = one.gradient[:half] + one.gradient[half:]
    if not float(both.norm()) <= OPPOSED * float(one.gradient.norm()):
        return []
    return [
        OnePass(one.inputs[rows], one.output[rows], one.gradient[rows], False)
        for rows in (slice(0, half), slice(half, None))
    ]


def two_sides(
    inputs: Mapping[str, Tensor], outputs: Mapping[str, Tensor], gradients: Mapping[str, Tensor]
) -> list[OnePass]:
    """One pass as two, where a network takes two inputs and gives an output for each, in their
    order: pairs that it was handed side by side; else nothing.
    """
    if len(inputs) != 2 or len(outputs) != 2 or not outputs.keys() <= gradients.keys():
        return []
    if any(not tensor.ndim for tensor in (*inputs.values(), *outputs.values())):
        return []  # as of a network that gives its loss beside its answer
    pairs = zip(inputs.values(), outputs.items(), strict=True)
    return [
        OnePass(x.detach(), output, gradients[path], x.requires_grad)
        for x, (path, output) in pairs
        if len(x) == len(output)
    ]


def _by_column(squares: Tensor) -> tuple[tuple[float, float], ...]:
    if len(squares) < 2:
        return ()
    means, variances = squares.mean(0).tolist(), squares.var(0).tolist()
    return tuple(zip(means, variances, strict=True))


def _summary(numbers: Tensor) -> tuple[int, float, float]:
    if len(numbers) < 2:
        return len(numbers), float(numbers.sum()), 0.0
    return len(numbers), float(numbers.mean()), float(numbers.var())


def pulls_alike(passes: Sequence[OnePass]) -> bool | None:
    """Whether the gradient that goes on into another network, which made the inputs of a pass,
    pulls the answers the same way as the judge's own step does for what that network made. None
    where there is no such network, or it is not told from the data.
    """
    attached = [one for one in passes if one.attached]
    own = [one for one in passes if not one.attached]
    if len(attached) != 1 or len(own) < 2 or len(passes) > MAX_PASSES:
        return None
    if any(one.inputs.shape[1:] != attached[0].inputs.shape[1:] for one in own):
        return None
    centre = attached[0].inputs.double().mean(0)
    own.sort(key=lambda one: float((one.inputs.double().mean(0) - centre).norm()))
    near, far = (float((one.inputs.double().mean(0) - centre).norm()) for one in (own[0], own[-1]))
    pulls = [float(one.gradient.double().mean()) for one in (attached[0], own[0], own[-1])]
    if near > NEARER * far or 0.0 in pulls or pulls[1] * pulls[2] > 0:
        return None
    return pulls[0] * pulls[1] > 0
