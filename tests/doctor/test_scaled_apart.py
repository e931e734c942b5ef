"""Inputs of another scale are an error; a few outliers are a remark."""

from __future__ import annotations

import torch

from tests.doctor.test_copied_samples import found


def test_a_few_outliers_are_a_remark_and_another_scale_an_error() -> None:
    generator = torch.Generator().manual_seed(0)
    table = torch.randn(1000, 6, generator=generator)
    odd = table[700:].clone()
    odd[:4] *= 100
    remark = found(table[:700], odd)
    assert remark is not None
    assert remark.severity == "info"
    scaled = found(table[:700], 10 * table[700:])
    assert scaled is not None
    assert scaled.severity == "error"
