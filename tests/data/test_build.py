"""From raw numbers to data: the split, what the scaling is learned on, and how targets are kept."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch

from sevensteps.data.build import build_data
from sevensteps.errors import DataError

X = torch.from_numpy(np.random.default_rng(0).normal(3, 5, (50, 2)))
NUMBERS = X.sum(1)


def build(x: torch.Tensor, y: torch.Tensor, **options: Any) -> Any:
    return build_data("mine", x, y, **{"about": "", "scale": "none", **options})


def test_the_scaling_is_learned_on_the_training_part() -> None:
    valid = (X[40:] + 100, NUMBERS[40:])
    data = build(X[:40], NUMBERS[:40], valid=valid, scale="standardize")
    mean, std = X[:40].numpy().mean(0), X[:40].numpy().std(0, ddof=1)
    np.testing.assert_allclose(data.train.x, (X[:40].numpy() - mean) / std, atol=1e-5)
    np.testing.assert_allclose(data.valid.x, (X[40:].numpy() + 100 - mean) / std, atol=1e-4)


def test_classes_are_split_alike() -> None:
    y = torch.tensor([0] * 40 + [1] * 10)
    data = build(X, y, classes=("no", "yes"), share=0.2)
    assert (len(data.train), len(data.valid)) == (40, 10)
    assert (int(data.train.y.sum()), int(data.valid.y.sum())) == (8, 2)
    rows = torch.cat([data.train.x, data.valid.x]).sort(0).values
    torch.testing.assert_close(rows, X.float().sort(0).values)  # none is lost, none there twice


def test_targets_are_stored_as_the_task_takes_them() -> None:
    assert build(X, NUMBERS).train.y.shape == (40, 1)
    scaled = build(X, NUMBERS, target_scale="standardize").train.y
    assert abs(float(scaled.mean())) < 1e-6
    assert float(scaled.std()) == pytest.approx(1)
    three = build(X, torch.arange(50) % 3, classes=("a", "b", "c"))
    assert (three.task.kind, three.train.y.shape, three.train.y.dtype) == (
        "multiclass",
        (41,),  # of 17, 17 and 16 samples 3 each are to validate on
        torch.int64,
    )


@pytest.mark.parametrize(("highest", "seen"), [(1.0, 1.0), (200.0, 255.0)])
def test_a_fully_lit_pixel_is_1_or_255(highest: float, seen: float) -> None:
    images = torch.rand(10, 1, 2, 2, generator=torch.Generator().manual_seed(0))
    images[:, 0, 0, 0] = highest
    data = build(images, torch.arange(10.0))
    assert (data.kind, data.highest) == ("image", seen)


def test_what_has_no_samples_or_too_few_targets_is_refused() -> None:
    with pytest.raises(DataError, match=r"^mine: 50 inputs but 49 targets; give one target"):
        build(X, NUMBERS[:49])
    with pytest.raises(DataError, match=r"^mine: the training part is empty"):
        build(X[:0], NUMBERS[:0])
