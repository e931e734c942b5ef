"""What a unit computes, when it is dead, and what the network is without it."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
from torch import nn

import sevensteps as ss
from sevensteps.api.explain import explain
from sevensteps.errors import ArgumentError
from tests.explain.neuron.runs import QUICK, run_with_weights


def test_a_unit_is_dead_when_its_sum_is_never_above_zero() -> None:
    run = run_with_weights([[1.0, 0.0], [0.0, 1.0]], [-5.0, 0.5], [[1.0, 1.0]])
    dead, alive = run.explain.neuron("0", 0), run.explain.neuron("0", 1)
    assert dead.dead
    assert not alive.dead
    assert dead.firing == 0
    assert dead.whole == dead.without
    assert "Dead:" in dead.text()
    assert "Alive:" in alive.text()
    leaky = run_with_weights([[1.0, 0.0]], [-5.0], [[1.0]], nn.LeakyReLU()).explain.neuron("0", 0)
    assert leaky.firing == 0
    assert leaky.dead is None, "its slope is nowhere 0"


def test_dead_inputs_do_not_make_a_unit_dead() -> None:
    run = ss.train("digits", predict="mlp(5)", step="sgd(lr=0.1)", **QUICK)
    neuron = run.explain.neuron("layer1", 0)
    never = (ss.data.load("digits").train.x.flatten(1).numpy() == 0).all(0)
    assert neuron.dead_inputs == never.sum() > 0
    assert neuron.dead_moved == 0
    assert neuron.dead is False
    assert neuron.moved is not None
    assert neuron.moved > 0
    decayed = ss.train(
        "digits", predict="mlp(5)", step="sgd(lr=0.1, weight_decay=0.1)", **QUICK
    ).explain.neuron("layer1", 0)
    assert decayed.dead_moved is not None
    assert decayed.dead_moved > 0


def test_the_144_dead_pixels(mnist_dir: Path) -> None:
    run = ss.train("mnist37", predict="mlp(3)", stop="epochs(1)", data_dir=mnist_dir, out=False)
    neuron = explain(run, data_dir=mnist_dir).neuron("layer1", 1)
    assert neuron.dead_inputs == 144
    assert neuron.inputs == 784
    assert neuron.dead_moved == 0
    assert "144 dead inputs of 784" in neuron.text()
    assert max(map(len, neuron.text(80).splitlines())) <= 80
    assert len(neuron.text(80).splitlines()) <= 40


@pytest.mark.parametrize(
    ("data", "predict", "layer"),
    [
        ("digits", "mlp(6)", "layer1"),
        ("digits", "mlp(6, 5, activation='tanh', batch_norm=True)", "layer1"),
        ("digits", "cnn(4, 6)", "layer2"),
        ("diabetes", "mlp(6)", "layer1"),
    ],
)
@pytest.mark.sampled(1)
def test_what_is_lost_without_it(data: str, predict: str, layer: str) -> None:
    run = ss.train(data, predict=predict, step="sgd(lr=0.1)", **QUICK)
    unit = next(unit for unit in range(4) if not run.explain.neuron(layer, unit).dead)
    neuron = run.explain.neuron(layer, unit)
    network = run.network.eval()
    count = getattr(network, neuron.following).weight.shape[1] // neuron.units  # type: ignore[arg-type]
    with torch.no_grad():
        getattr(network, neuron.following).weight[:, unit * count : (unit + 1) * count] = 0  # type: ignore[arg-type]
    subject = run.explain.subject
    valid = subject.data.valid
    from sevensteps.training.evaluation import measure

    with torch.no_grad():
        expected = measure(network(valid.x), valid.y, subject.loss, subject.output)
    assert neuron.without is not None
    assert neuron.whole == pytest.approx(
        {name: run.metrics["valid"][name] for name in neuron.without}, rel=1e-5
    )
    assert neuron.without == pytest.approx(
        {name: expected[name] for name in neuron.without}, rel=1e-5
    )
    assert neuron.without["loss"] != neuron.whole["loss"]  # type: ignore[index]


@pytest.mark.parametrize(
    ("layer", "unit", "message"),
    [
        (
            "layer9",
            0,
            r"no layer 'layer9' with units; "
            r"there are layer1 \(units 0 to 4\), output \(units 0 to 2\)",
        ),
        ("activation1", 0, "there are layer1"),
        ("layer1", 5, "counted from 0 to 4"),
        ("layer1", -1, "at least 0"),
        ("layer1", True, "whole number"),
    ],
)
def test_what_there_is_not(layer: str, unit: int, message: str) -> None:
    run = ss.train("iris", predict="mlp(5)", stop="max_steps(1)", out=False)
    with pytest.raises(ArgumentError, match=message) as raised:
        run.explain.neuron(layer, unit)
    assert "\n" not in str(raised.value)
