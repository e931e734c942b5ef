"""The backward pass of one sample, layer by layer, against autograd."""

from __future__ import annotations

import copy
import itertools

import pytest
import torch

from tests.explain.conftest import GRADIENTS, Runs
from tests.explain.gradient.gradients import wanted


@pytest.mark.parametrize("name", GRADIENTS)
def test_the_whole_backward_pass(runs: Runs, name: str) -> None:
    run = runs(name)
    expected = wanted(run, [1, 4])
    found = run.explain.gradient([1, 4])
    sizes = {
        f"{layer.name}.{key}": size
        for layer in found.layers
        for key, size in layer.parameters.items()
    }
    assert sizes == pytest.approx(
        {key: float(slopes.norm()) for key, slopes in expected.items()}, rel=1e-9
    )
    assert (found.relative is None) == (name == "own")
    assert found.relative is None or found.relative <= 1e-12
    for layer, before in itertools.pairwise(found.layers):
        assert before.slope == pytest.approx(layer.slope * layer.factor)
    assert all(len(line) <= 80 for line in found.text().splitlines())


def test_the_slopes_of_the_layers_are_autograd_s(runs: Runs) -> None:
    run = runs("digits")
    x, y = (held[3:4] for held in run.explain.subject.part("valid"))
    network = copy.deepcopy(run.network).double()
    hidden = network[:2](x.double())
    out = network[2:](hidden)
    hidden_slope, out_slope = torch.autograd.grad(
        run.recipe.loss.value(out, y).mean(), [hidden, out]
    )
    rows = {row.name: row for row in run.explain.gradient(3).layers}
    assert rows["output"].slope == pytest.approx(float(out_slope.norm()))
    assert rows["layer1"].slope == pytest.approx(float(hidden_slope.norm()))


def test_the_layer_that_loses_the_gradient_is_named(runs: Runs) -> None:
    found = runs("deep").explain.gradient(0)
    lost = {row.name: row.factor for row in found.layers if row.factor is not None}
    assert found.loses == min(lost, key=lambda name: lost[name])
    assert found.loses.startswith("activation")
    assert lost[found.loses] <= 0.25
    assert "(a sigmoid: .25 at most)" in found.text()
