"""A new head that is frozen with the rest; and networks that learn with little of them trained."""

from __future__ import annotations

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor, nn

import sevensteps as ss
from sevensteps.doctor.finding import Finding

pytestmark = pytest.mark.draws


def tuned(model: nn.Sequential, trained: list[nn.Parameter], x: Tensor, y: Tensor) -> list[Finding]:
    for p in model.parameters():
        p.requires_grad_(False)
    for p in trained:
        p.requires_grad_(True)
    optimizer = torch.optim.Adam(trained, lr=2e-2)
    with ss.watch(model, optimizer) as watch:
        for _ in range(10):
            for rows in torch.randperm(len(x)).split(32):
                loss = F.cross_entropy(model(x[rows]), y[rows])
                optimizer.zero_grad()
                loss.backward()
                optimizer.step()
                watch.step(loss, target=y[rows])
    found = watch.diagnose(train=(x, y), loss_fn=F.cross_entropy).findings
    return [finding for finding in found if finding.condition == "parameters_not_updated"]


def network() -> nn.Sequential:
    return nn.Sequential(nn.Linear(8, 64), nn.ReLU(), nn.Linear(64, 4))


@pytest.mark.parametrize("seed", range(3))
def test_a_head_that_is_frozen_with_the_rest_is_named(seed: int) -> None:
    torch.manual_seed(seed)
    x = torch.randn(600, 8)
    y = (x[:, :2] > 0).long() @ torch.tensor([1, 2])
    model = network()
    (finding,) = tuned(model, [model[2].bias], x, y)  # type: ignore[list-item]
    assert finding.explanation.startswith("The last layer (layer 2) is frozen")
    assert "4 of 836 parameters are trained" in finding.explanation
    assert finding.where == {"parameters": ["2.weight"]}
    model = network()
    assert not tuned(model, [*model[2].parameters()], x, y)


def test_few_parameters_that_learn_before_a_frozen_head_are_enough() -> None:
    torch.manual_seed(0)
    x = torch.randn(600, 8)
    model = network()
    y = model(x).argmax(1)  # the network as it is
    assert not tuned(model, [model[0].bias], x, y)  # type: ignore[list-item]


@pytest.mark.parametrize("loaded", [False, True])
def test_a_frozen_body_into_which_nothing_was_loaded_is_named(loaded: bool) -> None:
    torch.manual_seed(0)
    x = torch.randn(600, 8)
    y = (x[:, :2] > 0).long() @ torch.tensor([1, 2])
    model = nn.Sequential(nn.Linear(8, 48), nn.Linear(48, 3), nn.Tanh(), nn.Linear(3, 4))
    with torch.no_grad():
        model[0].weight.mul_(0.01)  # type: ignore[operator]
        if loaded:
            model[0].weight.copy_(torch.eye(48, 8))  # type: ignore[operator]
            model[1].weight.copy_(3 * torch.eye(3, 48))  # type: ignore[operator]
    found = tuned(model, [*model[3].parameters()], x, y)
    assert bool(found) != loaded
    assert all("numbers are those of an initialization" in one.explanation for one in found)
