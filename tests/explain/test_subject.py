"""What is explained has the run's own data, wherever they came from."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

import sevensteps as ss
from sevensteps.errors import DataError


def test_a_training_of_this_session_keeps_its_data(tmp_path: Path) -> None:
    file, draw = tmp_path / "table.npz", np.random.default_rng(0)
    x = draw.normal(size=(60, 3))
    np.savez(file, x=x, y=(x[:, 0] > 0).astype(int))
    run = ss.train(str(file), predict="mlp(3)", stop="epochs(1)", out=tmp_path / "run")
    asked = str(run.explain.sample(3))
    file.unlink()
    assert str(run.explain.sample(3)) == asked
    with pytest.raises(DataError):
        ss.load(tmp_path / "run").explain.sample(3)
