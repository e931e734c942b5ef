"""Samples in a file, and back."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch

from sevensteps.doctor.trials.script.samples_file import read_samples, write_samples


def test_structures_come_back(tmp_path: Path) -> None:
    x, y = torch.arange(6.0).view(2, 3).T, torch.tensor([1, 0, 1])
    path = tmp_path / "samples"
    write_samples(path, (((x, [y, None]), {"mask": y > 0, "scale": 0.5}), y))
    ((first, (second, nothing)), named), target = read_samples(path)
    assert torch.equal(first, x)
    assert torch.equal(second, y)
    assert nothing is None
    assert torch.equal(named["mask"], y > 0)
    assert named["scale"] == 0.5
    assert torch.equal(target, y)
    assert [p.name for p in tmp_path.iterdir()] == ["samples"]


def test_anything_else_is_refused(tmp_path: Path) -> None:
    with pytest.raises(TypeError, match="object"):
        write_samples(tmp_path / "samples", object())
