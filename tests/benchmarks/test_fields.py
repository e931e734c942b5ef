"""The report on healthy trainings from many fields, and the families that it is about."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from benchmarks.doctor import fields
from benchmarks.doctor.cases.field import CASES, FAMILIES, KEPT_BACK, OPEN


def outcome(score: float, *said: str, severity: str = "warning") -> dict[str, Any]:
    return {
        "seed": 0,
        "score": score,
        "findings": [{"condition": name, "severity": severity} for name in said],
    }


def test_there_are_thirty_families_and_some_of_them_are_kept_back() -> None:
    assert len(FAMILIES) >= 30
    assert set(FAMILIES) == {*OPEN, *KEPT_BACK}
    assert len(KEPT_BACK) >= 10
    for family, cases in FAMILIES.items():
        assert all(case.kind == "healthy" for case in cases)
        assert all(case.kept_back == (family in KEPT_BACK) for case in cases)
    assert len({case.name for case in CASES}) == len(CASES)


def test_runs_that_learned_are_counted_in_their_half() -> None:
    ours, theirs = FAMILIES["graphs"][0].name, FAMILIES[KEPT_BACK[0]][0].name
    lines = fields.report(
        {
            (ours, 0): outcome(0.9, "stopped_early"),
            (ours, 1): outcome(0.9, "overfitting", severity="info"),
            (ours, 2): outcome(0.1, "dead_units"),  # did not learn
            (theirs, 0): outcome(0.5, "loss_sign"),
            (theirs, 1): outcome(0.5),
            (theirs, 2): {"failure": "ValueError"},
        },
        3,
    )
    assert "| built on | 1 | 1 | 2 | 1 (50.0 %) |" in lines
    assert "| kept back | 1 | 1 | 2 | 1 (50.0 %) |" in lines
    assert "3 seeds each. A run counts where it learned; 1 did not." in lines
    assert f"| {ours} | 0 | 0.900 | stopped_early |" in lines
    assert f"| {theirs} | ValueError |" in lines
    assert "| graphs | 1 | 2 | 1 |" in lines
    # what the families that were kept back are told is not to be seen
    assert not any("loss_sign" in line or "dead_units" in line for line in lines)


def test_outcomes_are_read_again(tmp_path: Path) -> None:
    file = tmp_path / "outcomes"
    assert fields.read(None) == fields.read(file) == {}
    file.write_text('{"name": "a", "seed": 1, "score": 0}\n{"name": "a", "seed": 2, "score": 1}\n')
    assert {key: row["score"] for key, row in fields.read(file).items()} == {
        ("a", 1): 0,
        ("a", 2): 1,
    }


@pytest.mark.parametrize("module", ["fields", "field_faults", "step_faults", "__main__"])
def test_some_of_the_figures_never_replace_all(
    module: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    import importlib

    monkeypatch.setattr("sys.argv", ["measure", "--only", "graphs", "--write"])
    with pytest.raises(SystemExit):
        importlib.import_module(f"benchmarks.doctor.{module}").main()
    assert "would replace" in capsys.readouterr().err
