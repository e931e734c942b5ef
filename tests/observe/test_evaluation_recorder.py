"""Evaluations in training mode are counted where the mode matters."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from torch import nn
from torch.nn.modules import module as pytorch

import sevensteps as ss
from sevensteps.observe.compiled import CompiledCode
from sevensteps.observe.evaluation_recorder import EvaluationListener, EvaluationRecorder
from sevensteps.observe.network_facts import network_facts
from sevensteps.observe.step_hooks import StepHooks
from sevensteps.observe.step_recorder import raised


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


def listener(network: nn.Module, notes: dict[str, Any]) -> EvaluationListener:
    recorder = EvaluationRecorder({"": network_facts(network)}, notes)
    return EvaluationListener(recorder, {"": network}, CompiledCode(), raised)


def test_an_evaluation_after_every_epoch_is_met_once_in_five_however_long_an_epoch_is() -> None:
    steps = listener(nn.Dropout(), {})
    for epoch in range(10, 1001):
        assert any(steps.is_due(number * epoch) for number in range(1, 6)), epoch
    assert sum(map(steps.is_due, range(2**14))) < 0.4 * 2**14
    assert not any(map(listener(nn.Linear(1, 1), {}).is_due, range(1000)))


def test_it_listens_until_the_steps_own_forward_pass() -> None:
    network = nn.Sequential(nn.Linear(2, 2), nn.Dropout(0.5))
    notes: dict[str, Any] = {}
    listening = listener(network, notes)
    listening.listen()
    with torch.no_grad():
        network(torch.ones(1, 2))
        network.eval()(torch.ones(1, 2))
        network.train()(torch.ones(1, 2))
    assert notes == {"evaluations_training": 2}
    assert pytorch._has_any_global_hook()
    network(torch.ones(1, 2))
    assert not pytorch._has_any_global_hook()
    with torch.no_grad():
        network(torch.ones(1, 2))
    assert notes == {"evaluations_training": 2}
    listening.listen()
    listening.stop()
    assert not pytorch._has_any_global_hook()


@pytest.mark.draws
@pytest.mark.parametrize("training", [True, False])
def test_a_loop_that_evaluates_once_an_epoch_is_caught_in_the_wrong_mode(training: bool) -> None:
    network = nn.Sequential(nn.Linear(2, 4), nn.Dropout(0.5), nn.Linear(4, 1))
    optimizer = torch.optim.SGD(network.parameters(), 0.01)
    with ss.watch(network, optimizer) as watch:
        for _ in range(5):
            for _ in range(61):
                loss = network(torch.randn(4, 2)).square().mean()
                optimizer.zero_grad()
                loss.backward()
                optimizer.step()
                watch.step(loss)
            network.train(training)
            with torch.no_grad():
                network(torch.randn(4, 2))
            network.train()
    assert watch.failure is None
    assert ("evaluations_training" in watch.observation.notes) == training
