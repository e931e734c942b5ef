"""Ctrl-C: the step under way is finished, a second one ends the training at once."""

from __future__ import annotations

import os
import signal
import threading
from collections.abc import Iterator
from types import SimpleNamespace

import pytest
import torch

from sevensteps.steps.repeat import Batch, Repeat, Samples
from sevensteps.training.interrupts import interruptible, without_step
from sevensteps.training.state import Training
from tests.training.trainings import (
    Watcher,
    same_bits,
    trained,
    without_times,
)


class Knocking(Repeat):
    """Batches in order; before the one numbered `at` it sends this process the signal of Ctrl-C,
    `times` over.
    """

    def __init__(self, at: int, times: int = 1) -> None:
        self.at, self.times, self.taken = at, times, 0

    def count(self, samples: int) -> int:
        return 3

    def epoch(self, samples: Samples, order: torch.Generator, skip: int = 0) -> Iterator[Batch]:
        for index in range(skip, 3):
            self.taken += 1
            if self.taken == self.at:
                for _ in range(self.times):
                    os.kill(os.getpid(), signal.SIGINT)
            yield samples.x[16 * index : 16 * index + 16], samples.y[16 * index : 16 * index + 16]


@pytest.fixture
def main_thread() -> None:
    if threading.current_thread() is not threading.main_thread():
        pytest.skip("signals reach the main thread only")


@pytest.mark.usefixtures("main_thread")
def test_an_interrupt_lets_the_step_finish() -> None:
    handler = signal.getsignal(signal.SIGINT)
    training, ended = trained(repeat=Knocking(at=5), stop="epochs(50)")
    assert ended == ("interrupt", "interrupted after step 5")
    assert training.progress.step == 5
    five, _ = trained(repeat="batches(16, shuffle=False)", stop="max_steps(5)")
    assert same_bits(training.network, five.network)
    assert without_times(training.progress.history) == without_times(five.progress.history)
    assert signal.getsignal(signal.SIGINT) is handler


@pytest.mark.usefixtures("main_thread")
def test_an_observer_may_be_where_the_interrupt_falls() -> None:
    def knock(training: Training) -> None:
        if training.progress.step == 2:
            os.kill(os.getpid(), signal.SIGINT)

    training, ended = trained(observers=(Watcher(knock),), stop="epochs(50)")
    assert ended == ("interrupt", "interrupted after step 2")
    assert training.progress.step == 2


@pytest.mark.usefixtures("main_thread")
def test_a_second_interrupt_ends_it_at_once() -> None:
    handler = signal.getsignal(signal.SIGINT)
    with pytest.raises(KeyboardInterrupt):
        trained(repeat=Knocking(at=2, times=2), stop="epochs(50)")
    assert signal.getsignal(signal.SIGINT) is handler


@pytest.mark.usefixtures("main_thread")
def test_what_changes_nothing_is_not_waited_for() -> None:
    flag, done = SimpleNamespace(interrupted=False), []
    with interruptible(flag), without_step():
        done.append("began")
        signal.raise_signal(signal.SIGINT)
        done.append("ended")
    assert (flag.interrupted, done) == (True, ["began"])
    flag.interrupted = False
    with interruptible(flag):
        with without_step():
            assert signal.getsignal(signal.SIGTERM) is signal.SIG_DFL
        signal.raise_signal(signal.SIGTERM)
        done.append("a step")
    assert (flag.interrupted, done) == (True, ["began", "a step"])


def test_it_also_trains_beside_the_main_thread() -> None:
    found: list[tuple[str, str]] = []
    thread = threading.Thread(target=lambda: found.append(trained()[1]))
    thread.start()
    thread.join()
    assert found == [("epochs", "all 3 epochs are done")]
