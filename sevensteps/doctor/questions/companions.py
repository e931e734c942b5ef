"""Is a sample given the same answer whichever others are in its batch?"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn

from sevensteps.doctor.case import Case
from sevensteps.doctor.measures import median
from sevensteps.doctor.questions.asker import MOST, Asker, put
from sevensteps.doctor.questions.layers import passages
from sevensteps.observe.structure import rows, sample_count

BATCH = 16  # samples of one batch, where it is not that of the training
LARGEST = 256  # samples of a batch of the training
DIFFERENT = 1e-3  # of the spread of a layer's numbers: more is no rounding


@dataclass(frozen=True)
class Companions:
    """How far answers move with the rest of the batch, in units of the spread of the answers, the
    root mean square of their deviations between samples, in one batch or in two.

    `others` is the median over samples when all others of the batch are replaced; `own` that when
    the sample itself is, and the others stay; `alone` that
    when the sample is asked without others (None: the network does not take a single one);
    `sample` the one that moved most, by `farthest`. `layer` is the first in which it moved
    ("" where that is not known), `module` its module.
    """

    samples: int
    others: float
    own: float
    alone: float | None
    sample: int
    farthest: float
    layer: str = ""
    module: nn.Module | None = None


def companions(case: Case) -> Companions | None:
    """Ask about each of a batch again with other companions, and alone.

    None where the answers are alike, or are not the same when nothing was changed. A network that
    answers no batch but those of the training's size is asked in these, where the data are handed
    over: else its rows may be the nodes of one graph.
    """
    sizes = {look.batch for look in case.looks}
    trained = sizes.pop() if len(sizes) == 1 and case.part("train") is not None else BATCH
    most = max(MOST, 2 * trained) if trained <= LARGEST else MOST
    return put(case, "samples_mixed", lambda asker: _ask(asker, trained), most)


def _ask(asker: Asker, trained: int) -> Companions | None:
    half = min(BATCH, asker.count // 2)
    if half < 3:
        return None
    batch = rows(asker.inputs, slice(0, half))
    try:
        answers = asker(batch)
    except (ValueError, RuntimeError):
        if not half != trained <= asker.count // 2:
            raise
        half, batch = trained, rows(asker.inputs, slice(0, trained))
        answers = asker(batch)
    following = asker(rows(asker.inputs, slice(half, 2 * half)))
    spread = max(_spread(answers), _spread(torch.cat([answers, following])))
    if not spread > 1e-6 * float(answers.square().mean().sqrt()):
        return None
    if not torch.equal(answers, asker(batch)):
        return None  # it remembers what it was asked

    def distance(answer: Tensor, sample: int) -> float:
        return float((answer - answers[sample]).square().mean().sqrt()) / spread

    moved: dict[int, float] = {}
    own: list[float] = []
    alone: list[float] = []
    for sample in sorted({1, half // 3, half // 2, 2 * half // 3, half - 1}):
        moved[sample] = distance(asker(_replaced(asker, sample, half))[sample], sample)
        own.append(distance(asker(_exchanged(asker, sample, half))[sample], sample))
        single = _alone(asker, sample)
        if single is not None and single.shape == answers[sample].shape:
            alone.append(distance(single, sample))
    farthest = max(moved, key=lambda sample: moved[sample])
    layer, module = "", None
    if moved[farthest] > DIFFERENT:
        layer, module = _first_layer(asker, batch, _replaced(asker, farthest, half), farthest)
    return Companions(
        half,
        median(moved.values()),
        median(own),
        median(alone) if alone else None,
        farthest,
        moved[farthest],
        layer,
        module,
    )


def _replaced(asker: Asker, sample: int, count: int) -> Any:
    """The first `count` samples, all but `sample` replaced by the next ones."""
    chosen = torch.arange(count, 2 * count)
    chosen[sample] = sample
    return rows(asker.inputs, chosen)


def _exchanged(asker: Asker, sample: int, count: int) -> Any:
    """The first `count` samples, `sample` alone replaced by another one."""
    chosen = torch.arange(count)
    chosen[sample] += count
    return rows(asker.inputs, chosen)


def _spread(answers: Tensor) -> float:
    return float(answers.std(0).square().mean().sqrt())


def _alone(asker: Asker, sample: int) -> Tensor | None:
    try:
        return asker(rows(asker.inputs, slice(sample, sample + 1)))[0]
    except Exception:  # not every network takes a single sample
        return None


def _first_layer(asker: Asker, one: Any, other: Any, sample: int) -> tuple[str, nn.Module | None]:
    """The first layer that gave `sample` another output in two batches, though its input was the
    same.
    """
    for a, b in zip(passages(asker, one), passages(asker, other), strict=False):
        came_in, went_out = (
            _apart(x, y, sample, sample_count(one))
            for x, y in ((a.input, b.input), (a.output, b.output))
        )
        if went_out is not None and went_out > DIFFERENT:
            known = came_in is not None and came_in <= DIFFERENT and a.layer == b.layer
            return (a.layer, a.module) if known else ("", None)
    return "", None


def _apart(one: Tensor | None, other: Tensor | None, sample: int, count: int) -> float | None:
    """How far two batches are apart at `sample`, in units of the spread of the first; None where
    it is not known where the sample is.
    """
    if one is None or other is None or one.shape != other.shape:
        return None
    axis = next((axis for axis in range(min(one.ndim, 2)) if one.shape[axis] == count), None)
    if axis is None:
        return None
    a, b = one.double().select(axis, sample), other.double().select(axis, sample)
    spread = float(one.double().std()) or 1.0
    return float((a - b).square().mean().sqrt()) / spread
