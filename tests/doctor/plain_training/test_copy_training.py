"""A copy that is trained anew: plainly, or with steps as they were."""

from __future__ import annotations

import math

import pytest
import torch
from torch import nn

from sevensteps.doctor.case import Case
from sevensteps.doctor.plain_training.copy_training import (
    Plan,
    fed_batches,
    own_rates,
    redraw,
    scale_of,
    signs_of,
    start_as_it_was,
    train_copy,
)
from sevensteps.doctor.plain_training.judging import data_of, measure
from tests.doctor.plain_training.trainings import COUNT, low_biases, trained, weights_times

pytestmark = pytest.mark.draws


def score(case: Case, plan: Plan) -> float:
    data = data_of(case)
    assert data is not None
    with case.network_copy(training=True) as network:
        assert network is not None
        train_copy(case, network, data, plan)
        network.eval()
        measured = measure(case, network, data, plan.standardised)
    assert measured is not None
    return measured.value


def test_a_plain_copy_learns_what_the_training_did_not() -> None:
    case = trained("classes", lr=1e-6).case
    assert score(case, Plan(200)) > 0.7
    assert score(case, Plan(200)) == score(case, Plan(200))
    assert score(case, Plan(200, seed=1)) != score(case, Plan(200))
    own = Plan(200, own=frozenset({"step"}))
    assert score(case, own) < 0.5
    assert score(case, Plan(200, own=own.own, times=3000.0)) > 0.7
    assert score(case, Plan(200, own=own.own, changes=(("lr", 3e-3),))) > 0.7


def test_the_start_has_the_lengths_that_it_had() -> None:
    large = trained("classes", start=weights_times(12.0), steps=20).case
    with large.network_copy() as network:
        assert network is not None
        signs = signs_of(network)
        redraw(network, 0)
        drawn = {name: float(p.detach().norm()) for name, p in network.named_parameters()}
        names = start_as_it_was(network, large.facts.parameters, signs)
        assert names == ["0.weight", "2.weight", "4.weight"]
        for name, p in network.named_parameters():
            length = large.facts.parameters[name].length if name in names else drawn[name]
            assert float(p.detach().norm()) == pytest.approx(length, rel=1e-4)
    low = trained("classes", start=low_biases, steps=20).case
    with low.network_copy() as network:
        assert network is not None
        signs = signs_of(network)
        redraw(network, 0)
        assert start_as_it_was(network, low.facts.parameters, signs) == ["0.bias", "2.bias"]
        assert isinstance(network, nn.Sequential)
        torch.testing.assert_close(network[0].bias.detach(), torch.full((48,), -10.0))


def test_a_healthy_start_is_not_far_from_usual() -> None:
    case = trained("pictures", steps=20).case
    with case.network_copy() as network:
        assert network is not None
        redraw(network, 0)
        assert start_as_it_was(network, case.facts.parameters, {}) == []


def test_the_schedule_is_spread_over_the_steps_of_a_copy() -> None:
    case = trained("classes", steps=20, lr=0.01).case
    assert own_rates(case, 10) is None  # no schedule
    case.observation.rates = [(0, 0.01), (10, 0.001)]
    assert own_rates(case, 10) == pytest.approx([1.0] * 5 + [0.1] * 5)


def test_the_batches_that_were_fed_are_known_by_their_rows() -> None:
    case = trained("classes", steps=60, batch=lambda chosen, y: y.argsort()[:32]).case
    data = data_of(case)
    assert data is not None
    batches = fed_batches(case, data)
    assert len(batches) >= 4  # some batches are sketched
    assert case.train is not None
    assert data.places is not None
    places = data.places[case.train[1].argsort()[:32]]
    assert torch.equal(batches[0].sort().values, places[places >= 0].sort().values)
    assert int(torch.cat(batches).max()) < COUNT - COUNT // 3


def test_inputs_are_standardised_by_column_or_as_a_whole() -> None:
    table = torch.randn(200, 3, generator=torch.Generator().manual_seed(0)) * torch.tensor(
        [1, 9, 0]
    )
    mean, spread = scale_of(table + 5)
    assert mean.shape == (3,)
    assert float(spread[2]) == 1.0  # of a constant
    mean, spread = scale_of(torch.ones(4, 1, 2, 2).cumsum(0))
    assert mean.ndim == spread.ndim == 0
    assert math.isclose(float(mean), 2.5)
