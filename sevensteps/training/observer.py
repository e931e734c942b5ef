"""An observer of a training: a subclass writes the hooks of what it watches, and no others."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:  # the command line's help has observers, and must not wait for torch
    from jaxtyping import Float64
    from torch import Tensor

    from sevensteps.training.state import Training


class Observer:
    """Watches a training and changes nothing in it. Each hook does nothing unless overridden.

    Who has a `stepped` sees every step. `compiled()` takes a stretch of many steps in one call: an
    observer that need not see each of them says so in `free_steps`.
    """

    def started(self, training: Training) -> None:
        """The parameters are initialised; no step has been taken."""

    def compiling(self, training: Training) -> None:
        """The steps are being compiled, once on this machine, which takes seconds; `started` was
        called before.
        """

    def stepped(self, training: Training) -> None:
        """A step has been taken."""

    def free_steps(self, training: Training) -> int:
        """How many steps from here on may be taken in one call, so that the last one is seen as
        soon as it has to be: 1 where the next step has to be seen by itself.
        """
        return sys.maxsize if type(self).stepped is Observer.stepped else 1

    def stretched(
        self, training: Training, losses: Float64[Tensor, "K"], rates: Float64[Tensor, "K"]
    ) -> None:
        """K > 1 steps have been taken in one call, instead of `stepped`: the mean loss of each
        batch before its step, and the learning rate of each step. `stepped` does, unless
        overridden.
        """
        self.stepped(training)

    def evaluated(self, training: Training, row: dict[str, Any]) -> None:
        """The network has been evaluated after an epoch, or after the part of one in which the
        training ends: `row` is the new last row of the history.
        """

    def examined(self, training: Training, findings: list[Any]) -> None:
        """The doctor has examined the training, before the first step (and before `started` is
        called) or at its end: each `Finding`, most likely cause first.
        """

    def stopped(self, training: Training, rule: str, reason: str) -> None:
        """The training is over: the stop rule that ended it, and why."""

    def finished(self, run: Any) -> None:
        """`ss.train` is about to return `run`, the `Run` with its findings; `stopped` was called
        before.
        """

    def broken_off(self, training: Training) -> None:
        """An exception ends the training, in a step or before the first: it is raised on."""
