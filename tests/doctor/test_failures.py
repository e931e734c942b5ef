"""Trainings that fail though one measure looks well, and the same ones without the fault."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from typing import Any

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor, nn

import sevensteps as ss
from sevensteps.doctor.failures import failure
from sevensteps.doctor.learning import judge, nearest_suspects
from tests.helpers.seeds import three_seeds

pytestmark = pytest.mark.draws


@pytest.fixture(autouse=True)
def own_random_numbers() -> Iterator[None]:
    with torch.random.fork_rng():
        yield


def mlp(outputs: int, *last: nn.Module) -> nn.Module:
    return nn.Sequential(nn.Linear(6, 32), nn.ReLU(), nn.Linear(32, outputs), *last)


def case_of(
    model: nn.Module,
    x: Tensor,
    y: Any,
    loss_fn: Callable[[Any, Any], Tensor],
    lr: float = 5e-3,
    epochs: int = 12,
    score: Callable[[Any, Any], float] | None = None,
    **data: Any,
) -> Any:
    """The case of a training on x and y, after so many passes in batches of 40."""
    optimizer = torch.optim.Adam(model.parameters(), lr=lr)
    with ss.watch(model, optimizer) as watch:
        for rows in (part for _ in range(epochs) for part in torch.randperm(len(x)).split(40)):
            target = tuple(t[rows] for t in y) if isinstance(y, tuple) else y[rows]
            output = model(x[rows])
            loss = loss_fn(output, target)
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
            more: dict[str, Any] = {} if score is None else {"score": score(output, target)}
            watch.step(loss, target=None if isinstance(y, tuple) else target, **more)
    return watch.diagnose(train=(x, y), **data).case


def chances_for_logarithms(faulty: bool) -> Any:
    x = torch.randn(600, 6)
    y = (2 * x @ torch.randn(6, 4)).softmax(1)
    last = nn.Softmax(1) if faulty else nn.LogSoftmax(1)
    return case_of(mlp(4, last), x, y, lambda o, t: F.kl_div(o, t, reduction="batchmean"))


def likelihood_brought_down(faulty: bool) -> Any:
    x = torch.randn(600, 6)
    y = (x @ torch.randn(6, 1)).exp()
    sign = -1 if faulty else 1

    def loss_fn(output: Tensor, time: Tensor) -> Tensor:
        ordered = output[time[:, 0].argsort(descending=True), 0]
        return sign * (ordered.logcumsumexp(0) - ordered).mean()

    return case_of(mlp(1), x, y, loss_fn)


class Distance(nn.Module):
    """The chance that the two halves of an input differ."""

    def __init__(self, halfway: bool) -> None:
        super().__init__()
        self.halfway = nn.Parameter(torch.ones(())) if halfway else None

    def forward(self, x: Tensor) -> Tensor:
        distance: Tensor = (x[:, :3] - x[:, 3:]).norm(dim=1) * self.scale.exp()
        return (distance if self.halfway is None else distance - self.halfway).sigmoid()


def distance_for_a_score(faulty: bool) -> Any:
    x = torch.randn(600, 6)
    same = torch.rand(600) < 0.5
    x[same, 3:] = x[same, :3] + 0.02 * torch.randn(int(same.sum()), 3)
    model = Distance(halfway=not faulty)
    model.scale = nn.Parameter(torch.zeros(()))
    return case_of(model, x, (~same).float(), F.binary_cross_entropy, lr=3e-2)


class TwoHeads(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.body = nn.Sequential(nn.Linear(6, 32), nn.Tanh())
        self.kind, self.place = nn.Linear(32, 4), nn.Linear(32, 2)

    def forward(self, x: Tensor) -> tuple[Tensor, Tensor]:
        h = self.body(x)
        return self.kind(h), self.place(h)


def place_in_pixels(faulty: bool) -> Any:
    x = torch.randn(600, 6)
    kind, place = (x[:, :4] * x[:, 1:5]).argmax(1), x[:, 4:].tanh() * (3000 if faulty else 1)

    def loss_fn(output: tuple[Tensor, Tensor], target: tuple[Tensor, Tensor]) -> Tensor:
        return F.cross_entropy(output[0], target[0]) + F.mse_loss(output[1], target[1])

    return case_of(TwoHeads(), x, (kind, place), loss_fn, lr=1e-2, epochs=20)


def sure_and_wrong(faulty: bool) -> Any:
    x = torch.randn(600, 40)
    y = (x[:, 0] + 0.5 * torch.randn(600) > 0).float()
    model = nn.Sequential(nn.Linear(40, 1), nn.Flatten(0))
    if faulty:
        nn.init.normal_(model[0].weight, std=5.0)
    loss_fn = F.binary_cross_entropy_with_logits
    return case_of(model, x, y, loss_fn, lr=1e-3 if faulty else 2e-2, epochs=8)


def score_of_something_else(faulty: bool) -> Any:
    x = torch.randn(600, 6)
    y = x @ torch.randn(6, 1)

    def score(output: Tensor, target: Tensor) -> float:
        other = torch.randn_like(target) if faulty else target
        return float(((output > 0) == (other > 0)).double().mean())

    return case_of(mlp(1), x, y, F.mse_loss, score=score)


def nothing_on_new_samples(faulty: bool) -> Any:
    x = torch.randn(300, 6)
    y = torch.randn(300, 1) if faulty else x[:, :1] + 0.1 * torch.randn(300, 1)
    valid = (torch.randn(300, 6), torch.randn(300, 1))
    if not faulty:
        valid = (valid[0], valid[0][:, :1])
    return case_of(mlp(1), x, y, F.mse_loss, epochs=40, valid=valid)


FAULTS = pytest.mark.parametrize(
    "train",
    [
        chances_for_logarithms,
        likelihood_brought_down,
        distance_for_a_score,
        place_in_pixels,
        sure_and_wrong,
        score_of_something_else,
        nothing_on_new_samples,
    ],
)


@FAULTS
@three_seeds
@pytest.mark.sampled(4)
def test_what_fails_is_seen(train: Callable[[bool], Any], seed: int) -> None:
    torch.manual_seed(seed)
    case = train(True)
    assert failure(case) is not None
    assert judge(case).is_bad
    assert nearest_suspects(case)


@FAULTS
@three_seeds
@pytest.mark.sampled(4)
def test_what_works_is_not(train: Callable[[bool], Any], seed: int) -> None:
    torch.manual_seed(seed)
    case = train(False)
    assert failure(case) is None
    assert not judge(case).is_bad


@pytest.mark.parametrize("smooth", [False, True])
def test_a_loss_that_is_what_it_was_at_the_start(smooth: bool) -> None:
    """u'' = -sin: the second derivative of a network of ReLUs is 0, whatever its weights are."""
    torch.manual_seed(0)
    bend = nn.Tanh if smooth else nn.ReLU
    model = nn.Sequential(nn.Linear(1, 32), bend(), nn.Linear(32, 32), bend(), nn.Linear(32, 1))
    optimizer = torch.optim.Adam(model.parameters(), lr=3e-3)
    ends = torch.tensor([[0.0], [math.pi]])
    with ss.watch(model, optimizer) as watch:
        for _ in range(300):
            x = (math.pi * torch.rand(64, 1)).requires_grad_()
            (slope,) = torch.autograd.grad(model(x).sum(), x, create_graph=True)
            (second,) = torch.autograd.grad(slope.sum(), x, create_graph=True, allow_unused=True)
            equation = (torch.sin(x) if second is None else second + torch.sin(x)).square().mean()
            loss = equation + model(ends).square().mean()
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
            watch.step(loss)
    sign = failure(watch.diagnose().case)
    assert (sign is not None and "in no stretch between was it lower" in sign.sentence) != smooth
