"""The settings of an optimizer's groups, and the scale of who called it."""

from __future__ import annotations

import torch
from torch import nn

from sevensteps.observe.optimizer_settings import grad_scale, optimizer_settings


def test_each_group_has_its_own() -> None:
    parameters = [nn.Parameter(torch.ones(1)) for _ in range(2)]
    groups = [{"params": parameters[:1]}, {"params": parameters[1:], "lr": 0.5}]
    optimizer = torch.optim.SGD(groups, lr=0.1, weight_decay=0.01)
    torch.optim.lr_scheduler.ExponentialLR(optimizer, 0.9)
    optimizer.param_groups[0]["lr"] = 0.05
    first, second = optimizer_settings(optimizer)
    assert first == {"lr": 0.05, "initial_lr": 0.1, "weight_decay": 0.01, "built_lr": 0.1}
    assert second == {"lr": 0.5, "initial_lr": 0.5, "weight_decay": 0.01, "built_lr": 0.1}


def test_the_scale_is_that_of_the_scaler_that_called() -> None:
    parameter = nn.Parameter(torch.ones(1))
    optimizer = torch.optim.SGD([parameter], lr=0.1)
    scales = []
    optimizer.register_step_pre_hook(lambda *_: scales.append(grad_scale()))
    parameter.grad = torch.ones(1)
    optimizer.step()
    scaler = torch.amp.GradScaler("cpu", init_scale=64.0)
    scaler.scale(parameter.sum()).backward()  # type: ignore[no-untyped-call]
    scaler.step(optimizer)
    assert scales == [None, 64.0]
