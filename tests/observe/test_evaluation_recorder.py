"""Evaluations in training mode are counted where the mode matters."""

from __future__ import annotations

from typing import Any

import torch
from torch import nn

from sevensteps.observe.evaluation_recorder import EvaluationRecorder
from sevensteps.observe.network_facts import network_facts
from sevensteps.observe.step_hooks import StepHooks


def test_only_networks_with_a_mode_and_passes_without_gradients_count() -> None:
    networks = {"mode": nn.Sequential(nn.Linear(2, 2), nn.Dropout(0.5)), "none": nn.Linear(2, 2)}
    notes: dict[str, Any] = {}
    facts = {name: network_facts(network) for name, network in networks.items()}
    with StepHooks(networks, [], [EvaluationRecorder(facts, notes)]):
        for network in networks.values():
            network(torch.ones(1, 2))
            with torch.no_grad():
                network(torch.ones(1, 2))
                network.eval()(torch.ones(1, 2))
    assert notes == {"evaluations_training": 1}
