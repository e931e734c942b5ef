"""The arithmetic of the speed table, on made-up times; the other libraries are not needed."""

from __future__ import annotations

from typing import Any

import pytest

from benchmarks.speed.cases import CASES, OURS, Case
from benchmarks.speed.contestants import NAMES
from benchmarks.speed.table import (
    Row,
    by_call,
    by_epoch,
    differing,
    markdown,
    piece,
    preparing,
    rows_of,
    summarize,
    targets,
    verdict,
)

CASE = Case(
    "small",
    "a small one",
    8,
    0.1,
    2,
    {"slow": 2.0, "slower": 5.0},
    widths=(3,),
    call_targets={"slow": 1.5},
)
EPOCHS = (OURS, "sevensteps_watched", "slow", "slower")
CALLS = (OURS, "slow")


def trained(*seconds: float, accuracy: float = 0.97) -> dict[str, Any]:
    return {"seconds_per_epoch": [9.0, *seconds], "accuracy": accuracy, "version": "1.0"}


def called(first: float, second: float) -> dict[str, Any]:
    return {"first": first, "second": second, "accuracy": 0.97, "version": "1.0"}


def turn(ours: float, slow: float, slower: float, **more: Any) -> dict[str, Any]:
    return {
        OURS: trained(ours),
        "sevensteps_watched": trained(ours),
        "slow": trained(slow, **more),
        "slower": trained(slower),
    }


def of_epochs(*rounds: dict[str, Any]) -> list[Row]:
    return summarize(EPOCHS, rounds, by_epoch)


def stored(rows: list[Row], rounds: int = 3) -> dict[str, Any]:
    return piece(rows, date="2026-01-01", load=None, rounds=rounds, epochs=2)


def test_a_ratio_is_taken_within_its_round_and_the_first_epoch_left_out() -> None:
    rows = of_epochs(turn(1, 3, 4), turn(2, 4, 8), turn(10, 25, 40))
    slow, slower = rows[2:]
    assert slow.ratio == 2.5
    timing = slow.timings["epoch"]
    assert (timing.seconds, timing.low, timing.high) == (4, 3, 25)
    assert not slow.missed(2.0)
    assert slower.ratio == 4
    assert slower.missed(5.0)
    answers = targets(CASE, {"epoch": stored(rows)})
    assert "small, epoch against slower (4.00 of 5.0)" in verdict(answers)
    assert "1 of 2 targets met" in verdict(answers)


def test_a_whole_call_counts_by_the_one_of_two_that_is_less_kind_to_ours() -> None:
    turns = [{OURS: called(2, 1), "slow": called(4, 1.4)}]
    rows = summarize(CALLS, turns, by_call)
    assert rows[1].timings["first"].ratio == 2
    assert rows[1].ratio == pytest.approx(1.4)
    answers = targets(CASE, {"call": stored(rows, 1)})
    assert answers == {"small, whole call against slow (1.40 of 1.5)": False}
    assert "| 4.000 · 1.400 | 2.00 · 1.40 | 1.5 **missed** |" in markdown(
        CASE, {"call": stored(rows)}
    )


def test_a_contestant_that_fails_is_said_and_has_missed_nothing_silently() -> None:
    broken = {**turn(1, 3, 4), "slow": {"failure": "no such thing"}}
    rows = of_epochs(turn(1, 3, 4), broken)
    assert rows[2].ratio is None
    assert rows[2].missed(2.0)
    assert "failed: no such thing" in markdown(CASE, {"epoch": stored(rows)})


def test_where_ours_fails_no_target_is_met() -> None:
    rows = of_epochs({**turn(1, 3, 4), OURS: {"failure": "broken"}})
    assert not any(targets(CASE, {"epoch": stored(rows)}).values())


def test_one_that_takes_part_in_the_first_round_only_has_its_ratio_from_there() -> None:
    second = {name: measured for name, measured in turn(2, 3, 4).items() if name != "slower"}
    *_, slow, slower = of_epochs(turn(1, 3, 6), second)
    assert slower.ratio == 6
    assert slow.ratio == pytest.approx(2.25)
    case = CASES["mlp30_b256"]
    assert "keras" in case.contestants_of("epoch", 0)
    assert "keras" not in case.contestants_of("epoch", 1)


def test_one_that_cannot_take_part_says_why() -> None:
    rows = of_epochs({**turn(1, 3, 4), "sevensteps_watched": {"skipped": "it is not installed"}})
    assert "not taken part: it is not installed" in markdown(CASE, {"epoch": stored(rows)})


def test_accuracies_far_apart_are_not_the_same_work_unless_rounds_differ_as_much() -> None:
    assert differing(of_epochs(turn(1, 3, 4))) is None
    assert differing(of_epochs(turn(1, 3, 4, accuracy=0.93))) == pytest.approx(0.04)
    wide = of_epochs(turn(1, 3, 4, accuracy=0.90), turn(1, 3, 4, accuracy=0.95))
    assert differing(wide) is None


def test_epochs_and_whole_calls_stand_in_one_table() -> None:
    calls = summarize(CALLS, [{OURS: called(2, 1), "slow": called(4, 2)}], by_call)
    text = markdown(CASE, {"epoch": stored(of_epochs(turn(1, 3, 4))), "call": stored(calls)})
    widths = {line.count("|") for line in text.splitlines() if line.startswith("|")}
    assert len(widths) == 1
    assert "seconds an epoch" in text
    assert "whole call" in text


def test_what_is_done_before_the_clock_of_a_whole_call_is_said() -> None:
    turns = [{OURS: {**called(2, 1), "prepared": 0.25}, "slow": {**called(4, 2), "prepared": 1e-4}}]
    assert preparing(CALLS, turns).endswith(f": {OURS} 0.25 s.")
    assert preparing(("slow",), turns) == ""


def test_rows_are_the_same_after_they_were_stored() -> None:
    rows = of_epochs(turn(1, 3, 4), {**turn(1, 3, 4), "slow": {"failure": "why"}})
    assert rows_of(stored(rows)) == rows
    assert rows_of(None) == []


@pytest.mark.parametrize("name", CASES)
def test_every_case_names_contestants_that_there_are(name: str) -> None:
    case = CASES[name]
    for names in (case.contestants, case.callers):
        assert set(names) <= set(NAMES)
        assert len(set(names)) == len(names)
    assert case.epochs >= 1
    assert bool(case.widths) != bool(case.channels)
