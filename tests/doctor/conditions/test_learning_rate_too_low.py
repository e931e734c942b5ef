"""A warm-up that never ends is told from schedules that do what they should."""

from __future__ import annotations

from collections.abc import Callable

import pytest
import torch
from torch import nn

from sevensteps.doctor.case import Case
from sevensteps.doctor.conditions import learning_rate_too_low
from sevensteps.doctor.room_for_rate import room_for_rate
from sevensteps.observe.look import Look
from sevensteps.observe.network_facts import network_facts
from sevensteps.observe.observation import Observation
from sevensteps.observe.step_account import GroupAccount, StepAccount

pytestmark = pytest.mark.draws
STEPS = 100


def case_of(
    rate: Callable[[int], float],
    initial: float,
    loss: Callable[[int], float],
    adam: bool,
    by_hand: bool = False,
) -> Case:
    model = nn.Linear(2, 2)
    kind: type[torch.optim.Optimizer] = torch.optim.Adam if adam else torch.optim.SGD
    facts = network_facts(model, [kind(model.parameters(), initial)])  # type: ignore[call-arg]
    group = GroupAccount(0, kind.__name__, rate(0), None if by_hand else initial, built_lr=initial)
    account = StepAccount(groups=(group,))
    observation = Observation(facts, looks=[Look(0, loss(0), (rate(0),), account=account)])
    observation.losses = [(step, loss(step)) for step in range(STEPS)]
    observation.steps = STEPS
    for step in range(STEPS):
        observation.record_rate(step, rate(step))
    case = Case(observation)
    vars(case)["loss_is_error"] = True
    return case


@pytest.mark.parametrize(
    ("rate", "initial", "loss", "adam", "accused"),
    [
        (lambda step: 1e-6 * (step + 1), 1e-3, lambda _: 2.3, True, True),
        (lambda step: 1e-6 * (step // 50 + 1), 1e-3, lambda _: 2.3, True, True),
        (lambda step: 1e-3 * min(1.0, (step + 1) / 10), 1e-3, lambda _: 2.3, True, False),
        (lambda step: 1e-3 * (1 - step / 101), 1e-3, lambda _: 2.3, True, False),
        (lambda step: 1e-6 * (step + 1), 1e-3, lambda step: 2.3 * 0.9**step, True, False),
        (lambda _: 1e-6, 1e-3, lambda _: 2.3, True, False),
        # a formula that is multiplied by a rate of 1, as transformers had it first
        (lambda step: 1e-6 * (step + 1), 1.0, lambda _: 2.3, True, False),
        (lambda step: 1e-6 * (step + 1), 0.1, lambda _: 2.3, False, True),
    ],
)
def test_a_warm_up_that_never_ends(
    rate: Callable[[int], float],
    initial: float,
    loss: Callable[[int], float],
    adam: bool,
    accused: bool,
) -> None:
    finding = learning_rate_too_low.examine(case_of(rate, initial, loss, adam))
    assert (finding is not None and "warming up" in finding.explanation) is accused


@pytest.mark.parametrize(
    ("rate", "loss", "accused"),
    [
        (lambda step: 1e-6 * (step + 1), lambda _: 2.3, True),
        (lambda step: 1e-6 * (step // 5 + 1), lambda _: 2.3, True),
        (lambda step: 1e-4 * min(1.0, (step + 1) / 10), lambda _: 2.3, False),  # another goal
        (lambda step: 1e-3 * min(1.0, (step + 1) / 10), lambda _: 2.3, False),
        (lambda _: 1e-5, lambda _: 2.3, False),
        (lambda step: 1e-6 * (step + 1), lambda step: 2.3 * 0.9**step, False),
    ],
)
def test_a_warm_up_by_hand_works_towards_the_rate_that_the_optimizer_was_built_with(
    rate: Callable[[int], float], loss: Callable[[int], float], accused: bool
) -> None:
    finding = learning_rate_too_low.examine(case_of(rate, 1e-3, loss, True, by_hand=True))
    assert (finding is not None and "was built with" in finding.explanation) is accused


@pytest.mark.parametrize(
    ("rate", "usual"),
    [
        (lambda _: 1e-3, 1e-3),
        (lambda step: 1e-3 * min(1.0, (step + 1) / 10), 1e-3),  # warm after a tenth
        (lambda step: 1e-3 * min(1.0, (step + 1) / 80), None),  # still warming up
        (lambda step: 1e-3 * (1 - step / 101), 1e-3),  # only lowered
    ],
)
def test_the_rate_that_is_called_too_low_is_the_one_after_the_warm_up(
    rate: Callable[[int], float], usual: float | None
) -> None:
    case = case_of(rate, 1e-3, lambda step: 4.0 - step / STEPS, True)
    room = room_for_rate(case)
    assert (None if room is None else room.rate) == usual
