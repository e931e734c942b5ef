"""The extremes of many losses: no spike is lost, however the losses come in."""

from __future__ import annotations

import math

import pytest
import torch

from sevensteps.observe.loss_extremes import MAX_BUCKETS, LossExtremes
from sevensteps.observe.network_facts import NetworkFacts
from sevensteps.observe.observation import MAX_LOSSES, Observation

STEPS, SPIKE = 100_000, 77_777


def losses() -> torch.Tensor:
    values = torch.linspace(2.0, 0.5, STEPS, dtype=torch.float64)
    values[SPIKE] = 40.0
    values[12_345] = -3.0
    return values


def observation() -> Observation:
    return Observation(NetworkFacts("Net", {}, {}, ()))


def one_by_one() -> Observation:
    seen = observation()
    for step, loss in enumerate(losses().tolist()):
        seen.record_loss(step, loss)
    return seen


def in_stretches() -> Observation:
    seen, values, first = observation(), losses(), 0
    for length in (3, 5000, 1, 70_000, 24_996):
        seen.record_losses(first, values[first : first + length])
        first += length
    return seen


@pytest.mark.parametrize("record", [one_by_one, in_stretches])
def test_no_spike_is_lost(record: object) -> None:
    seen = record()  # type: ignore[operator]
    assert len(seen.losses) <= MAX_LOSSES
    assert max(loss for _, loss in seen.losses) < 40  # it fell between those that were kept
    rows = seen.extremes.rows()
    assert len(rows) <= MAX_BUCKETS
    [spike] = [row for row in rows if row[2] == 40.0]
    assert spike[0] <= SPIKE < spike[0] + seen.extremes.width
    assert min(low for _, low, _ in rows) == -3.0


def test_both_ways_give_the_same() -> None:
    assert one_by_one().extremes == in_stretches().extremes


def test_few_losses_need_no_extremes() -> None:
    seen = observation()
    for step in range(MAX_LOSSES):
        seen.record_loss(step, 1.0)
    assert not seen.extremes
    assert "extremes" not in seen.to_dict()


def test_what_is_not_finite_is_among_the_losses() -> None:
    seen = one_by_one()
    assert not seen.record_loss(STEPS + 1, math.nan)
    assert math.isnan(seen.losses[-1][1])
    assert all(math.isfinite(low + high) for _, low, high in seen.extremes.rows())


def test_they_survive_the_file() -> None:
    seen = one_by_one()
    again = Observation.from_dict(seen.to_dict())
    assert again.extremes == seen.extremes
    again.record_loss(STEPS, 99.0)
    assert max(high for _, _, high in again.extremes.rows()) == 99.0


def test_a_training_that_goes_on_from_an_earlier_step() -> None:
    seen = one_by_one().extremes
    assert all(step < SPIKE for step, _, _ in seen.before(SPIKE).rows())
    assert seen.before(0).rows() == []


def test_a_damaged_record_is_refused() -> None:
    with pytest.raises(ValueError, match="buckets of 0 steps"):
        LossExtremes.from_dict({"width": 0, "buckets": []})
