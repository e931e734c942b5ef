"""The gradient of a batch is the mean of its samples' gradients."""

from __future__ import annotations

import pytest

from tests.explain.conftest import Runs


def test_a_batch_is_the_mean_of_its_samples(runs: Runs) -> None:
    explain = runs("digits").explain
    each = [explain.gradient(i, "layer1.weight", (3, 20)) for i in (0, 7, 9)]
    batch = explain.gradient([0, 7, 9], "layer1.weight", (3, 20))
    assert batch.chain_rule == pytest.approx(sum(one.chain_rule for one in each) / 3, rel=1e-12)
    assert {held.unit: held.product for held in batch.by_sample} == pytest.approx(
        {f"sample {i}": one.chain_rule / 3 for i, one in zip((0, 7, 9), each, strict=True)},
        rel=1e-12,
        abs=1e-15,
    )
    assert explain.gradient("all", "output.bias", (0,)).samples == tuple(range(359))
