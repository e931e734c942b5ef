"""Examples of the words for gradients, against autograd and counts by hand."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import pytest
import torch
from torch import nn

import sevensteps as ss
from sevensteps.explain.words.gradient_examples import _diagnosis
from tests.explain.words.conftest import numbers, trained


def test_the_chain_rule_gives_the_gradient_of_autograd(run: ss.Run) -> None:
    data, found = ss.data.load("digits"), numbers(run, "chain rule")
    loss = nn.functional.cross_entropy(
        run.network.double()(data.valid.x[:1].double()), data.valid.y[:1]
    )
    (gradient,) = torch.autograd.grad(loss, [run.network.output.weight])
    run.network.float()
    unit, at = found["index"]
    assert found["gradient"] == pytest.approx(float(gradient[unit, at]), rel=1e-6)
    assert found["gradient"] == pytest.approx(found["outer"] * found["inner"])


def test_dead_inputs_and_dead_units_are_counted() -> None:
    run = trained(predict="mlp(9)")
    with torch.no_grad():
        run.network.layer1.bias[:2] = -1e6
    x = ss.data.load("digits").train.x
    hidden = run.network.layer1(x.flatten(1))
    assert numbers(run, "dead unit") == {
        "dead": int((hidden <= 0).all(0).sum()),
        "units": 9,
        "layer": "activation1",
    }
    assert numbers(run, "dead unit")["dead"] >= 2
    assert numbers(run, "dead input") == {"dead": int((x == 0).all(0).sum()), "inputs": 64}


def test_units_that_start_the_same_stay_the_same() -> None:
    twins = trained(initialize="zeros()")
    found = numbers(twins, "symmetry")
    text = " ".join(str(twins.explain.words("symmetry")).split())
    assert "all 12 units of layer1.weight are the same at the end" in text
    assert (found["units"], found["different"], found["apart"]) == (12, 1, 0)
    assert numbers(trained(), "symmetry")["different"] == 12


def test_a_gradient_that_vanishes_at_saturated_units_is_followed() -> None:
    run = trained(predict="mlp(12, 12, activation='tanh')", initialize="normal(5)")
    found = numbers(run, "vanishing gradient")
    factors = {layer.name: layer.factor for layer in run.explain.gradient(0).layers}
    assert factors[found["layer"]] == found["left"] < 0.1
    text = " ".join(str(run.explain.words("vanishing gradient")).split())
    assert f"{found['layer']} hands back only" in text


def test_saturation_counts_flat_slopes() -> None:
    run = trained("circles", predict="mlp(8, activation='tanh')")
    with torch.no_grad():
        run.network.layer1.weight[:4] *= 1e6
    assert numbers(run, "saturation")["share"] == 0.5


def test_what_was_found_before_the_first_step_counts() -> None:
    early = [{"condition": "signal_vanishes"}, {"condition": "vanishing_gradient"}]
    summary = SimpleNamespace(findings=[{"condition": "stopped_early"}], before=early)
    run: Any = SimpleNamespace(subject=SimpleNamespace(summary=summary))
    name = "vanishing_gradient"
    assert _diagnosis(run, name) == f"the doctor found {name} before the first step"
    early.pop()
    assert _diagnosis(run, name).endswith("before the first step, which comes with it")
    summary.before = None
    assert _diagnosis(run, name) == "the doctor did not find it"
