"""A step is repeated as it was, on copies."""

from __future__ import annotations

import copy

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from sevensteps.doctor.trace.replay import Repeated, repeat
from sevensteps.observe.replay_recorder import Batch, NetworkCall, versions_of

pytestmark = pytest.mark.draws


def batch(x: Tensor, y: Tensor | None = None) -> Batch:
    return Batch(0, [NetworkCall("", True, (x,), {}, (), versions_of(x))], y)


class Root(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.first = nn.Linear(3, 2)

    def forward(self, x: Tensor) -> Tensor:
        answer: Tensor = self.first(x)
        return (answer * x[:, :1]).abs().sqrt()


def repeated(x: Tensor, model: nn.Module | None = None, state: dict[str, Tensor] | None = None,
             loss: bool = True) -> Repeated:  # fmt: skip
    model = model or Root()
    return repeat({"": model}, state, batch(x, x[:, :2]), None, F.mse_loss if loss else None)


def test_the_loss_is_that_of_the_training_and_nothing_is_touched() -> None:
    torch.manual_seed(0)
    model, x = Root(), torch.randn(4, 3)
    before = copy.deepcopy(model.state_dict())
    result = repeated(x, model)
    assert result.loss == pytest.approx(float(F.mse_loss(model(x), x[:, :2]).detach()))
    assert result.origin is None
    assert all(p.grad is None for p in model.parameters())
    assert all(torch.equal(before[name], t) for name, t in model.state_dict().items())


def test_a_gradient_is_traced_to_its_call() -> None:
    x = torch.ones(4, 3)
    x[2] = 0
    result = repeated(x)
    assert result.backward
    assert result.origin is not None
    assert result.origin.operation == "sqrt"
    assert result.origin.index[0] == 2
    assert result.origin.where.startswith("test_replay.py:")


def test_an_answer_is_traced_without_a_loss() -> None:
    class Division(nn.Module):
        def forward(self, x: Tensor) -> Tensor:
            return 1 / x.sum(1)

    x = torch.ones(4, 3)
    x[1] = 0
    result = repeated(x, Division(), loss=False)
    assert (result.rows, result.loss) == ([1], None)
    assert result.origin is not None


def test_other_parameters_are_taken() -> None:
    model = nn.Linear(3, 2)
    state = {"weight": torch.zeros(2, 3), "bias": torch.ones(2)}
    result = repeated(torch.ones(4, 3), model, state)
    assert result.loss == 0


def test_what_cannot_be_repeated_says_why() -> None:
    result = repeated(torch.ones(4, 7))
    assert result.origin is None
    assert "RuntimeError" in result.failure
