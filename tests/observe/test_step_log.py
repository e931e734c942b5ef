"""What is written down of every step, whether somebody looks or not."""

from __future__ import annotations

import pytest
import torch
from torch import nn

import sevensteps as ss
from sevensteps.errors import ArgumentError
from sevensteps.observe.network_facts import NetworkFacts
from sevensteps.observe.observation import Observation
from sevensteps.observe.step_log import StepLog, check_number, plain_number


def test_what_is_passed_comes_in_order_before_what_is_noted() -> None:
    model = nn.Linear(3, 1)
    nn.init.ones_(model.weight)
    optimizer = torch.optim.SGD(model.parameters(), lr=0.0)
    numbers = []
    with ss.watch(model, optimizer, budget=0.001) as watch:
        for step in range(120):
            loss = model(torch.full((4, 3), float(step))).mean()
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
            numbers.append(loss.item())
            watch.step(loss, parts={"all": loss} if step % 7 == 3 else None)
            assert watch.observation.steps == step + 1
            if step % 10 == 0:
                assert watch.observation.losses[-1] == (step, loss.item())
    assert watch.observation.losses == list(enumerate(numbers))
    assert [step for step, _ in watch.observation.parts["all"]] == list(range(3, 120, 7))


def test_the_first_loss_that_is_not_finite_is_told_once() -> None:
    told: list[int] = []
    log = StepLog(Observation(NetworkFacts("", {}, {}, ())), told.append)
    for step, loss in enumerate((1.0, float("inf"), float("nan"))):
        log.note(step, loss, {}, None, waits=False)
    assert told == [1]
    assert log.observation.notes["first_not_finite"] == 1


def test_one_number_is_asked_for() -> None:
    check_number("watch.step(loss)", "the loss", torch.ones(1), "that counts")
    with pytest.raises(ArgumentError, match=r"the loss has shape \[2\]; give the one number"):
        check_number("watch.step(loss)", "the loss", torch.ones(2), "that counts")
    with pytest.raises(ArgumentError, match="the loss is a str; give the one number"):
        check_number("watch.step(loss)", "the loss", "low", "that counts")
    assert plain_number(torch.ones(1, requires_grad=True)) == plain_number(1) == 1.0
