"""One term of a loss drowns another: named, and never said of terms that are small by design."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor, nn

import sevensteps as ss
from sevensteps.doctor.conditions.loss_terms_unbalanced import examine
from sevensteps.doctor.finding import Finding

pytestmark = pytest.mark.draws

X = torch.randn(256, 6, generator=torch.Generator().manual_seed(0))
KIND = (X[:, :3] * X[:, 3:]).argmax(1)
PRICE = 2e5 + 8e4 * X[:, 0].sin()
COUNT = torch.randint(0, 3, (256,), generator=torch.Generator().manual_seed(1))  # not to be learned


class Heads(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.body = nn.Sequential(nn.Linear(6, 16), nn.ReLU(), nn.Linear(16, 16), nn.ReLU())
        self.kind, self.price = nn.Linear(16, 3), nn.Linear(16, 1)
        self.spread, self.back = nn.Linear(16, 16), nn.Linear(16, 6)

    def forward(self, x: Tensor) -> dict[str, Tensor]:
        h = self.body(x)
        code = h + (self.spread(h) / 2).exp() * 0.01
        answers = {"kind": self.kind(h), "price": self.price(h)[:, 0]}
        return {**answers, "code": h, "spread": self.spread(h), "again": self.back(code)}


def trained(
    loss: Callable[[dict[str, Tensor], Tensor], dict[str, Tensor]],
    steps: int = 80,
    named: bool = False,
    lr: float = 1e-3,
) -> Finding | None:
    torch.manual_seed(0)
    model = Heads()
    optimizer = torch.optim.Adam(model.parameters(), lr=lr)
    with ss.watch(model, optimizer) as watch:
        for step in range(steps):
            rows = torch.arange(32) + 32 * (step % 8)
            parts = loss(model(X[rows]), rows)
            whole = torch.stack(list(parts.values())).sum()
            optimizer.zero_grad()
            whole.backward()
            optimizer.step()
            watch.step(whole, parts=parts if named else None)
    assert watch.failure is None
    case: Any = watch.diagnose().case
    assert any(look.part_gradients for look in case.looks) or loss is penalized
    return examine(case)


def drowned(o: dict[str, Tensor], rows: Tensor) -> dict[str, Tensor]:
    return {
        "type": F.cross_entropy(o["kind"], COUNT[rows]),
        "cost": F.mse_loss(o["price"], PRICE[rows]),
    }


@pytest.mark.parametrize("named", [False, True])
def test_the_gradients_are_named_by_heads_and_terms(named: bool) -> None:
    finding = trained(drowned, named=named)
    assert finding is not None
    assert finding.explanation.startswith("price sends ")
    assert " times more gradient into body than kind does" in finding.explanation
    assert finding.where["layers"] == ["body"]
    names = ["cost", "type"] if named else ["mse_loss of price", "cross_entropy of kind"]
    assert finding.where["terms"] == names
    assert finding.evidence[0].observed > 1e4
    assert "standardise the targets of price" in finding.remedies[0].advice


def test_too_few_steps_say_nothing() -> None:
    assert trained(drowned, steps=30) is None


def balanced(o: dict[str, Tensor], rows: Tensor) -> dict[str, Tensor]:
    price = (PRICE[rows] - PRICE.mean()) / PRICE.std()
    return {
        "kind": F.cross_entropy(o["kind"], COUNT[rows]),
        "price": F.mse_loss(o["price"], price),
    }


def weighed_down(o: dict[str, Tensor], rows: Tensor) -> dict[str, Tensor]:
    return {
        "kind": 1e-4 * F.cross_entropy(o["kind"], COUNT[rows]),
        "price": F.mse_loss(o["price"], PRICE[rows]),
    }


def penalized(o: dict[str, Tensor], rows: Tensor) -> dict[str, Tensor]:
    return {
        "price": F.mse_loss(o["price"], PRICE[rows]),
        "penalty": 0.01 * o["code"].square().mean() * 0,
    }


def variational(o: dict[str, Tensor], rows: Tensor) -> dict[str, Tensor]:
    divergence = -0.5 * (1 + o["spread"] - o["code"].square() - o["spread"].exp()).mean()
    return {"again": 1e4 * F.mse_loss(o["again"], X[rows], reduction="sum"), "kl": divergence}


def actor_critic(o: dict[str, Tensor], rows: Tensor) -> dict[str, Tensor]:
    policy = torch.distributions.Categorical(logits=o["kind"])
    reward = PRICE[rows]
    advantage = (reward - reward.mean()) / reward.std()
    return {
        "actor": -(policy.log_prob(COUNT[rows]) * advantage).mean(),
        "critic": F.mse_loss(o["price"], reward),
        "entropy": -0.01 * policy.entropy().mean(),
    }


def learned_all_the_same(o: dict[str, Tensor], rows: Tensor) -> dict[str, Tensor]:
    kind = (X[rows, 0] > 0).long()
    return {
        "kind": F.cross_entropy(o["kind"], kind),
        "price": F.mse_loss(o["price"], 1e3 * X[rows, 0]),
    }


@pytest.mark.parametrize(
    "loss",
    [balanced, weighed_down, penalized, variational, actor_critic, learned_all_the_same],
)
@pytest.mark.sampled(2)
def test_terms_that_are_small_by_design_or_learn_are_not_accused(loss: Any) -> None:
    assert trained(loss, lr=1e-2 if loss is learned_all_the_same else 1e-3) is None


def weightless(weight: float) -> Callable[[dict[str, Tensor], Tensor], dict[str, Tensor]]:
    def loss(o: dict[str, Tensor], rows: Tensor) -> dict[str, Tensor]:
        price = (PRICE[rows] - PRICE.mean()) / PRICE.std()
        return {
            "kind": F.cross_entropy(o["kind"], KIND[rows]),
            "price": weight * F.mse_loss(o["price"], price),
        }

    return loss


def test_a_head_whose_loss_has_the_weight_0() -> None:
    finding = trained(weightless(1 // 2))
    assert finding is not None
    assert finding.explanation.startswith("mse_loss of price has the weight 0 in every look")
    assert finding.where["layers"] == ["price"]
    assert trained(weightless(0.01)) is None


@pytest.mark.parametrize("penalty", ["heavy", "light", "nothing to learn"])
@pytest.mark.sampled(1)
def test_a_penalty_that_is_all_there_is_to_make_small(penalty: str) -> None:
    torch.manual_seed(0)
    y = torch.randn(256, 1) if penalty == "nothing to learn" else 2 * X[:, :1] + X[:, 1:2]
    model = nn.Sequential(nn.Linear(6, 64), nn.ReLU(), nn.Linear(64, 1))
    optimizer = torch.optim.Adam(model.parameters(), lr=5e-3)
    with ss.watch(model, optimizer) as watch:
        for step in range(200):
            rows = torch.arange(32) + 32 * (step % 8)
            size = torch.stack([p.abs().sum() for p in model.parameters()]).sum()
            loss = F.mse_loss(model(X[rows]), y[rows]) + (1e-4 if penalty == "light" else 2) * size
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
            watch.step(loss, target=y[rows])
    case: Any = watch.diagnose(train=(X, y)).case
    finding = examine(case)
    assert (finding is not None) == (penalty == "heavy")
    if finding is not None:
        assert "trained to keep the rest small" in finding.explanation


def fit_in_parts(loss: Any, parts: nn.ModuleList, steps: int) -> Finding | None:
    torch.manual_seed(0)
    for module in parts.modules():
        if isinstance(module, nn.Linear):
            module.reset_parameters()
    optimizer = torch.optim.Adam(parts.parameters(), lr=3e-2)
    with ss.watch(parts, optimizer) as watch:
        for step in range(steps):
            rows = torch.arange(32) + 32 * (step % 8)
            optimizer.zero_grad()
            whole = loss(parts, X[rows])
            whole.backward()
            optimizer.step()
            watch.step(whole, target=X[rows])
    assert watch.failure is None
    return examine(watch.diagnose().case)


@pytest.mark.parametrize("summed", [True, False])
def test_a_divergence_drowns_the_error_of_parts_that_are_called_one_by_one(summed: bool) -> None:
    def loss(parts: nn.ModuleList, x: Tensor) -> Tensor:
        mean, spread = parts[0](x).chunk(2, 1)
        again = parts[1](mean + (spread / 2).exp() * torch.randn_like(mean))
        divergence = 0.5 * (mean.square() + spread.exp() - 1 - spread)
        if summed:
            return (again - x).square().mean() + 3 * divergence.sum()
        return (again - x).square().sum(1).mean() + 0.01 * divergence.sum(1).mean()

    finding = fit_in_parts(loss, nn.ModuleList([nn.Linear(6, 6), nn.Linear(3, 6)]), 160)
    assert (finding is not None) == summed
    if finding is not None:
        assert "one answer for all has an error of" in finding.explanation


@pytest.mark.parametrize("summed", [True, False])
def test_a_penalty_for_hidden_values_drowns_the_error(summed: bool) -> None:
    def loss(parts: nn.ModuleList, x: Tensor) -> Tensor:
        hidden = parts[0](x).sigmoid()
        penalty = 9 * hidden.sum() if summed else 1e-3 * hidden.mean()
        return F.mse_loss(parts[1](hidden), x) + penalty

    finding = fit_in_parts(loss, nn.ModuleList([nn.Linear(6, 32), nn.Linear(32, 6)]), 160)
    assert (finding is not None) == summed


@pytest.mark.parametrize("drowned", [True, False])
def test_an_equation_drowns_its_start(drowned: bool) -> None:
    """y' = -2 y from y(0) = 1, which 0 satisfies everywhere but at the start."""
    torch.manual_seed(0)
    model = nn.Sequential(nn.Linear(1, 16), nn.Tanh(), nn.Linear(16, 1))
    optimizer = torch.optim.Adam(model.parameters(), lr=1e-2)
    start = torch.zeros(1, 1)
    with ss.watch(model, optimizer) as watch:
        for _ in range(400):
            t = torch.rand(32, 1, requires_grad=True)
            y = model(t)
            slope = torch.autograd.grad(y.sum(), t, create_graph=True)[0]
            equation = (slope + 2 * y).square().mean()
            begun = (model(start) - 1).square().mean()
            loss = 1e5 * equation + begun if drowned else equation + begun
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
            watch.step(loss)
    finding = examine(watch.diagnose().case)
    assert (finding is not None) == drowned
