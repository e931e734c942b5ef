"""Layers with nothing between them; and lists of layers, which the loop itself calls."""

from __future__ import annotations

from collections.abc import Callable

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor, nn

import sevensteps as ss

pytestmark = pytest.mark.draws


def said_of(model: nn.Module, answer: Callable[[Tensor], Tensor]) -> bool:
    x = torch.randn(200, 4, generator=torch.Generator().manual_seed(0))
    y = x.prod(1, keepdim=True)
    optimizer = torch.optim.Adam(model.parameters(), 1e-2)
    with ss.watch(model, optimizer) as watch:
        for _ in range(60):
            loss = F.mse_loss(answer(x), y)
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
            watch.step(loss, target=y)
    return any(f.condition == "no_nonlinearity" for f in watch.diagnose().findings)


def test_a_chain_is_named_and_a_list_is_not() -> None:
    torch.manual_seed(0)
    into, out = nn.Linear(4, 16), nn.Linear(16, 1)
    chain = nn.Sequential(into, out)
    assert said_of(chain, chain)
    assert not said_of(nn.Sequential(into, nn.ReLU(), out), nn.Sequential(into, nn.ReLU(), out))
    assert not said_of(nn.ModuleList([into, out]), lambda x: out(into(x).relu()))


def test_samples_that_come_back_in_each_step_do_not_make_a_network_linear() -> None:
    torch.manual_seed(0)
    model = nn.Sequential(nn.Linear(4, 16), nn.ReLU(), nn.Linear(16, 1))
    x = torch.randn(64, 4)
    y = x.prod(1, keepdim=True)
    optimizer = torch.optim.SGD(model.parameters(), 1e-7)
    with ss.watch(model, optimizer) as watch:
        for _ in range(60):
            loss = F.mse_loss(model(x), y)
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
            watch.step(loss, target=y)
    named = [f.condition for f in watch.diagnose().findings]
    assert "no_nonlinearity" not in named


def test_a_sum_whose_steps_are_too_short_all_the_same_is_not_the_cause() -> None:
    def named(lr: float) -> list[str]:
        torch.manual_seed(0)
        model = nn.Sequential(nn.Linear(4, 16), nn.ReLU(), nn.Linear(16, 1))
        x = torch.randn(64, 4)
        y = x.sum(1, keepdim=True) + 3
        optimizer = torch.optim.SGD(model.parameters(), lr)
        with ss.watch(model, optimizer) as watch:
            for _ in range(200):
                loss = F.mse_loss(model(x), y, reduction="sum")
                optimizer.zero_grad()
                loss.backward()
                optimizer.step()
                watch.step(loss, target=y)
        return [f.condition for f in watch.diagnose().findings]

    assert named(1e-8)[0] == "learning_rate_too_low"
    assert "loss_scale" in named(0.02)


class Bent(nn.Module):
    """Bends by a function, and takes a graph beside its inputs."""

    def __init__(self, bend: Callable[[Tensor], Tensor]) -> None:
        super().__init__()
        self.into, self.out, self.bend = nn.Linear(4, 16), nn.Linear(16, 1), bend

    def forward(self, x: Tensor, graph: Tensor | None = None) -> Tensor:
        hidden = self.bend(self.into(x))
        return self.out(hidden if graph is None else graph @ hidden)


def test_a_network_without_known_targets_is_asked_all_the_same() -> None:
    x = torch.randn(64, 4, generator=torch.Generator().manual_seed(0))

    def named(bend: Callable[[Tensor], Tensor], *graph: Tensor) -> bool:
        torch.manual_seed(0)
        model = Bent(bend)
        optimizer = torch.optim.Adam(model.parameters(), 1e-2)
        with ss.watch(model, optimizer) as watch:
            for _ in range(30):
                loss = (model(x, *graph) - x.prod(1, keepdim=True)).square().mean()
                optimizer.zero_grad()
                loss.backward()
                optimizer.step()
                watch.step(loss)
        diagnosis = watch.diagnose()
        assert watch.failure is None
        return any(f.condition == "no_nonlinearity" for f in diagnosis.findings)

    assert named(lambda hidden: hidden)
    assert not named(lambda hidden: hidden + torch.tanh(hidden))
    # what cannot be asked of a few nodes alone may bend
    assert not named(lambda hidden: hidden + torch.tanh(hidden), torch.eye(64).to_sparse())


@pytest.mark.parametrize("bent", [True, False])
def test_convolutions_of_a_few_channels_before_more_classes(bent: bool) -> None:
    """Eight channels for ten classes are no neck on purpose."""
    torch.manual_seed(0)
    x = torch.randn(120, 1, 6, 6)
    y = (x.square().mean((1, 2, 3)) * 8).long().clamp(max=9)
    layers: list[nn.Module] = []
    for inputs in (1, 8):
        layers += [nn.Conv2d(inputs, 8, 3, padding=1), nn.BatchNorm2d(8)]
        layers += [nn.ReLU()] if bent else []
    model = nn.Sequential(*layers, nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(8, 10))
    optimizer = torch.optim.Adam(model.parameters(), 1e-2)
    with ss.watch(model, optimizer) as watch:
        for rows in torch.arange(120).repeat(4).split(40):
            loss = nn.functional.cross_entropy(model(x[rows]), y[rows])
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
            watch.step(loss, target=y[rows])
    named = [f.condition for f in watch.diagnose(train=(x, y)).findings]
    assert ("no_nonlinearity" in named) != bent


class Products(nn.Module):
    """Matrices of one's own, [B, 2] -> [B, 2]"""

    def __init__(self, bend: bool) -> None:
        super().__init__()
        self.into = nn.Parameter(torch.randn(2, 24))
        self.out = nn.Parameter(torch.randn(24, 2) / 5)
        self.bend = bend

    def forward(self, x: Tensor) -> Tensor:
        h = x @ self.into
        return (h.relu() if self.bend else h) @ self.out


def test_products_of_matrices_that_are_no_layers_are_asked_too() -> None:
    def named(bend: bool) -> list[str]:
        torch.manual_seed(0)
        model, x = Products(bend), torch.randn(300, 2)
        y = (x.norm(dim=1) > 1.2).long()
        optimizer = torch.optim.Adam(model.parameters(), 2e-2)
        with ss.watch(model, optimizer) as watch:
            for _ in range(150):
                loss = F.cross_entropy(model(x), y)
                optimizer.zero_grad()
                loss.backward()
                optimizer.step()
                watch.step(loss, target=y)
        findings = watch.diagnose(train=(x, y), loss_fn=F.cross_entropy).findings
        return [f.condition for f in findings if f.severity != "info"]

    assert named(bend=False)[:1] == ["no_nonlinearity"]
    assert "no_nonlinearity" not in named(bend=True)


def test_a_relu_whose_bend_lies_at_the_edge_of_the_inputs_is_used() -> None:
    """With biases of 0 it bends at 0, and all inputs are above: nearly all networks start so."""
    run = ss.train("speed", predict="mlp(30)", stop="epochs(1)", out=False)
    assert "no_nonlinearity" not in [finding["condition"] for finding in run.summary["before"]]


@pytest.mark.parametrize("used", [False, True])
def test_activations_that_are_called_and_not_used_are_named(used: bool) -> None:
    class Network(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.into, self.act, self.out = nn.Linear(4, 16), nn.ReLU(), nn.Linear(16, 1)

        def forward(self, x: Tensor) -> Tensor:
            hidden = self.into(x)
            bent = self.act(hidden)
            answer: Tensor = self.out(bent if used else hidden)
            return answer

    torch.manual_seed(0)
    network = Network()
    assert said_of(network, network) is not used
