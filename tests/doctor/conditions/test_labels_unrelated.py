"""Targets without any relation to their inputs, and those that have a weak one."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor, nn

import sevensteps as ss
from tests.helpers.seeds import five_seeds, three_seeds

pytestmark = pytest.mark.draws
N = 2600


@pytest.fixture(autouse=True)
def own_random_numbers() -> Iterator[None]:
    with torch.random.fork_rng():
        yield


def conditions(
    x: Tensor, y: Tensor, outputs: int, loss_fn: Callable[[Tensor, Tensor], Tensor]
) -> set[str]:
    model = nn.Sequential(nn.Linear(x.shape[1], 16), nn.ReLU(), nn.Linear(16, outputs))
    optimizer = torch.optim.Adam(model.parameters(), lr=1e-3)
    with ss.watch(model, optimizer) as watch:
        for _ in range(3):
            for rows in torch.randperm(N).split(32):
                loss = loss_fn(model(x[rows]), y[rows])
                optimizer.zero_grad()
                loss.backward()
                optimizer.step()
                watch.step(loss, target=y[rows])
    found = watch.diagnose(train=(x[:N], y[:N]), valid=(x[N:], y[N:])).findings
    return {finding.condition for finding in found if finding.severity != "info"}


def rare(x: Tensor) -> Tensor:
    """A class of 5 %, a little likelier where the first input is large."""
    return (torch.rand(len(x)) < torch.sigmoid(x[:, 0] - 3.2)).long()


def faint(x: Tensor) -> Tensor:
    """A fiftieth of the variance follows from the inputs."""
    return 0.15 * x[:, :1] + torch.randn(len(x), 1)


@five_seeds
def test_weak_relations_are_relations(seed: int) -> None:
    torch.manual_seed(seed)
    x = torch.randn(3000, 8)
    assert "labels_unrelated" not in conditions(x, rare(x), 2, F.cross_entropy)
    assert "labels_unrelated" not in conditions(x, faint(x), 1, F.mse_loss)


@five_seeds
@pytest.mark.long
def test_targets_of_other_rows(seed: int) -> None:
    torch.manual_seed(seed)
    x = torch.randn(3000, 8)
    other = torch.randperm(3000)
    three = (x[:, 0] > 0.4).long() + (x[:, 1] > 0)
    assert "labels_unrelated" in conditions(x, three[other], 3, F.cross_entropy)
    assert "labels_unrelated" in conditions(x, (x[:, :1] - x[:, 1:2])[other], 1, F.mse_loss)


@pytest.mark.parametrize("time_first", [False, True])
def test_outputs_laid_out_in_another_order_than_their_targets(time_first: bool) -> None:
    torch.manual_seed(0)
    model = nn.Sequential(nn.Embedding(9, 16), nn.Linear(16, 9))
    optimizer = torch.optim.Adam(model.parameters(), lr=1e-2)
    x = torch.randint(9, (32, 7))
    with ss.watch(model, optimizer) as watch:
        for _ in range(60):
            output = model(x)
            rows = (output.transpose(0, 1) if time_first else output).reshape(-1, 9)
            loss = nn.functional.cross_entropy(rows, x.flip(0).flip(0).reshape(-1))
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
            watch.step(loss, target=x)
    named = [finding.condition for finding in watch.diagnose().findings]
    assert ("labels_unrelated" in named) == time_first


def unrelated(network: nn.Module, x: Tensor, y: Tensor, loss_fn: Callable[..., Tensor]) -> bool:
    """Whether the targets are said to have nothing to do with the inputs; half is validation."""
    optimizer = torch.optim.Adam(network.parameters(), lr=1e-2)
    count = len(x) // 2
    with ss.watch(network, optimizer) as watch:
        for _ in range(8):
            for rows in torch.randperm(count).split(32):
                loss = loss_fn(network(x[rows]), y[rows])
                optimizer.zero_grad()
                loss.backward()
                optimizer.step()
                watch.step(loss, target=y[rows])
    data = {"train": (x[:count], y[:count]), "valid": (x[count:], y[count:])}
    findings = watch.diagnose(**data, loss_fn=loss_fn).findings
    return "labels_unrelated" in [f.condition for f in findings if f.severity != "info"]


class Products(nn.Module):
    """Ratings from the product of a user's and an item's vector."""

    def __init__(self) -> None:
        super().__init__()
        self.users, self.items = nn.Embedding(40, 4), nn.Embedding(30, 4)

    def forward(self, pairs: Tensor) -> Tensor:
        users, items = self.users(pairs[:, 0]), self.items(pairs[:, 1])
        answer: Tensor = (users * items).sum(1)
        return answer


@three_seeds
@pytest.mark.long
def test_ratings_that_were_joined_to_other_pairs(seed: int) -> None:
    torch.manual_seed(seed)
    pairs = torch.stack([torch.randint(40, (2500,)), torch.randint(30, (2500,))], 1)
    users, items = torch.randn(40, 2), torch.randn(30, 2)
    ratings = (users[pairs[:, 0]] * items[pairs[:, 1]]).sum(1)
    assert not unrelated(Products(), pairs, ratings, F.mse_loss)
    apart = pairs[pairs[:, 1].argsort()]
    assert unrelated(Products(), apart, ratings, F.mse_loss)


@three_seeds
@pytest.mark.long
def test_words_that_may_stand_anywhere_are_a_relation(seed: int) -> None:
    """Which a network that adds up its inputs cannot see, nor can nearest neighbours."""
    torch.manual_seed(seed)
    letters, y = torch.randint(4, (1600, 24)), torch.randint(2, (1600,))
    starts = torch.randint(20, (1600,)).tolist()
    for row in y.nonzero().flatten().tolist():
        letters[row, starts[row] : starts[row] + 4] = torch.tensor([3, 0, 3, 1])
    x = F.one_hot(letters, 4).float().transpose(1, 2)
    first = [nn.Conv1d(4, 8, 1), nn.ReLU(), nn.AdaptiveAvgPool1d(1), nn.Flatten()]
    deaf = nn.Sequential(*first, nn.Linear(8, 2))
    assert not unrelated(deaf, x, y, F.cross_entropy)
    assert unrelated(deaf, x, y[torch.randperm(1600)], F.cross_entropy)
