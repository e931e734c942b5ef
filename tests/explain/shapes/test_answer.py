"""The forward pass as shapes: held against the network itself, layer by layer."""

from __future__ import annotations

from typing import Any

import pytest
import torch

import sevensteps as ss
from sevensteps.explain.shapes.answer import Shapes

RUNS: list[tuple[str, dict[str, Any]]] = [
    ("digits", {"predict": "mlp(5)", "repeat": "batches(16)"}),
    ("digits", {"predict": "cnn(3, dense=(4,), batch_norm=True)"}),
    ("iris", {"predict": "linear()"}),
    ("speed", {"predict": "polynomial(2)", "repeat": "full_batch()"}),
]


@pytest.mark.parametrize(("data", "steps"), RUNS, ids=lambda part: str(part))
def test_every_layer_has_the_shape_that_the_network_gives(data: str, steps: dict[str, Any]) -> None:
    run = ss.train(
        data, **steps, stop="epochs(0)" if data == "speed" else "epochs(1)", out=False, watch=0
    )
    found: Shapes = run.explain.shapes()
    x = run.explain.subject.data.train.x[: found.batch]
    assert found.input == tuple(x.shape)
    assert len(found.axes) == x.ndim
    y = x
    with torch.no_grad():
        for row, (name, module) in zip(found.rows, run.explain.subject.layers, strict=True):
            y = module(y)
            assert (row.name, row.output) == (name, tuple(y.shape))
            assert row.parameters == {
                key: tuple(p.shape) for key, p in module.named_parameters(recurse=False)
            }
    assert found.parameters == sum(p.numel() for p in run.network.parameters())
    assert max(map(len, found.text(80).splitlines())) <= 80
    assert found.to_dict()["activations"] == found.activations


def test_the_bias_is_one_number_per_unit() -> None:
    text = str(
        ss.train(
            "digits", predict="mlp(5)", repeat="batches(16)", stop="epochs(1)", out=False, watch=0
        ).explain.shapes()
    )
    assert "y = x Wᵀ + b: [16, 64] by [64, 5] gives [16, 5]" in text
    assert "b [5] is one number per unit, added to each of the 16 samples (broadcast)" in text
    assert f"{64 * 5 + 5 + 5 * 10 + 10} parameters" in " ".join(text.split())
