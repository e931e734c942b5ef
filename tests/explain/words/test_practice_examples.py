"""Examples of the words of loops and of what is said about a training are the run's own."""

from __future__ import annotations

from pathlib import Path

import pytest

import sevensteps as ss
from tests.explain.words.conftest import numbers, trained


def test_what_a_run_has(run: ss.Run) -> None:
    data = ss.data.load("digits")
    assert numbers(run, "leakage") == {
        "duplicates": data.duplicates,
        "samples": len(data.valid),
    }
    assert numbers(run, "device") == {"device": "cpu", "threads": 1}
    step = run.explain.steps(0).layers[0]
    assert numbers(run, "length")["gradient"] == pytest.approx(step.gradient)
    (nan, bits, checkpoint) = run.explain.words("nan", "bfloat16", "checkpoint").entries
    assert nan.lacking.endswith("losses of its epochs are numbers")
    assert bits.lacking == "all its numbers are float32"
    assert checkpoint.lacking == "it was not saved"


def test_a_saved_run_has_two_checkpoints(tmp_path: Path) -> None:
    run = trained("iris", out=tmp_path / "run")
    assert numbers(run, "checkpoint") == {"last": 2, "best": run.best.epoch}


def test_findings_and_looks_are_counted() -> None:
    run = trained("digits", predict="mlp(4)", initialize="zeros()")
    assert "symmetric_units" in numbers(run, "finding")["conditions"]
    assert numbers(run, "remedy") == numbers(run, "condition")
    looks = numbers(run, "look")
    assert 0 < looks["looks"] <= looks["steps"]
