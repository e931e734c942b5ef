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


def test_a_training_is_in_tensorboard_before_it_ends(tmp_path: Path) -> None:
    pytest.importorskip("tensorboard", reason="make test-integrations")
    from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

    live = ss.integrations.tensorboard.Live(tmp_path, name="speed: 1")
    seen: list[int] = []

    class Reader(ss.Observer):
        def evaluated(self, training: object, row: object) -> None:
            events = EventAccumulator(str(live.place))
            events.Reload()
            seen.append(len(events.Scalars("valid/loss")))

    ss.train("speed", stop="epochs(3)", out=False, observers=[live, Reader()])
    assert seen == [1, 2, 3]
    assert live.place == tmp_path / "speed- 1"
