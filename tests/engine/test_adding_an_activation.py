"""A new activation is a class and a row: what is written here, and everything else knows it."""

from __future__ import annotations

import inspect
import math
from typing import Any

import pytest
import torch
from torch import Tensor, nn

import sevensteps as ss
from sevensteps.doctor.observer import DoctorObserver
from sevensteps.engine import Autograd, ChainRule, FiniteDifferences, StackedEnsemble
from sevensteps.engine.activations import ACTIVATIONS, Activation
from sevensteps.engine.layer import Layer
from sevensteps.observe.network_facts import network_facts
from sevensteps.steps import loss as losses
from sevensteps.steps import parse


# What somebody writes who adds one: the module, where PyTorch has none; the derivative beside its
# forward line; and the row with what is known of it.
class Arctan(nn.Module):
    def forward(self, x: Tensor) -> Tensor:
        return x.atan()


class ArctanLayer(Layer):
    def forward(self, x: Tensor) -> Tensor:
        self.x = x
        return x.atan()  # y = arctan x

    def backward(self, g: Tensor) -> Tensor:
        return g / (1 + self.x * self.x)  # dy/dx = 1 / (1 + x²)


def arctan() -> Activation:
    return Activation(
        "arctan",
        Arctan,
        ArctanLayer,
        initializer="xavier_normal",
        output_range=(-math.pi / 2, math.pi / 2),
        saturates=True,
        steepest=1.0,
        keeps_sign=True,
        derivative="1 / (1 + x²)",
    )


ADDED = (Arctan, ArctanLayer, arctan)
WIDE = "mlp(6, 5, activation='arctan')"


@pytest.fixture(autouse=True)
def row(monkeypatch: pytest.MonkeyPatch) -> Activation:
    monkeypatch.setitem(ACTIVATIONS, "arctan", arctan())
    return ACTIVATIONS["arctan"]


def trained(predict: str = WIDE, **steps: Any) -> ss.Run:
    return ss.train("iris", predict=predict, out=False, progress=False, **steps)


def test_it_is_short() -> None:
    assert sum(len(inspect.getsource(part).splitlines()) for part in ADDED) < 40


def test_it_has_a_spelling_and_trains_by_the_chain_rule() -> None:
    assert repr(parse("predict", "mlp(30, activation='arctan')")) == 'mlp(30, activation="arctan")'
    run = trained(stop="epochs(20)", watch=0)
    assert run.summary["metrics"]["valid"]["accuracy"] > 0.8
    assert repr(run.recipe.initialize).startswith("xavier_normal(")
    assert run.recipe.gradient == ss.chain_rule()


def test_its_gradient_is_autograd_s_and_that_of_finite_differences(
    build: Any, oracle: Any, error: Any
) -> None:
    network = build(
        lambda: nn.Sequential(nn.Linear(4, 5), Arctan(), nn.Linear(5, 5), Arctan(), nn.Linear(5, 3))
    )
    x = torch.randn(7, 4, generator=torch.Generator().manual_seed(1), dtype=torch.float64)
    y = torch.arange(7) % 3
    wanted, _ = oracle(network, losses.cross_entropy(), x, y)
    for method, tolerance in ((ChainRule, 1e-9), (Autograd, 1e-9), (FiniteDifferences, 1e-6)):
        engine = method(network, losses.cross_entropy())
        engine.predict(x)
        engine.loss(y)
        assert error(engine.gradient(), wanted) <= tolerance


def test_a_race_trains_its_networks_together(monkeypatch: pytest.MonkeyPatch) -> None:
    stacked: list[int] = []
    prepare = StackedEnsemble._prepare
    monkeypatch.setattr(
        StackedEnsemble, "_prepare", lambda self: (prepare(self), stacked.append(len(self)))
    )
    steps = ["sgd(lr=0.05)", "sgd(lr=0.1)"]
    race = ss.race(ss.grid("iris", predict=WIDE, step=steps, stop="epochs(3)"), out=False)
    assert stacked == [2]
    for step, run in zip(steps, race.runs, strict=True):
        alone = trained(step=step, stop="epochs(3)", watch=0)
        for ours, theirs in zip(run.network.parameters(), alone.network.parameters(), strict=True):
            torch.testing.assert_close(ours, theirs, rtol=1e-4, atol=1e-5)


def test_watching_and_the_doctor_know_its_range(row: Activation) -> None:
    network = trained(stop="epochs(0)", watch=0).network
    layer = network_facts(network).layers["activation1"]
    assert (layer.role, layer.activation, layer.function) == ("activation", "arctan", row)
    findings = {}
    for width in ("normal(1000.0)", "normal(0.1)"):
        doctor = DoctorObserver()
        trained(initialize=width, stop="epochs(0)", watch=doctor)
        assert doctor.before is not None
        findings[width] = [
            finding.condition
            for ranked in doctor.before.findings
            for finding in (ranked, *ranked.symptoms)
        ]
    assert "saturated_units" in findings["normal(1000.0)"]
    assert "saturated_units" not in findings["normal(0.1)"]


def test_explanations_name_its_derivative() -> None:
    answer = trained(stop="epochs(2)", watch=0).explain.gradient(0, "layer1.weight")
    assert answer.lacking is None
    assert "1 / (1 + x²), x = " in answer.text()
