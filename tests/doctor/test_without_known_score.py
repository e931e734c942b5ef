"""What a mechanism proves is a fault too where no score and no loss says how well it learns."""

from __future__ import annotations

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor, nn

import sevensteps as ss

pytestmark = pytest.mark.draws


def conditions(
    scale: float = 1.0,
    offset: float = 0.0,
    optimizer: str = "AdamW",
    dtype: torch.dtype = torch.float32,
    weights: float = 1.0,
    activation: type[nn.Module] = nn.ReLU,
    bias: float = 0.0,
    halved_from: int | None = None,
    **settings: object,
) -> list[str]:
    """The warnings about codes [B, 4] that are alike for two noisy views of a sample.

    `bias` is added to that of the first layer; the rate is halved in each step after `halved_from`.
    """
    torch.manual_seed(0)
    latent = torch.randn(256, 4)
    x = latent @ torch.randn(4, 16)
    model = nn.Sequential(nn.Linear(16, 32), activation(), nn.Linear(32, 32), activation())
    model.extend([nn.Linear(32, 32), activation(), nn.Linear(32, 4)]).to(dtype)
    with torch.no_grad():
        model[0].bias.add_(bias)
        for name, parameter in model.named_parameters():
            parameter.mul_(weights if "weight" in name else 1.0)
    steps: torch.optim.Optimizer = getattr(torch.optim, optimizer)(
        model.parameters(), **{"lr": 3e-3, **settings}
    )
    batches = [part for _ in range(16) for part in torch.randperm(256).split(32)]
    with ss.watch(model, steps) as watch:
        for step, rows in enumerate(batches):
            if halved_from is not None and step > halved_from:
                steps.param_groups[0]["lr"] /= 2
            views = (x[rows] + 0.1 * torch.randn(32, 16) for _ in range(2))
            codes = [code(model, scale * view + offset, dtype) for view in views]
            a, b = (F.normalize(c, dim=1) for c in codes)
            loss = F.cross_entropy(a @ b.T / 0.2, torch.arange(32))
            steps.zero_grad()
            loss.backward()
            steps.step()
            watch.step(loss)
    return [f.condition for f in watch.diagnose().findings if f.severity != "info"]


def code(model: nn.Module, x: Tensor, dtype: torch.dtype) -> Tensor:
    answer: Tensor = model(x.to(dtype)).float()
    return answer


def test_of_a_training_that_is_well_nothing_is_said() -> None:
    assert conditions() == []


def test_weights_that_are_pulled_to_nothing() -> None:
    assert "weight_decay_too_strong" in conditions(optimizer="Adam", weight_decay=1.0)
    assert "weight_decay_too_strong" not in conditions(optimizer="Adam", weight_decay=1e-4)


@pytest.mark.long
def test_steps_that_are_rounded_away() -> None:
    assert "updates_rounded_away" in conditions(dtype=torch.bfloat16, lr=2e-5)
    assert "updates_rounded_away" not in conditions(dtype=torch.bfloat16, lr=1e-2)


def test_an_epsilon_beside_which_no_gradient_counts() -> None:
    assert "optimizer_setting" in conditions(eps=10.0)
    assert "optimizer_setting" not in conditions(eps=1e-5)


@pytest.mark.parametrize(
    ("weights", "cause"), [(0.03, "signal_vanishes"), (60.0, "signal_explodes")]
)
def test_weights_of_another_size(weights: float, cause: str) -> None:
    assert cause in conditions(weights=weights)


def test_a_layer_that_is_off_as_a_whole() -> None:
    assert "dead_units" in conditions(bias=-50.0)
    assert "dead_units" not in conditions(bias=-0.5)


def test_units_at_the_flat_ends_from_the_start() -> None:
    assert "saturated_units" in conditions(activation=nn.Tanh, bias=-50.0)
    assert "saturated_units" in conditions(activation=nn.Tanh, weights=30.0, lr=0.03)
    assert "saturated_units" not in conditions(activation=nn.Tanh, weights=2.0)


@pytest.mark.parametrize(("step", "named"), [(2, True), (100, False)])
def test_a_schedule_that_goes_to_nothing_at_once(step: int, named: bool) -> None:
    assert ("schedule_collapsed" in conditions(lr=1e-3, halved_from=step)) is named


@pytest.mark.parametrize(("lr", "named"), [(3.0, True), (0.01, False)])
def test_steps_that_are_longer_than_the_weights(lr: float, named: bool) -> None:
    """Of two samples the one with the larger sum is the better."""
    torch.manual_seed(0)
    model = nn.Sequential(nn.Linear(6, 32), nn.ReLU(), nn.Linear(32, 1))
    optimizer = torch.optim.Adam(model.parameters(), lr)
    with ss.watch(model, optimizer) as watch:
        for _ in range(150):
            a, b = torch.randn(2, 50, 6)
            better = (a.sum(1) - b.sum(1)).sign()
            loss = F.margin_ranking_loss(model(a)[:, 0], model(b)[:, 0], better, margin=0.5)
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
            watch.step(loss)
    names = [f.condition for f in watch.diagnose().findings]
    assert ("learning_rate_too_high" in names) is named


@pytest.mark.parametrize(
    ("scale", "offset", "accused"),
    [(1.0, 0.0, False), (1000.0, 0.0, True), (1.0, 100.0, True), (1e-4, 0.0, True)],
)
@pytest.mark.sampled(1)
def test_inputs_of_another_size(scale: float, offset: float, accused: bool) -> None:
    assert ("inputs_unscaled" in conditions(scale, offset)) is accused


@pytest.mark.parametrize("order", ["sorted", "drawn", "of two classes, drawn"])
@pytest.mark.sampled(1)
def test_batches_of_one_class_each(order: str) -> None:
    """Those that come in one order ever again are named; codes may be learned from few classes."""
    torch.manual_seed(0)
    y = torch.arange(256) // 64
    x = torch.randn(256, 16) + 2 * torch.eye(4, 16)[y]
    model = nn.Sequential(nn.Linear(16, 32), nn.ReLU(), nn.Linear(32, 4))
    optimizer = torch.optim.Adam(model.parameters(), lr=1e-3)

    def draw(step: int) -> Tensor:
        if order == "sorted":
            return torch.arange(32) + 32 * (step % 8)
        of = torch.randperm(4)[:2] if "two" in order else torch.arange(4)
        among = torch.nonzero(torch.isin(y, of)).flatten()
        return among[torch.randperm(len(among))[:32]]

    with ss.watch(model, optimizer) as watch:
        for rows in map(draw, range(80)):
            codes, near = model(x[rows]), 2 * (y[rows] == y[rows].roll(1)).long() - 1
            loss = F.cosine_embedding_loss(codes, codes.roll(1, 0), near)
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
            watch.step(loss, target=y[rows])
    case = watch.diagnose(train=(x, y)).case
    assert not case.loss_is_error
    assert ("not_shuffled" in [f.condition for f in case.findings]) is (order == "sorted")
