"""The arithmetic of the speed table, on made-up times; the other libraries are not needed."""

from __future__ import annotations

from typing import Any

import pytest

from benchmarks.speed import contestants
from benchmarks.speed.__main__ import CASES, table

NAME = "784-256-10, batch 256"


def runs(*seconds: list[float], accuracy: float = 0.97) -> list[dict[str, Any]]:
    return [{"seconds": each, "accuracy": accuracy} for each in seconds]


def cells(line: str) -> list[str]:
    return [cell.strip() for cell in line.strip("|").split("|")]


def test_medians_ratios_and_what_is_missed() -> None:
    lines = table(NAME, {"sevensteps": runs([0.1, 0.3], [0.2]), "pytorch_loop": runs([0.5, 0.3], [0.4]),
                         "jax_scan": runs([0.2], accuracy=0.9)})
    ours, loop, jax = (cells(line) for line in lines if line.startswith("|") and "seconds" not in line and "---" not in line)
    assert ours == ["**sevensteps**", "0.2000", "1", "", "0.970"]
    assert loop[1:] == ["0.4000", "2.00", "2.0", "0.970"]
    assert jax[1:] == ["0.2000", "1.00", "1.1, missed", "0.900, not the same"]


@pytest.mark.parametrize("name", CASES)
def test_every_case_names_contestants_that_there_are(name: str) -> None:
    case = CASES[name]
    for contestant in (case.get("ours", "sevensteps"), *case["others"]):
        assert callable(getattr(contestants, contestant))
    assert case["epochs"] >= 2, "the first is not counted"
    assert case["samples"] > case["batch"]
