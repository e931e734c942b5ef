"""Better than one answer for all inputs, or not: by score, by loss, and by a loss of one's own."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor, nn

import sevensteps as ss
from sevensteps.doctor.case import Case
from sevensteps.doctor.chance import compare_with_chance, is_at_chance, why_too_early
from tests.helpers.seeds import five_seeds

pytestmark = pytest.mark.draws


@pytest.fixture(autouse=True)
def own_random_numbers() -> Iterator[None]:
    with torch.random.fork_rng():
        yield


def trained(
    x: Tensor,
    y: Tensor,
    outputs: int,
    loss_fn: Callable[[Tensor, Tensor], Tensor],
    epochs: int = 8,
    tell: bool = True,
) -> Case:
    """The case of a small network on these data."""
    model = nn.Sequential(nn.Linear(x.shape[-1], 16), nn.Tanh(), nn.Linear(16, outputs))
    optimizer = torch.optim.Adam(model.parameters(), lr=3e-3)
    with ss.watch(model, optimizer) as watch:
        for _ in range(epochs):
            for rows in torch.randperm(len(x)).split(32):
                loss = loss_fn(model(x[rows]), y[rows])
                optimizer.zero_grad()
                loss.backward()
                optimizer.step()
                watch.step(loss, target=y[rows] if tell else None)
    data = {"train": (x, y), "loss_fn": loss_fn} if tell else {}
    case: Case = watch.diagnose(**data).case
    return case


@five_seeds
def test_rare_classes_are_learned_though_the_most_common_is_always_answered(seed: int) -> None:
    torch.manual_seed(seed)
    x = torch.randn(2000, 4)
    y = (torch.rand(2000) < torch.sigmoid(1.5 * x[:, 0] - 3)).long()
    comparisons = compare_with_chance(trained(x, y, 2, F.cross_entropy))
    assert not is_at_chance(comparisons)
    entropy = torch.special.entr(y.bincount() / len(y)).sum()
    by_loss = [one for one in comparisons if one.measure == "loss"]
    assert not by_loss or by_loss[0].ignorant == pytest.approx(float(entropy), rel=1e-4)


@five_seeds
def test_a_loss_that_weighs_rare_samples_up_is_compared_as_it_weighs(seed: int) -> None:
    """The score is below that of the common answer, and so it should be."""
    torch.manual_seed(seed)
    y = (torch.rand(2000, 1) < 0.08).float()
    x = torch.randn(2000, 4) + 1.2 * y
    loss_fn = nn.BCEWithLogitsLoss(pos_weight=torch.tensor([11.0]))
    assert not is_at_chance(compare_with_chance(trained(x, y, 1, loss_fn)))


@five_seeds
def test_a_loss_of_ones_own_is_compared_with_its_best_constant(seed: int) -> None:
    """mean log cosh of the difference: its best constant is found by a search over a grid."""
    torch.manual_seed(seed)
    x, y = torch.randn(400, 4), torch.randn(400, 1) ** 2

    def loss_fn(output: Tensor, target: Tensor) -> Tensor:
        return torch.log(torch.cosh(output - target)).mean()

    comparisons = compare_with_chance(trained(x, y, 1, loss_fn, epochs=2))
    by_loss = comparisons[-1]
    grid = torch.linspace(-1, 4, 5001)
    least = min(float(loss_fn(g.expand(400, 1), y)) for g in grid)
    assert by_loss.measure == "loss"
    assert by_loss.ignorant == pytest.approx(least, rel=1e-3)


@five_seeds
def test_what_follows_from_the_inputs_is_better_than_chance(seed: int) -> None:
    torch.manual_seed(seed)
    x = torch.randn(600, 4)
    case = trained(x, x[:, :1] - x[:, 1:2], 1, F.smooth_l1_loss)
    assert compare_with_chance(case)
    assert not is_at_chance(compare_with_chance(case))


def test_nothing_can_be_told_without_targets() -> None:
    torch.manual_seed(0)
    x = torch.randn(600, 4)
    case = trained(x, x[:, :1], 1, lambda output, _: -output.tanh().mean(), tell=False)
    assert compare_with_chance(case) == []
    assert not is_at_chance([])


def test_a_short_training_need_not_have_learned() -> None:
    torch.manual_seed(0)
    x, y = torch.randn(320, 4), torch.randint(2, (320,))
    assert why_too_early(trained(x, y, 2, F.cross_entropy, epochs=4)).startswith("it was trained")
    assert why_too_early(trained(x, y, 2, F.cross_entropy, epochs=6)) == ""  # often over few data


@five_seeds
@pytest.mark.long
def test_memory_alone_is_no_better_than_chance(seed: int) -> None:
    torch.manual_seed(seed)
    x, y = torch.randn(800, 12), torch.randn(800, 1)
    case = trained(x, y, 1, F.mse_loss, epochs=36)
    assert case.skill is not None
    assert 0.05 < case.skill < 0.2
    assert not is_at_chance(compare_with_chance(case))
    case = trained(x, y, 1, F.mse_loss, epochs=36)
    case.hand_over("valid", (torch.randn(200, 12), torch.randn(200, 1)))
    (comparison, *_) = compare_with_chance(case)
    assert (comparison.of, comparison.better) == ("validation samples", False)


@pytest.mark.parametrize("follows", [True, False])
@five_seeds
def test_targets_that_are_prepared_within_the_loss(seed: int, follows: bool) -> None:
    """The loss is of size 1, and the variance of the targets of size a billion."""
    torch.manual_seed(seed)
    x = torch.randn(1000, 4)
    y = 2e4 * (x[:, :1] if follows else torch.randn(1000, 1)) + 1e5
    model = nn.Sequential(nn.Linear(4, 16), nn.Tanh(), nn.Linear(16, 1))
    optimizer = torch.optim.Adam(model.parameters(), lr=3e-3)
    with ss.watch(model, optimizer) as watch:
        for _ in range(6):
            for rows in torch.randperm(1000).split(32):
                loss = ((model(x[rows]) - (y[rows] - 1e5) / 2e4) ** 2).mean()
                optimizer.zero_grad()
                loss.backward()
                optimizer.step()
                watch.step(loss, target=y[rows])
    case: Case = watch.diagnose(train=(x, y)).case
    comparisons = compare_with_chance(case)
    assert not any(one.better for one in comparisons)  # a loss below that variance is no success
    assert not (follows and is_at_chance(comparisons))
