"""Observations stay small, and survive the folder."""

from __future__ import annotations

import json
import math

import pytest
import torch
from torch import nn

from sevensteps.observe.network_facts import network_facts
from sevensteps.observe.observation import MAX_LOOKS, MAX_LOSSES, MAX_SAMPLES, Observation
from tests.observe.loops import NETWORKS, train


def empty() -> Observation:
    return Observation(network_facts(nn.Linear(6, 3)))


def test_all_but_looks_and_samples_survives_as_json() -> None:
    _, watch = train(NETWORKS["norm and dropout"], 1.0, steps=3)
    assert watch is not None
    written = watch.observation.to_dict()
    again = Observation.from_dict(json.loads(json.dumps(written)))
    assert again.facts.parameters == watch.observation.facts.parameters
    assert again.graph == watch.observation.graph
    assert again.losses == watch.observation.losses
    assert again.to_dict() == written


def test_many_looks_are_thinned_out() -> None:
    _, watch = train(NETWORKS["one layer"], 1.0, steps=400)
    assert watch is not None
    steps = [look.step for look in watch.observation.looks]
    assert len(steps) <= MAX_LOOKS
    assert steps == sorted(steps)
    assert steps[:8] == list(range(8))
    assert steps[-1] == 399


def test_many_losses_are_thinned_out_but_for_those_that_are_not_finite() -> None:
    observation = empty()
    for step in range(3 * MAX_LOSSES):
        assert observation.record_loss(step, float(step))
    assert len(observation.losses) <= MAX_LOSSES
    assert all(step == value for step, value in observation.losses)
    assert not observation.record_loss(3 * MAX_LOSSES + 1, math.nan)
    assert observation.losses[-1][0] == 3 * MAX_LOSSES + 1


def test_a_learning_rate_is_recorded_where_it_changes() -> None:
    observation = empty()
    for step, lr in enumerate([0.1, 0.1, 0.2, 0.2, 0.1]):
        observation.record_rate(step, lr)
    assert observation.rates == [(0, 0.1), (2, 0.2), (4, 0.1)]


@pytest.mark.parametrize("changing", [False, True])
@pytest.mark.parametrize("count", [1, 7, 1000, 5 * MAX_LOSSES])
@pytest.mark.sampled(2)
def test_a_stretch_of_steps_is_recorded_as_its_steps_are(count: int, changing: bool) -> None:
    draw = torch.Generator().manual_seed(count)
    losses = torch.rand(3 * MAX_LOSSES + 11, generator=draw, dtype=torch.float64)
    rates = 1 - losses.round() / 2 if changing else torch.full_like(losses, 0.1)
    one, many = empty(), empty()
    for step, (loss, rate) in enumerate(zip(losses.tolist(), rates.tolist(), strict=True)):
        one.record_loss(step, loss)
        one.record_rate(step, rate)
    for first in range(0, len(losses), count):
        many.record_losses(first, losses[first : first + count])
        many.record_rates(first, rates[first : first + count])
    assert many.losses == one.losses
    assert many.rates == one.rates
    assert len(many.losses) <= MAX_LOSSES
    assert len(many.rates) <= MAX_LOSSES


def test_some_samples_are_kept_of_batches_that_fit_together() -> None:
    observation = empty()
    x, y = torch.arange(12.0).view(2, 6), torch.tensor([0, 1])
    observation.add_samples(x, y)
    x.zero_()  # a copy is kept
    observation.add_samples(torch.ones(2, 5), y)  # other features
    observation.add_samples(torch.ones(3, 6), y)  # not as many inputs as targets
    observation.add_samples("words", y)
    assert observation.x is not None
    assert observation.y is not None
    assert torch.equal(observation.x, torch.arange(12.0).view(2, 6))
    for _ in range(20):
        observation.add_samples(torch.ones(500, 6), torch.zeros(500))
    assert len(observation.x) == len(observation.y) == MAX_SAMPLES


def test_of_inputs_that_another_network_computes_only_the_latest_are_kept() -> None:
    observation = Observation(network_facts(nn.Identity()), networks=("head",))
    plain = torch.ones(4, 2)
    for value in (1.0, 2.0):
        observation.add_batch((plain * value,), {}, plain, "head")
    assert observation.samples["head"].x is not None
    assert len(observation.samples["head"].x) == 8
    for value in (3.0, 4.0):
        codes = nn.Linear(2, 2)(plain) * 0 + value
        observation.add_batch((codes,), {}, plain, "head")
    assert observation.samples["head"].x is not None
    assert observation.samples["head"].x.unique().tolist() == [4.0]
