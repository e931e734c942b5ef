"""The diagnosis of a run is stored with it, and read back from its folder."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

import sevensteps as ss


@pytest.mark.parametrize(
    ("given", "condition"),
    [
        ({"predict": "mlp(30)", "initialize": "zeros()"}, "symmetric_units"),
        ({"predict": "mlp(30)", "step": "sgd(lr=10.0)"}, "learning_rate_too_high"),
        ({"predict": "mlp(30)", "step": "adam(lr=0.01)", "stop": "epochs(10)"}, None),
    ],
)
@pytest.mark.sampled(1)
def test_the_findings_are_kept_with_the_run(
    given: dict[str, Any], condition: str | None, tmp_path: Path
) -> None:
    run = ss.train("digits", **{"stop": "epochs(3)", **given}, out=tmp_path / "kept")
    assert [f.condition for f in run.findings if f.severity != "info"][:1] == (
        [condition] if condition else []
    )
    loaded = ss.load(tmp_path / "kept")
    assert loaded.findings == run.findings
    assert [finding.to_dict() for finding in run.findings] == json.loads(
        (tmp_path / "kept" / "run.json").read_text()
    )["findings"]
    again = ss.diagnose(tmp_path / "kept")
    assert [(f.condition, f.severity) for f in again.findings] == [
        (f.condition, f.severity) for f in run.findings
    ]


def test_findings_that_were_tampered_with_are_said_in_one_line(tmp_path: Path) -> None:
    ss.train("xor", stop="epochs(1)", out=tmp_path / "kept")
    summary = tmp_path / "kept" / "run.json"
    content = {**json.loads(summary.read_text()), "findings": [{"condition": "dead_units"}]}
    summary.write_text(json.dumps(content))
    with pytest.raises(ss.Error, match=r"findings of .*kept are damaged"):
        _ = ss.load(tmp_path / "kept").findings


def test_unwatched_there_is_nothing_to_diagnose(tmp_path: Path) -> None:
    run = ss.train("xor", stop="epochs(1)", out=tmp_path / "kept", watch=0)
    assert run.findings == []
    with pytest.raises(ss.Error, match="was not watched"):
        ss.diagnose(tmp_path / "kept")
