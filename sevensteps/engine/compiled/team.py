"""The threads that share a step: made once, woken once for each stretch of steps."""

from __future__ import annotations

import os
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor

from sevensteps.engine.compiled.program import GIVEN_UP, Array


class Team:
    """Runs one function in several threads at once, which wait for each other inside it."""

    def __init__(self) -> None:
        self._helpers: ThreadPoolExecutor | None = None
        self._made_for = (0, 0)  # process and threads: a forked process has none

    def run(self, work: Callable[[int], int], threads: int, state: Array) -> int:
        """`work(thread)` for each thread, the first here; what that one returns. Where one fails,
        `state` tells the others not to wait for it.
        """
        helped: list[Future[int]] = []

        def guarded(thread: int) -> int:
            try:
                return work(thread)
            except BaseException:
                state[GIVEN_UP] = 1
                raise

        try:
            if threads > 1:
                helpers = self._of(threads - 1)
                helped = [helpers.submit(guarded, thread) for thread in range(1, threads)]
            answer = guarded(0)
        except BaseException:
            state[GIVEN_UP] = 1
            raise
        finally:
            for future in helped:
                future.exception()
        for future in helped:
            future.result()
        return answer

    def _of(self, helpers: int) -> ThreadPoolExecutor:
        if self._helpers is None or self._made_for != (os.getpid(), helpers):
            if self._helpers is not None and self._made_for[0] == os.getpid():
                self._helpers.shutdown(wait=False)
            self._helpers = ThreadPoolExecutor(helpers, thread_name_prefix="sevensteps")
            self._made_for = os.getpid(), helpers
        return self._helpers
