"""What is noted of steps that nobody looks at is what was so."""

from __future__ import annotations

import math

import pytest
import torch
from torch import nn

from sevensteps.observe.account_recorder import AccountRecorder
from sevensteps.observe.network_facts import NetworkFacts
from sevensteps.observe.observation import Observation
from sevensteps.observe.passed_steps import PassedSteps
from sevensteps.observe.replay_recorder import ReplayRecorder
from sevensteps.observe.step_log import StepLog


class Noted:
    """Steps noted of one network, with what they are handed on to."""

    def __init__(self, *, fused: bool = False) -> None:
        torch.manual_seed(0)
        self.network = nn.Linear(3, 2)
        parameters = self.network.parameters()
        self.optimizer = torch.optim.Adam(parameters, lr=0.1, fused=fused)
        self.observation = Observation(NetworkFacts("", {}, {}, ()))
        log = StepLog(self.observation, lambda _: None)
        log.optimizer = self.optimizer
        self.account = AccountRecorder({"": self.network}, [self.optimizer])
        self.replay = ReplayRecorder({"": self.network}, 0.02)
        self.pauses: list[int] = []
        self.passed = PassedSteps(log, lambda: self.pauses.append(len(self.passed.losses)))
        self.passed.begin(0, self.account, self.replay)

    def step(self, *, update: bool = True) -> None:
        """A step as a loop takes it, with or without an update."""
        loss = self.network(torch.ones(4, 3)).square().mean()
        loss.backward()
        if update:
            self.optimizer.step()
            self.optimizer.zero_grad()
        assert self.passed.note(loss.detach(), None)


@pytest.mark.parametrize("fused", [False, True])
def test_updates_are_counted(fused: bool) -> None:
    noted = Noted(fused=fused)
    for step in range(10):
        noted.step(update=step % 2 == 1)
    noted.passed.write()
    assert noted.account.marks.updates == [5]


def test_losses_and_rates_are_those_of_their_steps() -> None:
    noted = Noted()
    for step in range(6):
        noted.optimizer.param_groups[0]["lr"] = 0.1 if step < 4 else 0.05
        noted.step()
    assert len(noted.observation.losses) == 0
    assert noted.passed.write() == 6
    assert len(noted.observation.losses) == 6
    assert dict(noted.observation.rates) == {0: 0.1, 4: 0.05}
    assert (noted.passed.first, noted.passed.losses) == (6, [])


def test_it_pauses_when_asked_to_and_when_a_loss_is_not_finite() -> None:
    noted = Noted()
    noted.passed.pause_after = 3
    for loss in (1.0, 1.0, 1.0):
        noted.passed.note(torch.tensor(loss), None)
    assert noted.pauses == [3]
    noted.passed.pause_after = 100
    noted.passed.note(torch.tensor(math.nan), None)
    assert noted.pauses == [3, 4]


def test_a_loss_may_be_a_number() -> None:
    noted = Noted()
    assert noted.passed.note(1.5, None)
    assert noted.passed.losses == [1.5]


@pytest.mark.parametrize("loss", [1, torch.ones(2), nn.Parameter(torch.ones(()))])
def test_what_is_no_number_in_memory_is_left_to_others(loss: object) -> None:
    noted = Noted()
    assert not noted.passed.note(loss, None)
    assert noted.passed.losses == []
