"""Interventions do what their names say, in a training step that is written out here."""

from __future__ import annotations

import copy
import itertools
from collections.abc import Callable

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from sevensteps.doctor.trials.script.base import AlteredTraining, Intervention
from sevensteps.doctor.trials.script.calls import CallMode
from sevensteps.doctor.trials.script.notation import INTERVENTIONS, parse_change
from sevensteps.doctor.trials.script.of_calls import Replace, TakeOff
from sevensteps.doctor.trials.script.of_networks import StandardizeInputs, mean_and_spread
from sevensteps.doctor.trials.script.of_steps import (
    AddParameters,
    AddParametersAtRandom,
    ClearGradients,
    LeftoverElsewhere,
    LrTimes,
)
from sevensteps.observe.function_mode import insert_mode, remove_mode

pytestmark = pytest.mark.draws
HERE = "test_interventions.py"


class Loop:
    """A network, its optimizer, and steps that an intervention alters."""

    def __init__(self, intervention: Intervention | None, **options: float) -> None:
        torch.manual_seed(0)
        self.network = nn.Linear(3, 1)
        self.optimizer = torch.optim.SGD(self.network.parameters(), **{"lr": 0.1, **options})
        self.x = torch.randn(16, 3)
        self.intervention = intervention
        self.training = AlteredTraining(
            {"": self.network}, {id(self.optimizer): self.optimizer}, self.x
        )

    def step(self, loss: Tensor | None = None) -> Tensor:
        """One step, without clearing gradients. Returns the gradient that the step used."""
        loss = self.network(self.x).square().mean() if loss is None else loss
        loss.backward()
        if self.intervention is not None:
            self.intervention.before_step(self.optimizer, self.training)
        used = self.gradient()
        self.optimizer.step()
        if self.intervention is not None:
            self.intervention.after_step(self.optimizer, self.training)
            self.intervention.step_ended(loss, self.training)
        return used

    def gradient(self) -> Tensor:
        grad = self.network.weight.grad
        assert grad is not None
        return grad.clone()

    def weights(self) -> Tensor:
        return self.network.weight.detach().clone()


def test_a_rate_times_a_factor_follows_every_schedule() -> None:
    altered, scaled = Loop(LrTimes(0.1)), Loop(None)
    for loop, lrs in ((altered, (0.1, 0.4, 0.02)), (scaled, (0.01, 0.04, 0.002))):
        for lr in lrs:
            loop.optimizer.param_groups[0]["lr"] = lr
            loop.step()
            assert loop.optimizer.param_groups[0]["lr"] == lr  # as the script has set it
    assert torch.allclose(altered.weights(), scaled.weights(), atol=1e-6)


def test_cleared_gradients_are_those_of_a_loop_that_clears_them() -> None:
    altered, cured = Loop(ClearGradients()), Loop(None)
    for _ in range(3):
        altered.step()
        cured.optimizer.zero_grad()
        cured.step()
    assert torch.equal(altered.weights(), cured.weights())


def test_its_control_moves_gradients_as_far_and_leaves_the_sum_alone() -> None:
    altered, plain = Loop(LeftoverElsewhere(3), lr=0.0), Loop(None, lr=0.0)
    for step in range(3):
        leftover = torch.zeros(1, 3) if step == 0 else plain.gradient()
        moved, sums = altered.step(), plain.step()
        assert torch.allclose((moved - sums).norm(), leftover.norm(), atol=1e-5)
        assert torch.allclose(altered.gradient(), sums, atol=1e-6)


@pytest.mark.parametrize("kind", [AddParameters, lambda: AddParametersAtRandom(1)])
def test_forgotten_parameters_are_trained(kind: Callable[[], Intervention]) -> None:
    loop, forgotten = Loop(kind()), nn.Linear(1, 1)
    before, constant = copy.deepcopy(forgotten), torch.ones(1, requires_grad=True)
    for _ in range(3):
        loop.step((forgotten(loop.network(loop.x)) - constant).square().mean())
    assert loop.intervention is not None
    assert loop.intervention.applied
    assert not torch.equal(forgotten.weight, before.weight)
    # a tensor that belongs to no layer may be meant to stay
    assert torch.equal(constant, torch.ones(1))


def test_nothing_is_added_where_the_optimizer_has_all() -> None:
    loop = Loop(AddParameters())
    loop.step()
    assert loop.intervention is not None
    assert not loop.intervention.applied


def test_standardized_inputs_in_training_and_evaluation() -> None:
    torch.manual_seed(0)
    x = torch.randn(64, 3) * torch.tensor([100.0, 1.0, 0.0]) + 7
    network = nn.Identity()
    StandardizeInputs().network_known(AlteredTraining({"": network}, {}, x))
    for training in (True, False):
        out = network.train(training)(x)
        assert out.mean(0).abs().max() < 1e-4
        assert torch.allclose(out.std(0, correction=0), torch.tensor([1.0, 1.0, 0.0]), atol=1e-4)
    assert torch.equal(copy.deepcopy(network)(x), out)  # as of an average of weights


def test_images_by_channel_and_sequences_by_feature() -> None:
    for shape, expected in (((8, 3, 4, 4), (1, 3, 1, 1)), ((8, 5, 2), (1, 1, 2)), ((8, 2), (1, 2))):
        mean, spread = mean_and_spread(torch.randn(shape))
        assert mean.shape == spread.shape == expected


def closed(x: Tensor) -> Tensor:
    return F.softmax(x, dim=1)


PLACE = f"{HERE}:{closed.__code__.co_firstlineno + 1}"


def called(intervention: Intervention, x: Tensor) -> Tensor:
    mode = CallMode([intervention])
    insert_mode(mode)
    try:
        return closed(x)
    finally:
        remove_mode(mode)


def test_a_call_on_one_line_is_taken_off_or_replaced() -> None:
    x = torch.randn(4, 3)
    taken = TakeOff("softmax", PLACE)
    assert torch.equal(called(taken, x), x)
    assert taken.applied
    assert torch.equal(called(Replace("softmax", PLACE, "tanh"), x), x.tanh())
    for other in (TakeOff("softmax", f"{HERE}:1"), TakeOff("sigmoid", PLACE)):
        assert torch.equal(called(other, x), x.softmax(1))
        assert not other.applied


EXAMPLES = [
    *("lr_times(factor=0.1)", "clear_gradients()", "add_parameters()", "standardize_inputs()"),
    "take_off(function='softmax', place='train.py:3')",
]


@pytest.mark.parametrize("text", EXAMPLES)
def test_every_change_has_another_at_random(text: str) -> None:
    [intervention] = parse_change({"step": text})
    draw = torch.Generator().manual_seed(1)
    controls = [intervention.control(draw) for _ in range(20)]
    assert all(control is not None and control != intervention for control in controls)


def test_a_rate_at_random_is_moved_no_further() -> None:
    draw = torch.Generator().manual_seed(1)
    factors = [c.factor for c in (LrTimes(0.01).control(draw) for _ in range(50)) if c]  # type: ignore[attr-defined]
    assert all(0.0099 <= factor <= 101 for factor in factors)
    assert min(factors) < 0.1
    assert max(factors) > 10


def test_the_names_are_all_different() -> None:
    assert all(a is not b for a, b in itertools.combinations(INTERVENTIONS.values(), 2))
