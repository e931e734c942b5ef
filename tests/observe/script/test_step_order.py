"""The order of a script's calls, kept until a first step is completed."""

from __future__ import annotations

import pytest
import torch
import torch.nn.functional as F
from torch import nn

from sevensteps.observe.script.discovery import Discovery
from tests.observe.script.watchers import discover

pytestmark = pytest.mark.draws


def order_of(calls: str, rounds: int = 3) -> Discovery:
    """A script of rounds that call, in this order, (c)lear, (b)ackward and (s)tep."""

    def script() -> None:
        net = nn.Sequential(nn.Linear(3, 5), nn.ReLU(), nn.Linear(5, 4))
        sgd = torch.optim.SGD(net.parameters(), lr=0.1)
        for _ in range(rounds):
            loss = F.cross_entropy(net(torch.ones(8, 3)), torch.arange(8) % 4)
            for call in calls:
                if call == "c":
                    sgd.zero_grad()
                elif call == "b":
                    loss.backward()
                else:
                    sgd.step()

    return discover(script)


@pytest.mark.parametrize(
    ("calls", "counts", "order"),
    [
        ("cb", {"backward": 3, "clear": 3}, ("clear", "backward")),
        ("cs", {"step": 3, "clear": 3}, ("clear", "step")),
        ("csb", {"backward": 3, "clear": 3, "step": 3}, ("clear", "step", "backward")),
        ("bcs", {"backward": 3, "clear": 3, "step": 3}, ("backward", "clear", "step")),
    ],
)
def test_what_is_called_in_a_round_is_known(
    calls: str, counts: dict[str, int], order: tuple[str, ...]
) -> None:
    kept = order_of(calls).order
    assert not kept.completed
    assert {name: n for name, n in kept.counts.items() if name != "forward"} == counts
    assert kept.round == order
    assert kept.places.keys() >= counts.keys()
    assert all(place.startswith("test_step_order.py:") for place in kept.places.values())
    assert kept.optimizer in ("sgd", "")


def test_a_step_that_is_completed_ends_it() -> None:
    kept = order_of("cbs").order
    assert kept.completed
    assert kept.round == ()


def test_it_is_known_where_a_step_came_before_the_backward_pass() -> None:
    assert order_of("cbs").stepped_at.startswith("test_step_order.py:")
    assert order_of("cb").stepped_at == ""
