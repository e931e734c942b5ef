"""Pictures of one's own in IDX files, in memory or read from disk."""

from __future__ import annotations

import gzip
from pathlib import Path

import pytest
import torch

from sevensteps.data import load
from tests.data.formats.test_npy import both, idx, put


@pytest.fixture(autouse=True)
def elsewhere(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)


def test_idx_files_by_folder_by_name_and_packed() -> None:
    x, y = put(600, 4, 5, kind="u1")
    for part, (first, last) in {"train": (0, 600), "t10k": (100, 300)}.items():
        idx(f"{part}-images-idx3-ubyte", x[first:last])
        idx(f"{part}-labels-idx1-ubyte", y[first:last])
    inside, streamed = both("./")
    assert (len(streamed.train), len(streamed.valid)) == (600, 200)
    assert torch.equal(streamed.train.x[:], inside.train.x)
    alone = load("train-images-idx3-ubyte", memory=0.02)
    assert (len(alone.train), len(alone.valid), alone.task.classes) == (479, 121, ("0", "1", "2"))
    Path("train-images-idx3-ubyte.gz").write_bytes(
        gzip.compress(Path("train-images-idx3-ubyte").read_bytes())
    )
    packed = load("train-images-idx3-ubyte.gz", target="train-labels-idx1-ubyte")
    assert isinstance(packed.train.x, torch.Tensor)
    assert len(packed.train) == 479
