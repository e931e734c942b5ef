"""A batch in parts: the gradients of all parts add up to that of the whole, whatever their
sizes.
"""

from __future__ import annotations

import copy

import pytest
import torch
from torch import Tensor, nn

from sevensteps.engine.autograd import Autograd
from sevensteps.engine.chain_rule import ChainRule
from sevensteps.engine.distributed.data_parallel import DataParallel, Partition
from sevensteps.engine.distributed.process_group import ProcessGroup
from sevensteps.engine.engine import Engine
from sevensteps.engine.modules import Dropout, use_generator
from sevensteps.errors import ArgumentError, Error
from sevensteps.steps.loss import cross_entropy


class OfflineGroup(ProcessGroup):
    """A group that sends nothing: the test itself adds up what the processes have."""

    def broadcast_tensor(self, tensor: Tensor) -> None: ...
    def all_reduce(self, tensor: Tensor) -> None: ...


class Progress:
    interrupted = False


def network(generator: torch.Generator) -> nn.Module:
    made = nn.Sequential(nn.Linear(5, 7), nn.ReLU(), Dropout(0.3), nn.Linear(7, 3)).double()
    with torch.no_grad():
        for parameter in made.parameters():
            parameter.copy_(torch.randn(parameter.shape, generator=generator))
    return made


@pytest.mark.parametrize("count", [0, 1, 2, 3, 7, 100])
@pytest.mark.parametrize("size", [1, 2, 3, 8])
def test_every_row_belongs_to_one(size: int, count: int) -> None:
    rows = [Partition(index, size).rows(count) for index in range(size)]
    assert [row for part in rows for row in range(count)[part]] == list(range(count))
    assert (
        max(part.stop - part.start for part in rows) - min(part.stop - part.start for part in rows)
        <= 1
    )


@pytest.mark.draws  # nn.Linear does
@pytest.mark.parametrize("kind", [ChainRule, Autograd])
@pytest.mark.parametrize("samples", [1, 2, 3, 10])
@pytest.mark.parametrize("size", [2, 4])
def test_parts_add_up_to_the_whole(size: int, samples: int, kind: type[Engine]) -> None:
    generator = torch.Generator().manual_seed(1)
    first = network(generator)
    x, y = (
        torch.randn(samples, 5, generator=generator).double(),
        torch.randint(0, 3, (samples,), generator=generator),
    )
    total, summed = torch.zeros(0), 0.0
    for index in range(size):
        mine = copy.deepcopy(first)
        use_generator(mine, torch.Generator().manual_seed(2))
        group = OfflineGroup(index, size)
        engine = DataParallel(kind(mine, cross_entropy()), group)
        part, target = Partition(index, size).take(x, y)
        engine.predict(part)
        losses = engine.loss(target)
        engine.gradient()
        engine._count = 0  # as if all had counted
        summed += engine.all_reduce(float(losses.sum()), Progress())
        total = engine.gradients if not index else total + engine.gradients
    use_generator(first, torch.Generator().manual_seed(2))
    expected = nn.functional.cross_entropy(first(x), y)  # PyTorch's own, of the whole batch
    expected.backward()
    oracle = torch.cat([p.grad.flatten() for p in first.parameters() if p.grad is not None])
    assert torch.allclose(total, oracle, rtol=1e-12, atol=1e-14)
    assert summed / samples == pytest.approx(float(expected.detach()), rel=1e-12)


@pytest.mark.draws
def test_a_network_that_sees_only_a_part_is_refused() -> None:
    group = OfflineGroup(0, 2)
    with pytest.raises(
        ArgumentError,
        match="1 \\(BatchNorm1d\\) takes its statistics over the whole batch, of which 2 "
        "processes see",
    ):
        DataParallel(
            Autograd(nn.Sequential(nn.Linear(2, 2), nn.BatchNorm1d(2)), cross_entropy()), group
        )
    with pytest.raises(
        ArgumentError, match="0 \\(Dropout\\) would draw other numbers in 2 processes than in one"
    ):
        DataParallel(Autograd(nn.Sequential(nn.Dropout(), nn.Linear(2, 2)), cross_entropy()), group)


@pytest.mark.draws
def test_batches_of_other_sizes_are_noticed() -> None:
    group = OfflineGroup(0, 2)
    engine = DataParallel(Autograd(nn.Linear(2, 2), cross_entropy()), group)
    with pytest.raises(Error, match="call predict"):
        engine.gradient()
    part, target = Partition(0, 2).take(torch.zeros(5, 2), torch.zeros(5, dtype=torch.int64))
    engine.predict(part)
    engine.loss(target)
    engine.gradient()
    with pytest.raises(
        Error,
        match="here it has 5 samples, in 2 processes together 5; every process must go over the "
        "same batches",
    ):
        engine.all_reduce(1.0, Progress())  # nobody has added the other's five
