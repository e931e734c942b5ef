"""What simple models reach, against scikit-learn; and that it is worked out once for the data."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch
from sklearn.linear_model import LogisticRegression, Ridge
from sklearn.model_selection import KFold, StratifiedKFold, cross_val_score
from sklearn.neighbors import KNeighborsClassifier, KNeighborsRegressor, NearestNeighbors
from torch import Tensor, nn

import sevensteps as ss
from sevensteps.doctor import simple_models
from sevensteps.doctor.case import Case
from sevensteps.observe.network_facts import network_facts
from sevensteps.observe.observation import Observation

pytestmark = pytest.mark.draws


def case_of(x: Tensor, y: Tensor) -> Case:
    return Case(Observation(network_facts(nn.Linear(1, 1), [])), train=(x, y))


def by_scikit_learn(x: Tensor, y: Tensor, models: Any, folds: Any) -> tuple[float, float]:
    """The least and the greatest of the better score, over several ways to split."""
    table = ((x - x.mean(0)) / x.std(0, correction=0)).double().numpy()
    scores = [
        max(
            float(np.mean(cross_val_score(model, table, y.numpy(), cv=folds(seed))))
            for model in models
        )
        for seed in range(6)
    ]
    return min(scores), max(scores)


def clusters(count: int, columns: int, classes: int, apart: float) -> tuple[Tensor, Tensor]:
    generator = torch.Generator().manual_seed(0)
    x, y = torch.randn(count, columns, generator=generator), torch.arange(count) % classes
    centres = torch.randn(classes, columns, generator=generator) * apart
    return (x + centres[y]) * 50 + 7, y


def ring() -> tuple[Tensor, Tensor]:
    """One class around the other: no line parts them, neighbours do."""
    x = torch.randn(200, 2, generator=torch.Generator().manual_seed(1))
    return x, (x.norm(dim=1) > 1.2).long()


@pytest.mark.parametrize(
    ("x", "y"),
    [clusters(90, 3, 3, 1.0), clusters(240, 40, 6, 0.4), clusters(150, 2, 2, 0.8), ring()],
    ids=["three classes", "more columns", "two classes", "a ring"],
)
@pytest.mark.sampled(1)
def test_classifiers_are_as_good_as_those_of_scikit_learn(x: Tensor, y: Tensor) -> None:
    low, high = by_scikit_learn(
        x,
        y,
        (LogisticRegression(C=0.1, max_iter=200), KNeighborsClassifier(5)),
        lambda seed: StratifiedKFold(3, shuffle=True, random_state=seed),
    )
    score = simple_models.simple_model_score(case_of(x, y))
    assert score is not None
    assert low - 0.04 <= score <= high + 0.04
    assert low > 0.4


def test_the_linear_model_alone_does_not_follow_a_ring() -> None:
    rings = case_of(*ring())
    linear, best = (
        simple_models.linear_model_score(rings),
        simple_models.simple_model_score(rings),
    )
    assert linear is not None
    assert best is not None
    assert linear < best - 0.2
    x = torch.linspace(-1, 1, 120)[:, None]
    wave = case_of(x, (6 * x).sin())
    linear, best = (
        simple_models.linear_model_score(wave),
        simple_models.simple_model_score(wave),
    )
    assert linear is not None
    assert best is not None
    assert linear < best - 0.2


@pytest.mark.parametrize("kind", ["line", "wave"])
def test_regressions_are_as_good_as_those_of_scikit_learn(kind: str) -> None:
    generator = torch.Generator().manual_seed(0)
    x = torch.rand(180, 2, generator=generator)
    y = x @ torch.tensor([3.0, -1.0]) if kind == "line" else (9 * x[:, 0]).sin()
    y = y + 0.2 * torch.randn(180, generator=generator)
    low, high = by_scikit_learn(
        x,
        y,
        (Ridge(0.1), KNeighborsRegressor(5)),
        lambda seed: KFold(3, shuffle=True, random_state=seed),
    )
    score = simple_models.simple_model_score(case_of(x, y[:, None]))
    assert score is not None
    assert low - 0.05 <= score <= high + 0.05
    assert low > 0.5


def test_logistic_regression_reaches_the_minimum() -> None:
    x, y = clusters(120, 5, 3, 0.7)
    x, one_hot = (x - x.mean(0)) / x.std(0), nn.functional.one_hot(y).double()
    products = x.double() @ x.double().T
    a = simple_models._logistic_regression(products, one_hot)
    # where the loss is flat: XᵀY = Xᵀ softmax(X W) + λ W with W = XᵀA
    slope = x.double().T @ (one_hot - (products @ a).softmax(1) - 10.0 * a)
    start = x.double().T @ (one_hot - 1 / 3)
    assert slope.norm() < 0.01 * start.norm()


@pytest.mark.parametrize("columns", [3, 100])
def test_the_nearest_samples_are_those_of_scikit_learn(columns: int) -> None:
    x = torch.randn(70, columns, generator=torch.Generator().manual_seed(2)).double()
    expected = NearestNeighbors(n_neighbors=4).fit(x.numpy()).kneighbors(return_distance=False)
    assert simple_models.nearest_samples(x, 4).tolist() == expected.tolist()


@pytest.mark.parametrize(
    ("x", "y"),
    [
        (torch.randn(10, 3), torch.arange(10) % 2),
        (torch.ones(40, 3), torch.arange(40) % 2),
        (torch.full((40, 3), torch.nan), torch.arange(40) % 2),
        (torch.arange(40)[:, None], torch.arange(40) % 2),
        (torch.randn(40, 3), torch.zeros(40, dtype=torch.long)),
        (torch.randn(40, 3), torch.tensor([0] * 38 + [1, 1])),
    ],
    ids=["few", "constant", "not finite", "whole numbers", "one class", "a rare class"],
)
def test_data_that_say_nothing_have_no_score(x: Tensor, y: Tensor) -> None:
    assert simple_models.simple_model_score(case_of(x, y)) is None


def test_classes_may_have_any_numbers() -> None:
    x, y = clusters(90, 3, 3, 2.0)
    expected = simple_models.simple_model_score(case_of(x, y))
    assert simple_models.simple_model_score(case_of(x, y * 1000 - 5)) == expected


@pytest.mark.long
def test_it_is_worked_out_once_for_the_data(monkeypatch: pytest.MonkeyPatch) -> None:
    calls = []
    score = simple_models.classification_score

    def counted(x: Tensor, y: Tensor, split: int) -> float | None:
        calls.append(len(x))
        return score(x, y, split)

    monkeypatch.setattr(simple_models, "classification_score", counted)
    poor: dict[str, Any] = {"step": "sgd(lr=1e-5)", "stop": "epochs(3)", "out": False}
    data = ss.data.load("digits")
    first = ss.train(data, **poor).findings
    assert first
    assert len(calls) == 1
    again = ss.train(data, predict="mlp(4)", **poor)
    assert again.findings
    same = ss.train(data, **poor).findings
    assert [finding.condition for finding in same] == [finding.condition for finding in first]
    assert len(calls) == 1
    ss.train(ss.data.load("digits"), **poor)  # the same numbers, but nobody knows that
    assert len(calls) == 2


def test_a_smooth_function_knows_what_lines_and_neighbours_do_not() -> None:
    x = torch.randn(300, 6, generator=torch.Generator().manual_seed(0))
    y = (x.square().mean(1) > 1).long()
    case = case_of(x, y)
    smooth = simple_models.smooth_model_score(case)
    simple = simple_models.simple_model_score(case)
    assert smooth is not None
    assert simple is not None
    assert smooth > simple + 0.05


def test_a_model_that_copies_says_nothing_of_a_reconstruction() -> None:
    x = torch.rand(100, 6, generator=torch.Generator().manual_seed(0))
    assert simple_models.simple_model_score(case_of(x, 255 * x)) is None
    assert simple_models.simple_model_score(case_of(x, x[:, :3])) is None
    noisy = x + 0.01 * torch.randn(x.shape, generator=torch.Generator().manual_seed(1))
    assert simple_models.simple_model_score(case_of(x, noisy)) is not None


def test_samples_that_were_kept_again_are_no_others() -> None:
    generator = torch.Generator().manual_seed(0)
    x = torch.rand(20, 1, generator=generator) * 8
    y = 0.3 * x + torch.randn(20, 1, generator=generator)
    observation = Observation(network_facts(nn.Linear(1, 1), []))
    for step in range(8):
        observation.add_samples(x, y)
        observation.sketch.add(step, x, y)
    watched = Case(observation)
    assert watched.sample is not None
    assert len(watched.sample[0]) == 160
    once = simple_models.simple_model_score(case_of(x, y))
    assert once is not None
    assert once < 0.6  # of noise as large as the slope
    assert simple_models.simple_model_score(watched) == pytest.approx(once)


def test_one_number_a_sample_is_a_column() -> None:
    x = torch.linspace(0, 6, 60)
    assert simple_models.simple_model_score(case_of(x, x.sin()[:, None])) == pytest.approx(
        simple_models.simple_model_score(case_of(x[:, None], x.sin()[:, None])) or 0.0
    )
