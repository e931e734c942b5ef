"""The threads of a step: one that fails does not leave the others waiting."""

from __future__ import annotations

import threading

import numpy as np
import pytest

from sevensteps.engine.compiled.program import GIVEN_UP
from sevensteps.engine.compiled.team import Team


def test_every_thread_works_and_the_first_answers() -> None:
    met = threading.Barrier(3, timeout=60)
    team, state = Team(), np.zeros(48, np.int64)
    for _ in range(2):  # the same threads again
        assert team.run(lambda thread: met.wait() * 0 + thread + 7, 3, state) == 7
    assert state[GIVEN_UP] == 0


@pytest.mark.parametrize("failing", [0, 1])
def test_a_thread_that_fails_lets_the_others_go(failing: int) -> None:
    state = np.zeros(48, np.int64)

    def work(thread: int) -> int:
        if thread == failing:
            raise ZeroDivisionError
        while state[GIVEN_UP] == 0:
            pass
        return 0

    with pytest.raises(ZeroDivisionError):
        Team().run(work, 2, state)


def test_machine_code_waits_for_all_and_gives_up_with_them() -> None:
    pytest.importorskip("numba")
    from sevensteps.engine.compiled import barrier
    from sevensteps.engine.compiled.machine_code import entry

    @entry
    def wait(state: np.ndarray, threads: int) -> bool:  # type: ignore[type-arg]
        return barrier.wait_for_all(state, threads)

    state = np.zeros(48, np.int64)
    assert Team().run(lambda thread: int(wait(state, 2)), 2, state) == 1
    state[GIVEN_UP] = 1
    assert wait(state, 2) is False
