"""The same question twice: dropout that works in evaluation mode is told from what is drawn."""

from __future__ import annotations

from typing import Any

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from sevensteps.doctor.case import Case
from sevensteps.doctor.questions.twice import Twice, twice
from sevensteps.observe.network_facts import network_facts
from sevensteps.observe.observation import Observation

pytestmark = pytest.mark.draws

X = torch.randn(100, 6, generator=torch.Generator().manual_seed(0))
Y = (X[:, 0] > 0).long()


class Net(nn.Module):
    def __init__(self, function: Any, *plain: nn.Module) -> None:
        super().__init__()
        self.function, self.plain = function, list(plain)

    def forward(self, x: Tensor) -> Any:
        return self.function(x, *self.plain)


class MonteCarlo(nn.Dropout):
    def forward(self, x: Tensor) -> Tensor:
        return F.dropout(x, self.p, self.training or self.p > 0)


def answers(network: nn.Module) -> Twice | None:
    known = Case(Observation(network_facts(network)), network, train=(X, Y))
    given = twice(known)
    assert known.not_judged == []
    return given


ON = {
    "function": lambda x: F.dropout(x),
    "rate": lambda x: F.dropout(x, 0.3),
    "torch": lambda x: torch.dropout(x, 0.3, x.requires_grad or len(x) > 1),
    "attention": lambda x: F.scaled_dot_product_attention(
        x[:, None], x[:, None], x[:, None], dropout_p=0.3
    )[:, 0],
}


@pytest.mark.parametrize("name", ON)
def test_dropout_that_evaluation_does_not_stop_is_seen_with_its_place(name: str) -> None:
    given = answers(Net(ON[name]))
    assert given is not None
    assert given.apart > 0.2
    assert given.without_dropout == 0
    assert [place.partition(":")[0] for place in given.places] == ["test_twice.py"]
    assert not given.on_purpose


def test_a_layer_that_the_network_does_not_know_of_is_seen() -> None:
    given = answers(Net(lambda x, drop: drop(x), nn.Dropout(0.5)))
    assert given is not None
    assert given.apart > 0.5
    assert len(given.places) == 1
    assert not given.on_purpose


@pytest.mark.parametrize(
    "function",
    [
        lambda x: F.dropout(x, 0.3, True),
        lambda x: F.dropout(x, p=0.3, training=True),
        lambda x: F.dropout(F.relu(x), 0.3, training=True),
        lambda x: torch.dropout(x, 0.3, True),
        MonteCarlo(0.3),
    ],
)
def test_dropout_that_is_to_work_says_so(function: Any) -> None:
    given = answers(Net(lambda x: function(x)))
    assert given is not None
    assert given.apart > 0.1
    assert given.on_purpose


def test_the_scores_with_and_without_dropout_are_compared() -> None:
    class Sure(nn.Module):
        def forward(self, x: Tensor) -> Tensor:
            return F.dropout(torch.stack([-x[:, 0], x[:, 0]], 1), 0.5, training=len(x) > 1)

    given = answers(Sure())
    assert given is not None
    assert given.score_without == 1
    assert given.score is not None
    assert given.score < 0.95


@pytest.mark.parametrize(
    "network",
    [
        nn.Sequential(nn.Linear(6, 5), nn.Dropout(), nn.Linear(5, 2)),
        Net(lambda x: F.dropout(x, 0.5, training=False)),
        nn.Sequential(nn.Linear(6, 5), nn.BatchNorm1d(5), nn.Linear(5, 2)),
    ],
)
def test_networks_that_answer_the_same_twice(network: nn.Module) -> None:
    given = answers(network.train())
    assert given is not None
    assert (given.apart, given.places) == (0, ())


def test_what_a_network_draws_is_no_dropout() -> None:
    given = answers(Net(lambda x: x + 0.3 * torch.randn_like(x)))
    assert given is not None
    assert given.apart > 0.1
    assert given.places == ()
    both = answers(Net(lambda x: F.dropout(x, 0.3) + 0.3 * torch.randn_like(x)))
    assert both is not None
    assert both.without_dropout > 0.1


def test_a_network_that_remembers_says_nothing() -> None:
    class Counts(nn.Module):
        calls = 0

        def forward(self, x: Tensor) -> Tensor:
            self.calls += 1
            return x + self.calls

    assert answers(Counts()) is None
    assert answers(Net(lambda x: 0 * x + 1)) is None
