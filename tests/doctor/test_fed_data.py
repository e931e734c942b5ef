"""What the batches as they were fed say to the conditions: a fault of each kind, and its twins."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor, nn

import sevensteps as ss
from sevensteps.doctor.diagnosis import Diagnosis
from sevensteps.doctor.fed_data import comparison, few_rows, in_order, targets_move

Batches = Iterator[tuple[Tensor, Tensor]]
N, B = 400, 20
pytestmark = pytest.mark.draws


@pytest.fixture(autouse=True)
def own_random_numbers() -> Iterator[None]:
    with torch.random.fork_rng():
        torch.manual_seed(0)
        yield


def classes() -> tuple[Tensor, Tensor]:
    x = torch.randn(N, 6)
    return x, (x[:, 0] > 0).long() + (x[:, 1] > 0).long()


def numbers() -> tuple[Tensor, Tensor]:
    x = torch.randn(N, 6)
    return x, x[:, :1] + 0.1 * x[:, 1:2] ** 2


def shuffled(x: Tensor, y: Tensor) -> Batches:
    for rows in torch.randperm(len(x)).split(B):
        yield x[rows], y[rows]


def apart(x: Tensor, y: Tensor) -> Batches:
    for a, b in zip(torch.randperm(len(x)).split(B), torch.randperm(len(x)).split(B), strict=True):
        yield x[a], y[b]


def first_again(x: Tensor, y: Tensor) -> Batches:
    for _ in range(len(x) // B):
        yield x[:B], y[:B]


def a_few(x: Tensor, y: Tensor) -> Batches:
    yield from shuffled(x[:40], y[:40])


def in_rows(x: Tensor, y: Tensor) -> Batches:
    for rows in torch.arange(len(x)).split(B):
        yield x[rows], y[rows]


def by_target(x: Tensor, y: Tensor) -> Batches:
    order = y.flatten().argsort(stable=True)
    yield from in_rows(x[order], y[order])


def augmented(x: Tensor, y: Tensor) -> Batches:
    for a, b in shuffled(x, y):
        yield a + 0.01 * torch.randn_like(a), b


def whole(x: Tensor, y: Tensor) -> Batches:
    for _ in range(3):
        yield x, y


def diagnosis_of(
    pair: tuple[Tensor, Tensor],
    feed: Callable[[Tensor, Tensor], Batches],
    epochs: int = 12,
    train: Any = True,
    target: Callable[[Tensor], Tensor] | None = None,
) -> Diagnosis:
    x, y = pair
    out, loss_fn = (1, F.mse_loss) if y.is_floating_point() else (3, F.cross_entropy)
    model = nn.Sequential(nn.Linear(6, 16), nn.ReLU(), nn.Linear(16, out))
    optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
    with ss.watch(model, optimizer, budget=0.2) as watch:
        for _ in range(epochs):
            for a, b in feed(x, y):
                output = model(a)
                b = b if target is None else target(output)
                loss = loss_fn(output, b)
                optimizer.zero_grad()
                loss.backward()
                optimizer.step()
                watch.step(loss, target=b)
    return watch.diagnose(train=(x, y) if train else None, loss_fn=loss_fn)


def conditions(diagnosis: Diagnosis) -> set[str]:
    return {
        finding.condition
        for top in diagnosis.findings
        for finding in (top, *top.symptoms)
        if finding.severity != "info"
    }


@pytest.mark.parametrize("data", [classes, numbers])
def test_pairs_that_were_shuffled_apart_are_named(data: Callable[[], Any]) -> None:
    assert "labels_unrelated" in conditions(diagnosis_of(data(), apart))


@pytest.mark.parametrize("feed", [first_again, a_few])
@pytest.mark.parametrize("data", [classes, numbers])
@pytest.mark.sampled(1)
def test_few_rows_that_come_again_and_again_are_named(
    data: Callable[[], Any], feed: Callable[[Tensor, Tensor], Batches]
) -> None:
    diagnosis = diagnosis_of(data(), feed)
    assert "same_batch_again" in conditions(diagnosis)
    few = few_rows(diagnosis.case)
    assert few is not None
    assert (few.rows, few.available) == (B if feed is first_again else 40, N)


@pytest.mark.parametrize("feed", [shuffled, in_rows, augmented, whole, by_target])
@pytest.mark.parametrize("data", [classes, numbers])
@pytest.mark.parametrize("train", [True, False])
@pytest.mark.sampled(4)
def test_healthy_data_are_not_accused(
    data: Callable[[], Any], feed: Callable[[Tensor, Tensor], Batches], train: bool
) -> None:
    named = conditions(diagnosis_of(data(), feed, train=train))
    assert not {"labels_unrelated", "same_batch_again"} & named
    assert ("not_shuffled" in named) == (feed is by_target)


def test_one_batch_on_purpose_is_no_fault() -> None:
    x, y = classes()
    diagnosis = diagnosis_of((x[:B], y[:B]), first_again, epochs=60)
    assert "same_batch_again" not in conditions(diagnosis)


def test_targets_that_the_network_computes_are_no_data_in_a_wrong_order() -> None:
    """As of reinforcement learning: they grow from step to step, though rows come shuffled."""
    steps = iter(range(10_000))

    def moving(output: Tensor) -> Tensor:
        return output.detach() + 0.1 * torch.rand(len(output), 1) + 0.01 * next(steps)

    for train in (True, False):
        diagnosis = diagnosis_of(numbers(), shuffled, train=train, target=moving)
        assert targets_move(diagnosis.case)
        assert "not_shuffled" not in conditions(diagnosis)


def test_the_order_is_known_from_batches_that_come_back_or_from_the_data() -> None:
    assert in_order(diagnosis_of(numbers(), in_rows, train=False).case)
    assert in_order(diagnosis_of(numbers(), in_rows, epochs=1).case)
    assert in_order(diagnosis_of(numbers(), shuffled).case) is False


def few_that_differ() -> tuple[Tensor, Tensor]:
    """400 samples, of which only 16 differ: a table of few values."""
    x = torch.cartesian_prod(*[torch.tensor([-1.0, 1.0])] * 4)
    x = torch.cat([x, torch.zeros(16, 2)], 1).repeat(N // 16, 1)
    return x, (x[:, 0] > 0).long() + (x[:, 1] > 0).long()


def alike_where_hashed() -> tuple[Tensor, Tensor]:
    """Rows that are all the same to a hash, as sparse ones of very many columns may be."""
    return torch.zeros(N, 6), classes()[1]


def one_by_one(x: Tensor, y: Tensor) -> Batches:
    for row in torch.randperm(len(x))[:, None]:
        yield x[row], y[row]


@pytest.mark.parametrize("data", [few_that_differ, alike_where_hashed])
@pytest.mark.parametrize("feed", [shuffled, one_by_one])
@pytest.mark.sampled(1)
def test_all_rows_of_data_that_hold_few_different_ones_are_no_few(
    data: Callable[[], Any], feed: Callable[[Tensor, Tensor], Batches]
) -> None:
    diagnosis = diagnosis_of(data(), feed, epochs=12 if feed is shuffled else 1)
    assert few_rows(diagnosis.case) is None
    assert "same_batch_again" not in conditions(diagnosis)


@pytest.mark.parametrize("data", [classes, few_that_differ])
def test_single_rows_that_come_back_are_no_order(data: Callable[[], Any]) -> None:
    x, y = data()
    assert in_order(diagnosis_of((x[:50], y[:50]), one_by_one).case) is False


def test_a_last_batch_of_one_row_hides_no_order() -> None:
    x, y = classes()
    assert in_order(diagnosis_of((x[: 3 * B + 1], y[: 3 * B + 1]), in_rows).case) is True


@pytest.mark.parametrize("data", [classes, numbers])
def test_the_targets_of_an_accumulated_step_belong_to_its_last_inputs(
    data: Callable[[], Any],
) -> None:
    x, y = data()
    loss_fn = F.mse_loss if y.is_floating_point() else F.cross_entropy
    model = nn.Sequential(nn.Linear(6, 16), nn.ReLU(), nn.Linear(16, 1 if y.ndim > 1 else 3))
    optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
    with ss.watch(model, optimizer, budget=0.2) as watch:
        for _ in range(40):
            for index, (a, b) in enumerate(shuffled(x, y), 1):
                loss = loss_fn(model(a), b)
                (loss / 4).backward()
                if index % 4 == 0:
                    optimizer.step()
                    optimizer.zero_grad()
                    watch.step(loss, target=b)
    diagnosis = watch.diagnose(train=(x, y), loss_fn=loss_fn)
    compared = comparison(diagnosis.case)
    assert compared is not None
    assert compared.pairs == 1.0
    assert "labels_unrelated" not in conditions(diagnosis)
