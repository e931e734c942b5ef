"""Would what moves no answer, of the inputs, tell more of the targets than the network knows?"""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial

import torch
from jaxtyping import Float
from torch import Tensor, nn

from sevensteps.doctor.asking import main_target
from sevensteps.doctor.case import Case
from sevensteps.doctor.kind_of_task import class_indices
from sevensteps.doctor.questions.another_input import sequence_axis
from sevensteps.doctor.questions.asker import Asker, put
from sevensteps.doctor.questions.layers import passages
from sevensteps.doctor.simple_models import classification_score, regression_score
from sevensteps.observe.structure import tensors_of

SAMPLES = 400  # samples
LEAST = 60  # of fewer a model says little
CODES, NUMBERS, PRODUCTS = 64, 64, 1000  # of a sample; more are mixed at random, or left out
FEW_VALUES = 16  # of a whole number, each a column of its own


@dataclass(frozen=True)
class MissedPart:
    """Cross-validated scores of a linear model: of what the last layer reads, alone or with the
    inputs that are used; and with the part beside it, and their products or not.
    """

    without: float
    with_it: float


def missed_part(
    case: Case, path: str, places: tuple[tuple[int, int], ...] = ()
) -> MissedPart | None:
    """The input at `path`, or only its `places` (first, last) along the axis of a sequence, beside
    what the network makes of the rest.
    """
    return put(case, "input_not_used", partial(_ask, path, places), SAMPLES)


def _ask(path: str, places: tuple[tuple[int, int], ...], asker: Asker) -> MissedPart | None:
    part, target = tensors_of(asker.inputs).get(path), main_target(asker.targets)
    if part is None or target is None or len(target) != asker.count or asker.count < LEAST:
        return None
    if places:
        axis = sequence_axis(part)
        rows = torch.cat([torch.arange(first, last + 1) for first, last in places])
        part = part.index_select(axis, rows.to(part.device))
    read = [
        passage.input
        for passage in passages(asker, asker.inputs)
        if isinstance(passage.module, nn.Linear) and passage.input is not None
    ]
    codes = read[-1] if read and len(read[-1]) == asker.count else asker(asker.inputs)
    known, more = _columns(codes, CODES), _columns(part.cpu(), NUMBERS)
    products = (known[:, :, None] * more[:, None]).flatten(1)
    beside = [torch.cat([known, more], 1)]
    if products.shape[1] <= PRODUCTS:
        beside.append(torch.cat([known, more, products], 1))
    # what is used may tell as much, and be lost later
    rest = [_columns(other.cpu(), NUMBERS) for other in _used(asker, path, places)]
    less = [known, torch.cat([known, *rest], 1)]
    scores = [
        [score for x in tables if (score := _score(asker.case, x, target.cpu())) is not None]
        for tables in (less, beside)
    ]
    return MissedPart(max(scores[0]), max(scores[1])) if all(scores) else None


def _used(asker: Asker, path: str, places: tuple[tuple[int, int], ...]) -> list[Tensor]:
    """The inputs without the part that is asked about."""
    tensors = tensors_of(asker.inputs)
    others = [t for at, t in tensors.items() if at != path and t.ndim > 0 and len(t) == asker.count]
    if places:
        axis = sequence_axis(tensors[path])
        used = torch.ones(tensors[path].shape[axis], dtype=torch.bool)
        for first, last in places:
            used[first : last + 1] = False
        others.append(tensors[path].index_select(axis, used.nonzero().flatten()))
    return others


def _columns(numbers: Tensor, most: int) -> Float[Tensor, "N D"]:
    """Standardised columns; whole numbers of few values as a column for each."""
    flat = (
        numbers.detach().cpu().flatten(1) if numbers.ndim > 1 else numbers.detach().cpu()[:, None]
    )
    whole = not flat.is_floating_point()
    if whole and flat.shape[1] == 1 and len(values := flat.unique()) <= FEW_VALUES:
        flat = flat == values
    flat = flat.double()
    if flat.shape[1] > most:
        draw = torch.Generator().manual_seed(0)
        flat = flat @ torch.randn(flat.shape[1], most, generator=draw, dtype=torch.double)
    spread = flat.std(0, correction=0)
    varied = spread > 1e-12
    return (flat - flat.mean(0))[:, varied] / spread[varied]


def _score(case: Case, x: Float[Tensor, "N D"], target: Tensor) -> float | None:
    if case.task == "regression":
        return regression_score(x, target.reshape(len(target), -1).double(), linear=True)
    if case.task not in ("binary", "multiclass"):
        return None
    classes = class_indices(target).unique(return_inverse=True)[1]
    return classification_score(x, classes, linear=True)
