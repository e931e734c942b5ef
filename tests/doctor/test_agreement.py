"""Whether a step down the gradient makes answers agree more with their targets."""

from __future__ import annotations

from collections.abc import Callable

import pytest
import torch
from torch import Tensor

from sevensteps.doctor.agreement import agreement, correlation_led, share_led_away
from sevensteps.observe.look import Look

pytestmark = pytest.mark.draws
Loss = Callable[[Tensor, Tensor], Tensor]


def look(output: Tensor, target: Tensor, loss_fn: Loss) -> Look:
    output = output.detach().requires_grad_()
    loss = loss_fn(output, target)
    (gradient,) = torch.autograd.grad(loss, output)
    output = output.detach()
    return Look(0, float(loss.detach()), output=output, target=target, output_gradient=gradient)


def dice(output: Tensor, target: Tensor) -> Tensor:
    share = output.sigmoid()
    return 2 * (share * target).sum() / (share.sum() + target.sum())


def test_yes_and_no() -> None:
    torch.manual_seed(0)
    target = (torch.rand(200, 1) < 0.3).float()
    output = torch.randn(200, 1) + target
    assert share_led_away(look(output, target, dice)) == 1
    assert share_led_away(look(output, target, lambda o, t: 1 - dice(o, t))) == 0
    assert (agreement(look(output, target, dice)) or 0) > 0.5
    assert (agreement(look(-output, target, dice)) or 0) < -0.5


def test_classes_at_their_own_axis() -> None:
    torch.manual_seed(0)
    target = torch.randint(3, (20, 5, 5))
    output = torch.randn(20, 3, 5, 5)
    entropy = torch.nn.functional.cross_entropy
    assert share_led_away(look(output, target, entropy)) == 0
    assert share_led_away(look(output, target, lambda o, t: -entropy(o, t))) == 1
    own = torch.nn.functional.one_hot(target, 3).permute(0, 3, 1, 2)
    assert (agreement(look(output + 2 * own, target, entropy)) or 0) > 1


def test_numbers_by_their_correlation() -> None:
    torch.manual_seed(0)
    target = torch.randn(50, 2)
    output = target + torch.randn(50, 2)
    led = correlation_led(look(output, target, lambda o, t: (o * t).mean()))
    assert led is not None
    assert led[0] == 1
    assert led[1] > 0.5
    led = correlation_led(look(0.1 * output, target, torch.nn.functional.mse_loss))
    assert led is not None
    assert led[0] == 0
    assert correlation_led(look(output, (target > 0).float(), dice)) is None
    assert share_led_away(look(output, target, lambda o, t: (o * t).mean())) is None
