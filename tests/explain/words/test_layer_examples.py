"""Examples of the words for layers, against the network's own numbers."""

from __future__ import annotations

import pytest
import torch
from torch import nn

import sevensteps as ss
from tests.explain.words.conftest import numbers, trained


def test_a_linear_unit_is_its_sum_and_bias(run: ss.Run) -> None:
    data, found = ss.data.load("digits"), numbers(run, "linear")
    layer, x = run.network.layer1, data.valid.x[0].flatten().double()
    assert found["sum"] == pytest.approx(float(layer.weight[0].detach().double() @ x), rel=1e-9)
    assert found["result"] == pytest.approx(found["sum"] + float(layer.bias[0].detach()), rel=1e-9)


def test_relu_counts_what_is_off(run: ss.Run) -> None:
    before = run.network.layer1(ss.data.load("digits").valid.x[:1].flatten(1))[0]
    found = numbers(run, "relu")
    assert (found["off"], found["units"], found["output"]) == (int((before <= 0).sum()), 12, 0)
    assert found["input"] == pytest.approx(float(before.min().detach()), rel=1e-5)


def test_a_perceptron_has_its_bias_as_w0() -> None:
    rows = torch.tensor([[0.0, 0], [0, 1], [1, 0], [1, 1]])
    data = ss.data.from_arrays(rows.repeat(5, 1).numpy(), [0, 0, 0, 1] * 5)
    for bias in ("b", "w0"):
        run = trained(data, predict=f"neuron('step', bias={bias!r})", step=None)
        weights = torch.cat([p.detach().flatten() for p in run.network.parameters()]).double()
        w0, rest = (weights[0], weights[1:]) if bias == "w0" else (weights[-1], weights[:-1])
        x = run.explain.subject.data.valid.x[0].double()
        found = numbers(run, "perceptron")
        assert found["w0"] == pytest.approx(float(w0))
        assert found["sum"] == pytest.approx(float(w0 + rest @ x), abs=1e-6)
        assert found["output"] == float(found["sum"] > 0)


@pytest.mark.draws
def test_a_network_that_works_in_place_is_not_misread() -> None:
    network = nn.Sequential(
        nn.Flatten(), nn.Linear(64, 20), nn.ReLU(inplace=True), nn.Linear(20, 10)
    )
    found = numbers(trained(predict=network), "relu")
    assert found["input"] < 0 == found["output"]
