"""The arithmetic of the speed table, on made-up times; the other libraries are not needed."""

from __future__ import annotations

import math
from typing import Any

import pytest

from benchmarks.speed.cases import CASES, OURS, Case
from benchmarks.speed.contestants import NAMES
from benchmarks.speed.table import differing, markdown, summarize, verdict

CASE = Case("small", "a small one", 8, 0.1, 2, {"slow": 2.0, "slower": 5.0}, widths=(3,))


def trained(*seconds: float, accuracy: float = 0.97) -> dict[str, Any]:
    return {"seconds_per_epoch": [9.0, *seconds], "accuracy": accuracy, "version": "1.0"}


def turn(ours: float, slow: float, slower: float, **more: Any) -> dict[str, Any]:
    return {
        OURS: trained(ours),
        "sevensteps_watched": trained(ours),
        "slow": trained(slow, **more),
        "slower": trained(slower),
    }


def test_a_ratio_is_taken_within_its_round_and_the_first_epoch_left_out() -> None:
    rows = {
        row.contestant: row
        for row in summarize(CASE, [turn(1, 3, 4), turn(2, 4, 8), turn(10, 25, 40)])
    }
    assert rows["slow"].ratio == 2.5
    assert (rows["slow"].seconds, rows["slow"].low, rows["slow"].high) == (4, 3, 25)
    assert not rows["slow"].missed
    assert rows["slower"].ratio == 4
    assert rows["slower"].missed
    assert "slower (4.00 of 5.0)" in verdict({"small": list(rows.values())})
    assert "1 of 2 targets met" in verdict({"small": list(rows.values())})


def test_a_contestant_that_fails_is_said_and_has_missed_nothing_silently() -> None:
    broken = {**turn(1, 3, 4), "slow": {"failure": "no such thing"}}
    rows = summarize(CASE, [turn(1, 3, 4), broken])
    slow = next(row for row in rows if row.contestant == "slow")
    assert math.isnan(slow.ratio)
    assert slow.missed
    assert "failed: no such thing" in markdown(CASE, 1, rows, [turn(1, 3, 4), broken])


def test_accuracies_far_apart_are_not_the_same_work_unless_rounds_differ_as_much() -> None:
    assert differing(summarize(CASE, [turn(1, 3, 4)])) is None
    assert differing(summarize(CASE, [turn(1, 3, 4, accuracy=0.93)])) == pytest.approx(0.04)
    wide = [turn(1, 3, 4, accuracy=0.90), turn(1, 3, 4, accuracy=0.95)]
    assert differing(summarize(CASE, wide)) is None


@pytest.mark.parametrize("name", CASES)
def test_every_case_names_contestants_that_there_are(name: str) -> None:
    case = CASES[name]
    assert set(case.contestants) <= set(NAMES)
    assert len(set(case.contestants)) == len(case.contestants)
    assert case.epochs >= 1
    assert bool(case.widths) != bool(case.channels)
