"""Whether the weight of an error in the loss is itself trained, and became next to nothing: what is
left of the loss is then small, and the error is not.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import torch
from torch import Tensor

from sevensteps.doctor.case import Case
from sevensteps.doctor.finding import Finding, Measure, Remedy
from sevensteps.doctor.identify_loss import identify
from sevensteps.doctor.measures import significant
from sevensteps.doctor.questions.alone import BETTER_ALONE, trained_alone
from sevensteps.observe.look import Look

SHRUNK = 0.1  # of the weight at the start
ERROR_LEFT, SOME_LEFT = 0.5, 0.1  # of the error at the start; the latter with proof
MIN_ROWS = 4


@dataclass(frozen=True)
class WeighedError:
    """The error of one output in a look, and what it is multiplied by in the loss: by the length of
    the gradient that comes back, against that of the error itself.
    """

    step: int
    name: str
    weight: float
    error: float


def shrunk_weight(case: Case) -> Finding | None:
    """`loss_terms_unbalanced`, where a factor that is trained has made the loss small, and the
    error that it multiplies is still what it was. A weight that the loop sets is no such factor.
    """
    if case.several or case.before_training:
        return None
    courses: dict[str, list[WeighedError]] = {}
    for look in case.looks:
        for path, error in _errors(look):
            courses.setdefault(path, []).append(error)
    for path, course in courses.items():
        first, last = course[0], course[-1]
        if len(course) < 2 or last.name != first.name or not first.weight > 0:
            continue
        if not 0 <= last.weight <= SHRUNK * first.weight:
            continue
        if not last.error >= SOME_LEFT * first.error > 0 or _is_set(case.looks[-1], path):
            continue
        if last.error >= ERROR_LEFT * first.error or _could_do_better(case, path):
            return _finding(path, first, last)
    return None


def _could_do_better(case: Case, path: str) -> bool:
    alone = trained_alone(case, path)
    return alone is not None and alone.after - alone.before >= BETTER_ALONE


def _errors(look: Look) -> Iterator[tuple[str, WeighedError]]:
    """Of each output whose targets are known: the loss that is identified by its gradient."""
    outputs: dict[str, Tensor | None] = {**look.outputs} or {"": look.output}
    for path, output in outputs.items():
        gradient = look.output_gradients.get(path) if look.outputs else look.output_gradient
        if output is None or gradient is None or (target := _target(look, output)) is None:
            continue
        count = min(len(target), len(output), len(gradient))
        if count < MIN_ROWS:
            continue
        identified = identify(output[:count], target[:count], gradient[:count], look.batch)
        if identified is not None:
            error = float(identified.loss.sum(output[:count].double(), target[:count])) / count
            yield path, WeighedError(look.step, identified.loss.name, identified.scale, error)


def _target(look: Look, output: Tensor) -> Tensor | None:
    """The first targets that a loss function was called with for outputs of this shape."""
    whole = (look.batch, *output.shape[1:])
    calls = [
        call
        for call in look.calls
        if call.kind == "loss" and call.shapes.get("input") == whole and "target" in call.shapes
    ]
    numbers = calls[0].content.get("target.first") if len(calls) == 1 else None
    if numbers is None:
        return None
    each = calls[0].shapes["target"][1:]
    size = max(torch.Size(each).numel(), 1)
    return torch.tensor(numbers[: len(numbers) // size * size]).reshape(-1, *each)


def _is_set(look: Look, path: str) -> bool:
    """Whether the factor of this output's term is a number, which the loop has set."""
    return any(term.output == path and term.factor is not None for term in look.loss_terms)


def _finding(path: str, first: WeighedError, last: WeighedError) -> Finding:
    of = f" of output {path}" if path else ""
    left = significant(100 * last.weight / first.weight, 2)
    return Finding(
        "loss_terms_unbalanced",
        "loss",
        "error",
        0.9,
        f"What the error{of} ({last.name}) is multiplied by is trained, too, and nothing keeps it "
        f"up: at step {last.step:,} it is {left:g} % of what it was. The loss became small that "
        f"way; the error has come from {first.error:.3g} to no more than {last.error:.3g}.",
        [
            Measure(
                f"weight of the error{of} in the loss",
                significant(last.weight),
                f"about {significant(first.weight):g}, as in the first look",
                "gradient at the output, against that of the error itself",
            ),
            Measure(
                f"error{of}", significant(last.error), f"well below {first.error:.3g}", last.name
            ),
        ],
        [
            Remedy(
                {},
                "a factor that costs nothing goes to 0",
                "add what the weight costs: exp(-s) * error + s for a learned log variance s "
                "(Kendall, Gal, Cipolla 2018); or leave the weights fixed",
            )
        ],
        {"output": path} if path else {},
    )
