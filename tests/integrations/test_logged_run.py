"""What trackers are given of a run, as it trains and afterwards."""

from __future__ import annotations

import logging
import re

import pytest

import sevensteps as ss
from sevensteps.integrations.logged_run import LiveTracker, alerts, name_of, numbers, parameters


class Notes(LiveTracker):
    """A tracker that notes what it is given, and fails where it is to."""

    def __init__(self, name: str | None = None, fails_at: int | None = None) -> None:
        super().__init__(name)
        self.notes: list[object] = []
        self.fails_at = fails_at

    def open(self, name: str, parameters: dict[str, str | int]) -> None:
        self.notes.append((name, parameters["predict"]))

    def log(self, numbers: dict[str, float], step: int) -> None:
        if self.fails_at is not None and step >= self.fails_at:
            raise OSError("the server is gone")
        self.notes.append((step, numbers))

    def complete(self, run: ss.Run) -> None:
        self.notes.append([alert.title for alert in alerts(run)])

    def close(self, finished: bool) -> None:
        self.notes.append(finished)


class Interrupt(ss.Observer):
    """Breaks a training off after its first epoch."""

    def evaluated(self, training: object, row: object) -> None:
        raise RuntimeError("enough")


@pytest.fixture(scope="module")
def run() -> ss.Run:
    """A run with findings, and without a folder."""
    return ss.train("speed", predict="mlp(20)", stop="epochs(20)", out=False)


def test_what_is_given(run: ss.Run) -> None:
    first = numbers(run.history[0])
    assert first["valid/loss"] == run.history[0]["valid"]["loss"]
    assert "train/loss" in first
    assert "step" not in first
    assert parameters(run.recipe)["predict"] == "mlp(20)"
    assert [alert.text for alert in alerts(run)] == [f.explanation for f in run.findings]
    assert alerts(run)
    assert name_of(run) == "speed mlp(20)"


def test_a_training_is_sent_as_it_runs_and_with_its_findings_at_the_end() -> None:
    tracker = Notes()
    run = ss.train("speed", predict="mlp(20)", stop="epochs(3)", out=False, observers=[tracker])
    (name, network), *rows, findings, finished = tracker.notes
    assert re.fullmatch(r"\d{8}-\d{6} speed mlp\(20\)", name)
    assert network == "mlp(20)"
    assert rows == [(row["step"], numbers(row)) for row in run.history]
    assert findings == [alert.title for alert in alerts(run)] != []
    assert finished is True
    again = Notes("again")
    again.send(run)
    assert again.notes == [("again", network), *rows, findings, True]


def test_a_training_that_is_broken_off_is_closed() -> None:
    tracker = Notes()
    with pytest.raises(RuntimeError, match="enough"):
        ss.train("xor", stop="epochs(3)", out=False, observers=[tracker, Interrupt()])
    assert len(tracker.notes) == 3
    assert tracker.notes[-1] is False


def test_a_tracker_that_fails_is_logged_once_and_the_training_goes_on(
    caplog: pytest.LogCaptureFixture,
) -> None:
    tracker = Notes(fails_at=0)
    with caplog.at_level(logging.WARNING, "sevensteps"):
        run = ss.train("xor", stop="epochs(3)", out=False, observers=[tracker])
    assert len(run.history) == 3
    assert [record.getMessage() for record in caplog.records] == [
        "the tracker failed, and gets no more of this training: the server is gone"
    ]
