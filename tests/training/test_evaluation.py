"""Evaluation: in chunks as in one piece, and nothing of the network is changed."""

from __future__ import annotations

import copy

import pytest
import torch
import torch.nn.functional as F
from torch import nn

from sevensteps.training import evaluation
from sevensteps.training.evaluation import evaluate, outputs_of
from tests.training.trainings import (
    trained,
)


def test_evaluation_in_chunks_equals_the_whole_and_touches_nothing(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    training, _ = trained(predict="mlp(6, dropout=0.3, batch_norm=True)")
    network = training.network
    next(
        m for m in network.modules() if isinstance(m, nn.BatchNorm1d)
    ).eval()  # somebody's own wish, to be kept
    modes = [m.training for m in network.modules()]
    before = copy.deepcopy(network.state_dict())
    generators = {name: held.get_state() for name, held in training.generators.items()}
    whole = evaluate(training, "train")
    monkeypatch.setattr(evaluation, "CHUNK", 7)
    chunked = evaluate(training, "train")
    assert chunked.pop("by_class") == whole.pop("by_class")
    assert chunked == pytest.approx(whole, rel=1e-12)
    assert [m.training for m in network.modules()] == modes
    assert modes.count(True) > 0 < modes.count(False)
    assert all(torch.equal(before[name], held) for name, held in network.state_dict().items())
    assert all(
        torch.equal(generators[name], held.get_state())
        for name, held in training.generators.items()
    )
    x, y = training.parts["train"]
    outputs = copy.deepcopy(network).eval()(x).detach()
    assert whole["loss"] == pytest.approx(F.cross_entropy(outputs, y).item(), rel=1e-12)
    assert whole["accuracy"] == (outputs.argmax(1) == y).double().mean().item()


def test_modes_are_put_back_when_the_network_fails() -> None:
    network = nn.Sequential(nn.Dropout(0.5), nn.Flatten(5))
    with pytest.raises(IndexError):
        outputs_of(network, torch.zeros(2, 4))
    assert all(m.training for m in network.modules())
