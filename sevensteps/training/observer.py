"""An observer of a training: a subclass writes the hooks of what it watches, and no others."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:  # the command line's help has observers, and must not wait for torch
    from sevensteps.training.state import Training


class Observer:
    """Watches a training and changes nothing in it. Each hook does nothing unless overridden."""

    def started(self, training: Training) -> None:
        """The parameters are initialised; no step has been taken."""

    def stepped(self, training: Training) -> None:
        """A step has been taken."""

    def evaluated(self, training: Training, row: dict[str, Any]) -> None:
        """The network has been evaluated after an epoch, or after the part of one in which the
        training ends: `row` is the new last row of the history.
        """

    def stopped(self, training: Training, rule: str, reason: str) -> None:
        """The training is over: the stop rule that ended it, and why."""
