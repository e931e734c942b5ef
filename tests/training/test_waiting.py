"""Threads that wait asleep beside others: no number changes, and nothing is left behind."""

from __future__ import annotations

import itertools
import sys
import threading
from collections.abc import Iterator

import pytest
import torch

import sevensteps as ss
from sevensteps.training import waiting


@pytest.fixture(autouse=True)
def _nobody_told_openmp(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    monkeypatch.delenv("OMP_WAIT_POLICY", raising=False)
    monkeypatch.delenv("GOMP_SPINCOUNT", raising=False)
    monkeypatch.setattr(waiting, "SECONDS", 0.001)
    before = set(threading.enumerate())
    yield
    for thread in set(threading.enumerate()) - before:  # on a busy machine its end takes a while
        thread.join(timeout=60)
    assert set(threading.enumerate()) <= before, "every thread has ended"


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="only GNU's OpenMP is known")
def test_idle_threads_come_while_the_machine_is_busy_and_go_when_it_is_not() -> None:
    asked, answers = threading.Semaphore(0), itertools.cycle([True] * 3 + [False] * 3)
    seen: list[int] = []

    def busy() -> bool:
        asked.release()
        seen.append(threading.active_count())
        return next(answers)

    before = threading.active_count()
    with waiting.considerate(2, busy):
        for _ in range(12):
            assert asked.acquire(timeout=60)
    # asked with the idle ones there, and asked with none but the thread that asks
    assert max(seen) >= before + 2
    assert min(seen[4:]) <= before + 1


def test_one_thread_has_nobody_to_wait_for() -> None:
    def busy() -> bool:
        raise AssertionError("nobody need know")

    with waiting.considerate(1, busy):
        pass


def test_who_has_told_openmp_how_to_wait_is_left_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OMP_WAIT_POLICY", "ACTIVE")
    before = threading.active_count()
    with waiting.considerate(2, lambda: True):
        assert threading.active_count() == before


@pytest.mark.parametrize("busy", [False, True])
def test_a_training_gives_the_same_bits_beside_others(
    busy: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    def weights() -> torch.Tensor:
        run = ss.train("digits", predict="mlp(64)", stop="epochs(2)", threads=2, out=False, watch=0)
        return torch.cat([p.detach().flatten() for p in run.network.parameters()])

    alone = weights()
    monkeypatch.setattr(waiting.considerate.__wrapped__, "__defaults__", (lambda: busy,))
    assert torch.equal(weights(), alone)
