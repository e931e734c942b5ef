"""Notes the steps in which nothing is hooked, in a microsecond or two each."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from torch import Tensor

from sevensteps.observe.account_recorder import AccountRecorder
from sevensteps.observe.replay_recorder import ReplayRecorder
from sevensteps.observe.step_log import StepLog


class PassedSteps:
    """Steps in a row that nobody looks at: what `note` was told of them, until `write` hands it on.

    `pause` is called after `pause_after` of them, and after a loss that is not finite. `note` runs
    in every step of every training, when all that it touches has left the processor's caches: it
    touches as little as can be.
    """

    __slots__ = (
        "_account",
        "_calls",
        "_ended",
        "_log",
        "_marks",
        "_optimizer",
        "_pause",
        "_probes",
        "_rate",
        "_rates",
        "_versions",
        "first",
        "losses",
        "pause_after",
    )

    def __init__(self, log: StepLog, pause: Callable[[], None]) -> None:
        self._log, self._pause = log, pause
        self.first, self.losses, self.pause_after = 0, list[float](), 1
        self._rates: list[tuple[int, float]] = []  # (place among the losses, learning rate)
        self._versions: list[int] = []  # of all probes, step by step

    def begin(self, step: int, account: AccountRecorder, replay: ReplayRecorder) -> None:
        """The steps from `step` on are noted here, for these recorders."""
        self.first, self.pause_after = step, 1
        self._account, self._calls, self._ended = account, replay.calls, replay.ended
        self._probes, self._marks = account.marks.probes, account.marks.unread_marks
        self._optimizer, self._rate = self._log.optimizer, self._log.rate
        if not self._ended:
            self._ended.append((step - 1, [], None))

    def note(self, loss: Any, target: Any) -> bool:
        """A step has ended. False, and nothing noted, for a loss that is no number in memory."""
        if type(loss) is float:
            number = loss
        elif type(loss) is not Tensor or not loss.is_cpu:
            return False
        else:
            try:
                number = loss.item()
            except RuntimeError:  # it is of several numbers
                return False
        losses, versions = self.losses, self._versions
        losses.append(number)
        passed = len(losses)
        for probe in self._probes:
            versions.append(probe._version)
        for mark in self._marks:
            mark.note(mark.read())
        if self._optimizer is not None:
            rate = self._optimizer.param_groups[0].get("lr", 0.0)
            if rate != self._rate:
                self._rate = float(rate)
                self._rates.append((passed - 1, self._rate))
        ended, calls = self._ended, self._calls
        if number - number == 0.0:  # the steps before were well
            ended[-1] = self.first + passed - 1, calls[:], target
        else:
            ended[:] = ended[-1], (self.first + passed - 1, calls[:], target)
            self.pause_after = passed
        calls.clear()
        if passed >= self.pause_after:
            self._pause()
        return True

    def write(self) -> int:
        """Hand on what was noted. Returns of how many steps."""
        passed, observation = len(self.losses), self._log.observation
        for step, number in enumerate(self.losses, self.first):
            observation.record_loss(step, number)
        for place, rate in self._rates:
            observation.record_rate(self.first + place, rate)
        if passed:
            self._log.rate = self._rate
            self._account.marks.note_versions(self._versions, passed)
        self.first += passed
        self.pause_after -= passed  # at the same step as before
        self.losses.clear()
        self._rates.clear()
        self._versions.clear()
        return passed
