"""The small tables are those of scikit-learn, number by number."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch
from sklearn import datasets

from sevensteps import data

TABLES: dict[str, Any] = {
    "iris": datasets.load_iris,
    "wine": datasets.load_wine,
    "breast_cancer": datasets.load_breast_cancer,
    "diabetes": lambda: datasets.load_diabetes(scaled=False),
}


@pytest.mark.parametrize("name", TABLES)
def test_every_row_is_there_once_with_its_target(name: str) -> None:
    bunch = TABLES[name]()
    loaded = data.load(
        name, scale="none", **({"target_scale": "none"} if name == "diabetes" else {})
    )
    x, y = (
        torch.cat([getattr(part, which).double() for part in (loaded.train, loaded.valid)])
        for which in ("x", "y")
    )
    rows = np.column_stack([x.numpy(), y.reshape(len(y)).numpy()])
    expected = np.column_stack([bunch.data.astype(np.float32), bunch.target])
    np.testing.assert_allclose(
        rows[np.lexsort(rows.T)], expected[np.lexsort(expected.T)], rtol=1e-6
    )
    assert loaded.features == tuple(bunch.feature_names)
    assert list(loaded.task.classes) == [str(name) for name in bunch.get("target_names", ())]


def test_a_seed_draws_another_split() -> None:
    first, again, other = data.load("iris"), data.load("iris"), data.load("iris", seed=1)
    assert torch.equal(first.valid.x, again.valid.x)
    assert not torch.equal(first.valid.x, other.valid.x)
    assert first.valid.y.bincount().tolist() == other.valid.y.bincount().tolist() == [10, 10, 10]
