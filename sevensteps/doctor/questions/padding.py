"""Does the answer to a sequence depend on the padding after it?"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

from sevensteps.doctor.case import Case
from sevensteps.doctor.measures import median
from sevensteps.doctor.questions.asker import Asker, put
from sevensteps.observe.structure import map_tensors, rows, tensors_of

SAMPLES = 24  # that are asked about
SHORTEST = 8  # steps of a padded sequence
PADDED = 0.5  # share of the samples that end in padding
INSIDE = 0.1  # share of the steps before that may look like it


@dataclass(frozen=True)
class Padding:
    """Sequences of `length` steps in the median, and `padding` steps after them.

    `moved` is how far the answers move when the padding is cut off, the median over samples in
    units of the spread of the answers between samples; `spread` is that spread with the padding,
    relative to the spread without it.
    """

    samples: int
    length: float
    padding: float
    moved: float
    spread: float


def padding(case: Case) -> Padding | None:
    """Ask about each sequence again without the padding after it.

    None where there is none, the network takes one length only, or has an answer for each step.
    """
    if case.examples is None or sequence_lengths(tensors_of(case.examples[0])) is None:
        return None
    return put(case, "padding_read", _ask, most=SAMPLES)


def sequence_lengths(tensors: dict[str, Tensor]) -> tuple[Tensor, int] | None:
    """The lengths [N] without padding of the first padded sequence, and its steps; None where there
    is none.
    """
    for tensor in tensors.values():
        whole = not tensor.is_floating_point() and tensor.dtype != torch.bool
        if tensor.ndim != (2 if whole else 3) or tensor.shape[1] < SHORTEST:
            continue
        last = tensor[:, -1].flatten() if whole else torch.zeros(1)
        filling = last.mode().values.to(tensor.dtype).to(tensor.device)
        is_filling = tensor == filling if whole else (tensor == filling).all(2)
        after = is_filling.flip(1).long().cumprod(1).sum(1)  # steps at the end
        lengths = tensor.shape[1] - after
        padded, empty = (after > 0).double().mean(), (lengths == 0).double().mean()
        inside = (is_filling.sum(1) - after).sum() / lengths.sum().clamp_min(1)
        if padded >= PADDED and inside <= INSIDE and empty <= INSIDE:
            return lengths, tensor.shape[1]
    return None


def _ask(asker: Asker) -> Padding | None:
    padded = sequence_lengths(tensors_of(asker.inputs))
    if padded is None or asker.count < 4:
        return None
    lengths, steps = padded
    with_padding = asker(asker.inputs)
    cut = []
    for sample, length in enumerate(lengths.tolist()):
        one = rows(asker.inputs, slice(sample, sample + 1))
        try:
            answer = asker(_shortened(one, steps, max(length, 1)))[0]
        except Exception:  # it takes sequences of one length
            return None
        if answer.shape != with_padding[0].shape:
            return None  # an answer for each step
        cut.append(answer)
    without = torch.stack(cut)
    spread = float(without.std(0).square().mean().sqrt())
    if not spread > 0:
        return None
    return Padding(
        asker.count,
        median(lengths.tolist()),
        median((steps - lengths).tolist()),
        median((with_padding - without).square().mean(1).sqrt().tolist()) / spread,
        float(with_padding.std(0).square().mean().sqrt()) / spread,
    )


def _shortened(inputs: Any, steps: int, length: int) -> Any:
    """The inputs with only the first `length` of `steps` steps."""
    return map_tensors(
        lambda t: t[:, :length] if t.ndim >= 2 and t.shape[1] == steps else t, inputs
    )
