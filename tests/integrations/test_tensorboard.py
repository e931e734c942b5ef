"""TensorBoard holds the curves and the findings of a run."""

from __future__ import annotations

from pathlib import Path

import pytest

import sevensteps as ss


@pytest.fixture(scope="module")
def run() -> ss.Run:
    """A run with findings, and without a folder."""
    return ss.train("speed", predict="mlp(20)", stop="epochs(20)", out=False)


def test_tensorboard_holds_the_curves(run: ss.Run, tmp_path: Path) -> None:
    pytest.importorskip("tensorboard", reason="make test-integrations")
    from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

    place = ss.integrations.tensorboard.log_run(run, tmp_path)
    events = EventAccumulator(str(place))
    events.Reload()
    assert [event.value for event in events.Scalars("valid/loss")] == pytest.approx(
        [row["valid"]["loss"] for row in run.history]
    )
    assert "findings/text_summary" in events.Tags()["tensors"]
