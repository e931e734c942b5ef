"""What trackers are given of a run."""

from __future__ import annotations

import pytest

import sevensteps as ss
from sevensteps.integrations.logged_run import alerts, curves, name_of, parameters


@pytest.fixture(scope="module")
def run() -> ss.Run:
    """A run with findings, and without a folder."""
    return ss.train("speed", predict="mlp(20)", stop="epochs(20)", out=False)


def test_what_is_given(run: ss.Run) -> None:
    steps, numbers = zip(*curves(run), strict=True)
    assert list(steps) == [row["step"] for row in run.history]
    assert numbers[0]["valid/loss"] == run.history[0]["valid"]["loss"]
    assert "train/loss" in numbers[0]
    assert parameters(run)["predict"] == "mlp(20)"
    assert [alert.text for alert in alerts(run)] == [f.explanation for f in run.findings]
    assert alerts(run)
    assert name_of(run) == "speed mlp(20)"
