"""A gradient taken apart: every layer, loss and head against PyTorch's autograd, every path against
the Jacobians' products.
"""

from __future__ import annotations

import math
import re
from typing import Any

import pytest
import torch
from torch import nn

import sevensteps as ss
from sevensteps.errors import ArgumentError
from tests.explain.conftest import GRADIENTS, Runs, made
from tests.explain.gradient.gradients import wanted

# -- a run's own gradients -------------------------------------------------------------------------


@pytest.mark.parametrize("name", GRADIENTS)
@pytest.mark.parametrize("samples", [[3], [0, 1, 2, 5]])
def test_a_run_s_gradients(runs: Runs, name: str, samples: list[int]) -> None:
    run = runs(name)
    expected = wanted(run, samples)
    before = {key: tensor.clone() for key, tensor in run.network.state_dict().items()}
    for parameter, slopes in expected.items():
        found = run.explain.gradient(samples[0] if len(samples) == 1 else samples, parameter)
        scale = max(float(slopes.abs().max()), 1e-12)
        assert abs(float(slopes[found.index])) == pytest.approx(float(slopes.abs().max()))
        assert found.autograd == pytest.approx(float(slopes[found.index]), abs=1e-12 * scale)
        assert abs(found.finite_difference - found.autograd) <= 1e-6 * scale + 1e-9
        assert (found.chain_rule is None) == (found.lacking is not None) == (name == "own")
        if found.chain_rule is not None and found.chain_rule != 0:
            assert found.chain_rule == pytest.approx(float(slopes[found.index]), abs=1e-9 * scale)
            for cut in found.cuts:
                assert cut.total == pytest.approx(found.chain_rule, abs=1e-9 * scale)
            for path in found.paths:
                assert path.product == pytest.approx(
                    math.prod(factor.value for factor in path.factors), rel=1e-9
                )
            assert found.by_sample[0].unit == f"sample {found.sample}"
        assert all(len(line) <= 80 for line in found.text().splitlines())
        assert len(found.text().splitlines()) <= 60
    after = run.network.state_dict()
    assert all(torch.equal(before[key], after[key]) for key in before)


@pytest.mark.draws
def test_a_hand_worked_gradient() -> None:
    # y = 2 a + .5 with a = relu(w x + b), w = 1, b = 0 as set; x = 3, target 1: L = (6.5 - 1)²,
    # dL/dw = 2 · 5.5 · 2 · 1 · 3 = 66
    network = nn.Sequential(nn.Linear(1, 1), nn.ReLU(), nn.Linear(1, 1))
    with torch.no_grad():
        for parameter, value in zip(network.parameters(), (1.0, 0.0, 2.0, 0.5), strict=True):
            parameter.fill_(value)
    data = ss.data.from_arrays(
        [[3.0], [-1.0]], [1.0, 0.25], valid=None, target_scale="none", scale="none"
    )
    run = made(data, predict=network, initialize="as_given()", stop="epochs(0)")
    found = run.explain.gradient(0, "0.weight", (0, 0), part="train")
    assert [factor.value for factor in found.paths[0].factors] == [11, 2, 1, 3]
    assert found.chain_rule == found.autograd == 66
    assert found.finite_difference == pytest.approx(66)
    assert found.formula.text().splitlines()[-2:] == ["= 11 · 2 · 1 · 3", "= 66"]
    dead = run.explain.gradient(1, "0.weight", (0, 0), part="train")
    assert dead.chain_rule == dead.autograd == dead.finite_difference == 0
    assert "The path ends here: 1[0] is off for this sample, its input is -1." in dead.notes
    assert [factor.value for factor in dead.paths[0].factors] == [2 * (0.5 - 0.25) * 2, 0, -1]


# -- what a reader should notice -------------------------------------------------------------------


def test_what_can_be_said_without_a_written_derivative(runs: Runs) -> None:
    found = runs("own").explain.gradient(3, "0.weight", (0, 1))
    assert found.lacking == "1 (Mish) has no written derivative"
    assert found.paths == found.cuts == ()
    assert "No factors: 1 (Mish) has no written derivative" in found.text()
    assert "autograd           " in found.text()


def test_the_bias_as_a_weight_of_x0() -> None:
    run = made("circles", predict="neuron(bias='w0')", stop="epochs(1)")
    first, second = (
        run.explain.gradient(0, "output.weight", (0, i)).paths[0].factors[-1] for i in (0, 1)
    )
    assert (first.value, first.why) == (1, "x0 = 1: w0 is the bias")
    assert second.why == "its input, x1"


# -- bad input -------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("name", "asked", "message"),
    [
        ("digits", {"samples": 359}, "there is no sample 359 in valid; it has 359, counted from 0"),
        ("digits", {"samples": [0, 400]}, "there is no sample 400 in valid"),
        ("digits", {"samples": []}, "a batch of no samples has no gradient; give at least one"),
        ("digits", {"samples": "most"}, "samples are a number, several, or 'all', not 'most'"),
        (
            "digits",
            {"samples": 0, "part": "test"},
            "there is no part 'test'; the data have train and valid",
        ),
        (
            "digits",
            {"samples": 0, "parameter": "layer9.weight"},
            "there is no trained parameter 'layer9.weight'; the network has ",
        ),
        (
            "digits",
            {"samples": 0, "parameter": "layer1.weight", "index": (12, 0)},
            "layer1.weight has shape [12, 64]; it has no number at ",
        ),
        (
            "digits",
            {"samples": 0, "parameter": "layer1.weight", "index": (1,)},
            "it has no number at [1]",
        ),
        ("similarity", {"samples": 0}, "the network has no parameter that is trained"),
        ("perceptron", {"samples": 0}, "is a step activation, whose derivative is 0 everywhere"),
    ],
)
def test_bad_input_is_one_line(runs: Runs, name: str, asked: dict[str, Any], message: str) -> None:
    with pytest.raises(ArgumentError, match=re.escape(message)):
        runs(name).explain.gradient(**asked)
