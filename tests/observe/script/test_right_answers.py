"""The share of right answers, in the ways in which scripts compute it."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from sevensteps.observe.script.attributes import Attributes
from sevensteps.observe.script.evaluation import EvaluationReader

pytestmark = pytest.mark.draws

Way = Callable[[Tensor, Tensor], Any]
ONE_BY_ONE: dict[str, Way] = {
    "==": lambda out, y: (out.argmax(1) == y).sum().item(),
    "== turned round": lambda out, y: (y == out.argmax(dim=-1)).float().mean(),
    "eq": lambda out, y: torch.max(out, 1)[1].eq(y).sum(),
    "eq of columns": lambda out, y: (p := out.topk(1)[1]).eq(y.view_as(p)).sum(),
    "torch.eq": lambda out, y: torch.eq(out.softmax(1).argmax(1), y).sum(),
    "!=": lambda out, y: (out.argmax(1) != y).sum(),
    "numpy": lambda out, y: (out.argmax(1).numpy() == y.numpy()).mean(),
    "lists": lambda out, y: [a == b for a, b in zip(out.argmax(1).tolist(), y.tolist())],  # noqa: B905
    "asarray": lambda out, y: np.mean(np.asarray(out.argmax(1)) == np.asarray(y)),
}


def score_of(outputs: int, use: Callable[[nn.Module, Tensor, Tensor], Any], seed: int = 0) -> Any:
    """(score that was read, outputs of the network, targets) where `use` evaluates a network."""
    failures: list[Exception] = []
    attributes = Attributes(failures.append)
    reader = EvaluationReader(attributes)
    torch.manual_seed(seed)
    net, x = nn.Linear(5, outputs), torch.randn(90, 5)
    y = torch.randint(max(outputs, 2), (90,))
    with torch.no_grad():

        def ask(x: Tensor) -> Any:
            return reader.begin(net)(x)

        use(ask, x, y)  # type: ignore[arg-type]
        whole = net(x)
    evaluation = reader.finish()
    attributes.restore_all()
    assert failures == []
    assert evaluation is not None
    assert "__eq__" not in vars(Tensor) or vars(Tensor)["__eq__"] is Tensor.__eq__
    return evaluation.score(), whole, y


@pytest.mark.parametrize("way", ONE_BY_ONE)
@pytest.mark.parametrize("seed", range(3))
def test_classes(way: str, seed: int) -> None:
    def evaluate(net: nn.Module, x: Tensor, y: Tensor) -> None:
        for rows in torch.arange(90).split(40):
            ONE_BY_ONE[way](net(x[rows]), y[rows])

    score, whole, y = score_of(4, evaluate, seed)
    assert score == pytest.approx((whole.argmax(1) == y).float().mean().item())


@pytest.mark.parametrize("threshold", [0.0, 0.5])
@pytest.mark.parametrize("way", ["==", "numpy"])
def test_one_output(threshold: float, way: str) -> None:
    def evaluate(net: nn.Module, x: Tensor, y: Tensor) -> None:
        for rows in torch.arange(90).split(30):
            answer = (net(x[rows]).squeeze(1) > threshold).float()
            if way == "==":
                (answer == y[rows].float()).sum()
            else:
                (answer.numpy(), y[rows].numpy())

    score, whole, y = score_of(1, evaluate)
    assert score == pytest.approx(((whole[:, 0] > threshold) == y.bool()).float().mean().item())


def test_all_batches_at_once() -> None:
    def evaluate(net: nn.Module, x: Tensor, y: Tensor) -> None:
        answers = [net(x[rows]).argmax(1) for rows in torch.arange(90).split(40)]
        (torch.cat(answers) == y).float().mean()

    score, whole, y = score_of(4, evaluate)
    assert score == pytest.approx((whole.argmax(1) == y).float().mean().item())


def test_what_is_compared_with_something_else_is_no_answer() -> None:
    def evaluate(net: nn.Module, x: Tensor, y: Tensor) -> None:
        output = net(x)
        (y == 2).sum()
        (y == y.flip(0)).sum()
        ((x > 0).float() == x).any()
        output.numpy()
        torch.arange(90).tolist()

    assert score_of(4, evaluate)[0] is None


def test_two_that_may_be_the_targets() -> None:
    """Of two tensors of classes that are taken beside the answers, either may be the targets."""

    def evaluate(net: nn.Module, x: Tensor, y: Tensor) -> None:
        (net(x).argmax(1).tolist(), y.tolist(), (3 - y).tolist())

    assert score_of(4, evaluate)[0] is None


def test_few_numbers_are_alike_by_chance() -> None:
    def evaluate(net: nn.Module, x: Tensor, y: Tensor) -> None:
        for i in range(40):
            net(x[i : i + 1])
            (y[i : i + 1] == y[i + 1 : i + 2]).any()

    assert score_of(2, evaluate)[0] is None


def test_calls_that_lead_to_no_score_are_listened_to_no_more() -> None:
    """As of a policy that acts between its steps: each is an evaluation of a single call."""
    attributes = Attributes(lambda failure: None)
    reader = EvaluationReader(attributes)
    net, x, y = nn.Linear(5, 4), torch.randn(90, 5), torch.randint(4, (90,))
    own = vars(Tensor).get("__eq__")
    with torch.no_grad():
        for _ in range(20):
            reader.begin(net)(x)
            reader.finish()
        reader.begin(net)(x)
        assert vars(Tensor).get("__eq__") is own
        (reader.begin(net)(x).argmax(1) == y).any()
        assert vars(Tensor).get("__eq__") is not own
    evaluation = reader.finish()
    attributes.restore_all()
    assert evaluation is not None
    assert evaluation.score() is not None
    assert vars(Tensor).get("__eq__") is own
