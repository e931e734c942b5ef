"""Does the order of a sequence, or of the patches of an image, change the answer?"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import Tensor

from sevensteps.doctor.case import Case
from sevensteps.doctor.questions.asker import Asker, put
from sevensteps.doctor.questions.padding import sequence_lengths
from sevensteps.doctor.questions.redraw import redraw
from sevensteps.observe.structure import main_output, map_tensors, tensors_of

SAMPLES = 32  # that are asked about
SHORTEST = 2  # steps whose order is changed
LEAST = 4  # samples, for their answers to have a spread
SAME = 1e-4  # of the spread of the answers, of orders that make no difference
PATCHES = (1, 2, 3, 4, 5, 6, 7, 8, 14, 16, 32)  # pixels

Reordering = Callable[[Tensor], Tensor]


@dataclass(frozen=True)
class Order:
    """How far answers move when the steps come in another order, in units of their spread between
    samples: `moved` with the present weights, `redrawn` with new ones. Of an answer for each step,
    in the order of the steps; `others` is how far it moves with the other steps.

    `patch` is the side of the patches whose order was changed, in pixels; 0 of a sequence. Of
    several sizes, the smallest that made no difference, else that which made the least.
    """

    steps: int
    patch: int
    moved: float
    redrawn: float
    each: bool
    others: float


def order(case: Case) -> Order | None:
    """Ask with the steps of the first sequence in another order; None where there is none."""
    if case.examples is None or _orders(tensors_of(case.examples[0])) is None:
        return None
    return put(case, "order_blind", _ask, most=SAMPLES)


def _orders(tensors: dict[str, Tensor]) -> tuple[Tensor, dict[int, tuple[int, Reordering]]] | None:
    """The first sequence or image, and by the side of the patches (0: a sequence) how many there
    are, and what puts them in another order.
    """
    for tensor in tensors.values():
        whole = not tensor.is_floating_point() and tensor.dtype != torch.bool
        if tensor.ndim == (2 if whole else 3) and tensor.shape[1] >= SHORTEST:
            padded = sequence_lengths({"": tensor})
            steps = tensor.shape[1] if padded is None else int(padded[0].min())
            if steps >= SHORTEST:
                return tensor, {0: (steps, lambda x, n=steps: _shuffled_steps(x, n))}  # type: ignore[misc]
        if not whole and tensor.ndim == 4:
            height, width = tensor.shape[2:]
            sides = [s for s in PATCHES if not (height % s or width % s)]
            counts = {s: (height // s) * (width // s) for s in sides}
            return tensor, {
                s: (count, lambda x, s=s: _shuffled_patches(x, s))  # type: ignore[misc]
                for s, count in counts.items()
                if count >= SHORTEST
            }
    return None


def _permutation(count: int) -> Tensor:
    if count < 4:  # by chance it might be the order that there was
        return torch.arange(count).flip(0)
    return torch.randperm(count, generator=torch.Generator().manual_seed(0))


def _shuffled_steps(x: Tensor, steps: int) -> Tensor:
    """The first `steps` steps [N, T, …] in another order."""
    return torch.cat([x[:, :steps][:, _permutation(steps).to(x.device)], x[:, steps:]], 1)


def _shuffled_patches(x: Tensor, side: int) -> Tensor:
    """The patches of images [N, C, H, W] in another order."""
    n, channels, height, width = x.shape
    rows, columns = height // side, width // side
    patches = x.reshape(n, channels, rows, side, columns, side).transpose(3, 4)
    patches = patches.reshape(n, channels, rows * columns, side, side)
    patches = patches[:, :, _permutation(rows * columns).to(x.device)]
    patches = patches.reshape(n, channels, rows, columns, side, side).transpose(3, 4)
    return patches.reshape(x.shape)


def _ask(asker: Asker) -> Order | None:
    source = _orders(tensors_of(asker.inputs))
    if source is None or asker.count < LEAST:
        return None
    sequence, orders = source
    least: Order | None = None
    for patch, (steps, reorder) in orders.items():
        moved, each = _moved(asker, sequence, reorder, steps)
        if moved is not None and (least is None or moved < least.moved):
            least = Order(steps, patch, moved, moved, each, 0.0)
            if moved <= SAME:
                break  # larger patches are made of these
    if least is None or least.moved > SAME:
        return least
    steps, reorder = orders[least.patch]
    others = _by_others(asker, sequence, steps) if least.each else 0.0
    redraw(asker.network, 0)
    redrawn, _ = _moved(asker, sequence, reorder, steps)
    return Order(
        steps,
        least.patch,
        least.moved,
        least.moved if redrawn is None else redrawn,
        least.each,
        others,
    )


def _answers(asker: Asker, sequence: Tensor, other: Tensor) -> Tensor | None:
    inputs = map_tensors(lambda t: other if t is sequence else t, asker.inputs)
    output = asker.output(inputs)
    answer = asker.case.answer_in(output)
    answer = main_output(output) if answer is None else answer
    if answer is None or answer.ndim == 0 or len(answer) != asker.count:
        return None
    return answer.detach().double()


def _moved(
    asker: Asker, sequence: Tensor, reorder: Reordering, steps: int
) -> tuple[float | None, bool]:
    """How far answers move with another order, and whether there is one for each step."""
    before, after = (_answers(asker, sequence, x) for x in (sequence, reorder(sequence)))
    if before is None or after is None or not bool(before.isfinite().all()):
        return None, False
    each = before.ndim >= 2 and before.shape[:2] == sequence.shape[:2] and sequence.ndim < 4
    if each:
        before = _shuffled_steps(before, steps)
    spread = float(before.std(0).square().mean().sqrt())
    if not spread > 0:
        return None, each
    return float((after - before).square().mean().sqrt()) / spread, each


def _by_others(asker: Asker, sequence: Tensor, steps: int) -> float:
    """How far the answer at the first step moves with the inputs at the others."""
    other = sequence.roll(asker.count // 2, 0).clone()
    other[:, 0] = sequence[:, 0]
    before, after = (_answers(asker, sequence, x) for x in (sequence, other))
    assert before is not None
    assert after is not None
    spread = float(before[:, 0].std(0).square().mean().sqrt()) or 1.0
    return float((after - before)[:, 0].square().mean().sqrt()) / spread
