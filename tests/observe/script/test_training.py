"""When a step ends: of one optimizer, of several that take turns, of none."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from torch import nn

from sevensteps.observe.script.losses import MAX_WAITING
from sevensteps.observe.script.training import ScriptTraining, unused_name
from tests.observe.script.watchers import WatcherLog

pytestmark = pytest.mark.draws


def training_of(*names: str) -> tuple[ScriptTraining, dict[str, Any]]:
    """A training of networks of these names, each with an optimizer of its own."""
    training = ScriptTraining(WatcherLog, "train.py:1")  # type: ignore[arg-type]
    optimizers = {}
    for name in names:
        module = nn.Linear(2, 1)
        optimizers[name] = torch.optim.SGD(module.parameters(), lr=0.1)
        training.add(name, module, [optimizers[name]], alone=len(names) == 1)
    return training, optimizers


def steps_of(training: ScriptTraining) -> list[Any]:
    watcher: Any = training.watcher
    return [(loss, parts) for loss, _, parts in watcher.steps]


def loss_of(value: float) -> torch.Tensor:
    return torch.tensor(value, requires_grad=True) * 1


def test_backward_passes_before_a_step_add_up() -> None:
    training, optimizers = training_of("net")
    for value in (1.0, 2.0):
        training.backward(loss_of(value), inside=False)
    training.stepped(optimizers["net"])
    training.backward(loss_of(4.0), inside=False)
    training.stepped(optimizers["net"])
    assert steps_of(training) == [(3.0, {}), (4.0, {})]


def test_losses_that_wait_for_a_step_that_never_comes_are_few_and_keep_their_sum() -> None:
    training, optimizers = training_of("net")
    values = [0.1 * number for number in range(10 * MAX_WAITING)]
    for value in values:
        training.backward(loss_of(value), inside=False)
    assert len(training._losses) <= MAX_WAITING
    training.stepped(optimizers["net"])
    ((loss, _),) = steps_of(training)
    total = torch.zeros(())
    for value in values:
        total = total + value
    assert torch.equal(torch.as_tensor(loss), total)


def test_many_losses_within_a_step_are_that_of_its_first_pass() -> None:
    training, optimizers = training_of("net")
    for value in range(3 * MAX_WAITING):
        training.backward(loss_of(5.0 + value), inside=value > 0)
    training.stepped(optimizers["net"])
    assert steps_of(training) == [(6.0, {})]


def test_what_is_cleared_before_the_step_is_no_part_of_it() -> None:
    training, optimizers = training_of("net")
    training.backward(loss_of(1.0), inside=False)
    training.cleared(optimizers["net"])
    training.backward(loss_of(2.0), inside=False)
    training.stepped(optimizers["net"])
    assert steps_of(training) == [(2.0, {})]


def test_a_round_ends_when_each_optimizer_has_stepped() -> None:
    training, optimizers = training_of("D", "G")
    for value in (1.0, 2.0):
        training.backward(loss_of(value), inside=False)
        training.stepped(optimizers["D"])
        training.backward(loss_of(value / 2), inside=False)
        training.stepped(optimizers["G"])
    assert steps_of(training) == [(1.5, {"D": 1.0, "G": 0.5}), (3.0, {"D": 2.0, "G": 1.0})]


def test_one_of_two_may_step_more_often() -> None:
    training, optimizers = training_of("D", "G")
    for _ in range(4):
        for _ in range(5):
            training.backward(loss_of(1.0), inside=False)
            training.stepped(optimizers["D"])
        training.backward(loss_of(0.5), inside=False)
        training.stepped(optimizers["G"])
    # of the first round nobody knows that another optimizer is to come
    assert 4 <= len(steps_of(training)) <= 8
    assert steps_of(training)[-1] == (1.5, {"D": 1.0, "G": 0.5})


def test_an_optimizer_that_never_steps_is_not_waited_for() -> None:
    training, optimizers = training_of("used", "unused")
    for _ in range(6):
        training.backward(loss_of(1.0), inside=False)
        training.stepped(optimizers["used"])
    assert len(steps_of(training)) >= 5


def test_a_loss_of_two_optimizers_counts_once() -> None:
    training, optimizers = training_of("body", "head")
    loss = loss_of(2.0)
    training.backward(loss, inside=False)
    training.stepped(optimizers["body"])
    training.stepped(optimizers["head"])
    assert steps_of(training)[0][0] == 2.0


def test_without_an_optimizer_the_next_backward_ends_a_step() -> None:
    training = ScriptTraining(WatcherLog, "")  # type: ignore[arg-type]
    training.add("net", nn.Linear(2, 1), [], alone=True)
    for value in (3.0, 2.0, 1.0):
        training.backward(loss_of(value), inside=False)
    training.end()
    assert steps_of(training) == [(3.0, {}), (2.0, {}), (1.0, {})]


def test_names_are_used_once() -> None:
    assert unused_name("net", {}) == "net"
    assert unused_name("net", {"net": 1, "net2": 1}) == "net3"
