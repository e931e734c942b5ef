"""A network that gets gradients, and whose parameters no optimizer has, is noted."""

from __future__ import annotations

import pytest
import torch
from torch import nn

from tests.observe.script.watchers import discover

X = torch.linspace(-1, 1, 60).reshape(20, 3)


@pytest.mark.parametrize("mistaken", [True, False])
def test_two_optimizers_of_one_network_leave_another_out(mistaken: bool) -> None:
    def script() -> None:
        judge, maker = nn.Linear(3, 1), nn.Linear(2, 3)
        for_judge = torch.optim.SGD(judge.parameters(), lr=0.1)
        for_maker = torch.optim.SGD((judge if mistaken else maker).parameters(), lr=0.1)
        for _ in range(3):
            made = maker(X[:, :2])
            for_judge.zero_grad()
            (judge(made.detach()).mean() - judge(X).mean()).backward()
            for_judge.step()
            for_maker.zero_grad()
            (-judge(made).mean()).backward()
            for_maker.step()

    watcher = discover(script).trainings[0].watcher
    assert watcher is not None
    noted = watcher.observation.notes.get("left_out")
    assert noted == (["maker", "Linear", 9, 2] if mistaken else None)


@pytest.mark.parametrize("mistaken", [True, False])
def test_an_optimizer_of_a_frozen_copy_leaves_the_network_out(mistaken: bool) -> None:
    def script() -> None:
        online, target = nn.Linear(3, 2), nn.Linear(3, 2)
        optimizer = torch.optim.SGD((target if mistaken else online).parameters(), lr=0.1)
        for _ in range(3):
            with torch.no_grad():
                wanted = target(X)
            loss = (online(X) - wanted).square().mean()
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()

    watcher = discover(script).trainings[0].watcher
    assert watcher is not None
    noted = watcher.observation.notes.get("left_out")
    assert noted == (["online", "Linear", 8, 1] if mistaken else None)
