"""Examples of further words are the run's own numbers."""

from __future__ import annotations

import pytest

import sevensteps as ss
from tests.explain.words.conftest import numbers, trained


def test_what_a_network_is_made_of(run: ss.Run) -> None:
    neuron = numbers(run, "neuron")
    assert (neuron["layer"], neuron["neurons"], neuron["weights"]) == ("layer1", 12, 64)
    assert numbers(run, "hidden layer")["units"] == {"layer1": 12}
    assert numbers(run, "feature")["inputs"] == 64
    z, a = (numbers(run, "pre-activation")[name] for name in ("z", "activation"))
    assert a == pytest.approx(max(z, 0))
    data = ss.data.load("digits")
    assert numbers(run, "target")["index"] == int(data.valid.y[0])
    assert numbers(run, "validation")["samples"] == len(data.valid)


def test_settings_that_a_run_has_and_has_not() -> None:
    run = trained("iris", step="sgd(lr=0.1, momentum=0.9)", predict="mlp(4, dropout=0.5)")
    assert numbers(run, "momentum") == {"momentum": 0.9}
    assert numbers(run, "dropout") == {"dropout": 0.5}
    (entry,) = run.explain.words("weight decay").entries
    assert entry.lacking.startswith("sgd(")
