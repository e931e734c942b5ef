"""What a sample of each class weighs in a loss, by its call and by its gradient."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor, nn

import sevensteps as ss
from sevensteps.doctor.case import Case
from sevensteps.doctor.class_weights import class_weights

pytestmark = pytest.mark.draws
WEIGHTS = torch.tensor([1.0, 4.0, 0.5])


@pytest.fixture(autouse=True)
def own_random_numbers() -> Iterator[None]:
    with torch.random.fork_rng():
        torch.manual_seed(0)
        yield


def case(y: Tensor, outputs: int, loss_fn: Callable[[Tensor, Tensor], Tensor]) -> Case:
    model = nn.Linear(5, outputs)
    optimizer = torch.optim.SGD(model.parameters(), lr=0.01)
    with ss.watch(model, optimizer, budget=1.0) as watch:
        for _ in range(12):
            rows = torch.randint(len(y), (32,))
            loss = loss_fn(model(torch.randn(32, 5)), y[rows])
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
            watch.step(loss, target=y[rows])
    found: Case = watch.diagnose().case
    return found


def by_sample(output: Tensor, target: Tensor) -> Tensor:
    return (F.cross_entropy(output, target, reduction="none") * WEIGHTS[target]).mean()


def by_hand(output: Tensor, target: Tensor) -> Tensor:
    picked = output.log_softmax(1)[torch.arange(len(target)), target]
    return -(WEIGHTS[target] * picked).sum() / WEIGHTS[target].sum()


@pytest.mark.parametrize(
    "loss_fn",
    [
        nn.CrossEntropyLoss(weight=WEIGHTS),
        lambda o, t: F.nll_loss(o.log_softmax(1), t, WEIGHTS),
        by_sample,
        by_hand,
    ],
    ids=["module", "nll_loss", "by sample", "by hand"],
)
@pytest.mark.sampled(1)
def test_weights_of_classes(loss_fn: Callable[[Tensor, Tensor], Tensor]) -> None:
    y = torch.arange(300) % 5 % 3  # class 0 and 1 are the most common
    weights = class_weights(case(y, 3, loss_fn))
    assert weights is not None
    assert weights[1] / weights[0] == pytest.approx(4, rel=0.01)
    assert weights[2] / weights[0] == pytest.approx(0.5, rel=0.01)


def test_the_weight_of_a_yes() -> None:
    y = (torch.arange(300) % 3 == 0).float()[:, None]
    for loss_fn in (
        nn.BCEWithLogitsLoss(pos_weight=torch.tensor([3.0])),
        lambda o, t: F.binary_cross_entropy_with_logits(o, t, weight=1 + 2 * t),
    ):
        weights = class_weights(case(y, 1, loss_fn))
        assert weights is not None
        assert weights[1] / weights[0] == pytest.approx(3, rel=0.01)


def test_no_weights_where_all_weigh_the_same_or_each_sample_its_own() -> None:
    y = torch.arange(300) % 3
    assert class_weights(case(y, 3, F.cross_entropy)) is None
    assert class_weights(case(y, 3, lambda o, t: F.multi_margin_loss(o, t))) is None


def test_the_most_common_class_may_be_left_out_of_the_loss() -> None:
    y = torch.arange(300) % 5 % 3
    assert class_weights(case(y, 3, nn.CrossEntropyLoss(ignore_index=0))) is None
    assert class_weights(case(y, 3, lambda o, t: F.cross_entropy(o[t > 0], t[t > 0]))) is None
