"""The rate of a loop without an optimizer is read off what it does."""

from __future__ import annotations

from collections.abc import Callable

import pytest
import torch
from torch import Tensor, nn

from sevensteps.doctor.rate_by_hand import rate_by_hand
from sevensteps.observe.look import Change, Look

pytestmark = pytest.mark.draws
Update = Callable[[Tensor, int], Tensor]


def looks_of(update: Update, steps: int = 3) -> list[Look]:
    torch.manual_seed(0)
    model = nn.Sequential(nn.Linear(6, 8), nn.Tanh(), nn.Linear(8, 1))
    looks = []
    for step in range(steps):
        model(torch.randn(16, 6)).square().mean().backward()
        changes = {}
        for name, p in model.named_parameters():
            assert p.grad is not None
            before = p.detach().clone()
            p.data -= update(p.grad, step)
            lengths = (
                t.flatten(1).norm(dim=1) if t.ndim > 1 else t.norm()[None]
                for t in (before, p.grad, p.detach() - before)
            )
            changes[name] = Change(*lengths)
            p.grad = None
        looks.append(Look(step, 1.0, changes=changes))
    return looks


@pytest.mark.parametrize("lr", [5e-5, 0.01, 0.5])
def test_descent_shows_its_rate(lr: float) -> None:
    assert rate_by_hand(looks_of(lambda g, _: lr * g)) == pytest.approx(lr, rel=0.01)


def test_the_first_rate_counts_where_it_is_lowered() -> None:
    lowered = looks_of(lambda g, step: 0.1 / (step + 1) * g)
    assert rate_by_hand(lowered) == pytest.approx(0.1, rel=0.01)


@pytest.mark.parametrize(
    "update",
    [
        lambda g, _: 1e-3 * g / (g.abs() + 1e-8),  # Adam's first step
        lambda g, _: 0.1 * g / g.norm(),
        lambda g, _: 0 * g,
    ],
)
def test_other_steps_have_no_rate(update: Update) -> None:
    assert rate_by_hand(looks_of(update)) is None


def test_one_look_at_one_parameter_says_nothing() -> None:
    assert rate_by_hand([]) is None
    one = Change(torch.ones(1), torch.ones(1), torch.ones(1) * 0.1)
    assert rate_by_hand([Look(0, 1.0, changes={"w": one})]) is None
