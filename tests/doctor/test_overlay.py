"""Whether pictures and masks lie on each other, as they were fed."""

from __future__ import annotations

from collections.abc import Callable

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor, nn

import sevensteps as ss
from tests.helpers.seeds import five_seeds

pytestmark = pytest.mark.draws
Change = Callable[[Tensor, Tensor], tuple[Tensor, Tensor]]


def bars(count: int) -> tuple[Tensor, Tensor]:
    """Pictures with a bright bar at some place, longer than it is wide, and its mask."""
    rows, columns = torch.arange(16)[:, None], torch.arange(16)[None]
    at = torch.randint(2, 14, (count, 2, 1, 1))
    mask = (((rows - at[:, 0]).abs() <= 3) & ((columns - at[:, 1]).abs() <= 1)).float()[:, None]
    return mask + 0.5 * torch.randn(count, 1, 16, 16), mask


def found(change: Change, known: bool) -> set[str]:
    x, y = bars(160)
    model = nn.Sequential(nn.Conv2d(1, 8, 3, padding=1), nn.ReLU(), nn.Conv2d(8, 1, 3, padding=1))
    optimizer = torch.optim.Adam(model.parameters(), lr=5e-3)
    with ss.watch(model, optimizer) as watch:
        for rows in (part for _ in range(5) for part in torch.randperm(160).split(16)):
            a, b = change(x[rows], y[rows])
            loss = F.binary_cross_entropy_with_logits(model(a), b)
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
            watch.step(loss, target=b)
    diagnosis = watch.diagnose(train=(x, y)) if known else watch.diagnose()
    names = {finding.condition for finding in diagnosis.findings}
    return names & {"labels_unrelated", "inputs_scrambled"}


def draw(picture: Tensor) -> Tensor:
    return picture.rot90(int(torch.randint(4, ())), (2, 3))


def shift(picture: Tensor) -> Tensor:
    return picture.roll(torch.randint(-5, 6, (2,)).tolist(), (2, 3))


def apart(augment: Callable[[Tensor], Tensor]) -> Change:
    return lambda a, b: (augment(a), augment(b))


def together(augment: Callable[[Tensor], Tensor]) -> Change:
    def change(a: Tensor, b: Tensor) -> tuple[Tensor, Tensor]:
        both = augment(torch.cat([a, b], 1))
        return both[:, :1], both[:, 1:]

    return change


@five_seeds
@pytest.mark.long
def test_masks_turned_by_draws_of_their_own(seed: int) -> None:
    torch.manual_seed(seed)
    for known in (True, False):
        assert found(apart(draw), known) == {"labels_unrelated"}
        assert not found(together(draw), known)


@five_seeds
def test_masks_moved_by_draws_of_their_own(seed: int) -> None:
    torch.manual_seed(seed)
    assert found(apart(shift), True) == {"labels_unrelated"}
    assert not found(together(shift), True)


@five_seeds
def test_masks_that_are_all_transposed(seed: int) -> None:
    torch.manual_seed(seed)
    assert "inputs_scrambled" in found(lambda a, b: (a, b.transpose(2, 3)), False)
