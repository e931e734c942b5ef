"""A finished run to read, damage and copy, and the names of its files."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

import sevensteps as ss

FILES = {  # of a finished run
    "recipe.toml",
    "run.json",
    "record.sqlite",
    "weights.safetensors",
    "best.safetensors",
    "state.safetensors",
    "state.json",
    ".lock",
}


@pytest.fixture(scope="session")
def finished(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of a short training; not to be changed."""
    folder = tmp_path_factory.mktemp("runs") / "finished"
    ss.train(
        "xor",
        predict="mlp(4)",
        stop="epochs(3) | patience(2)",
        repeat="batches(50)",
        seed=3,
        out=folder,
    )
    return folder


@pytest.fixture
def damaged(finished: Path, tmp_path: Path) -> Path:
    """A copy of it, to be damaged."""
    return Path(shutil.copytree(finished, tmp_path / "damaged"))
