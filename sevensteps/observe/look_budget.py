"""When to look at a step, so that looking takes no more than its share of the time."""

from __future__ import annotations

import math
import sys

from sevensteps.arguments import number

FIRST_LOOKS = 3  # at the very first steps, whatever they cost: most faults show there
GROWTH = 1.3  # then each look is this much further from the start than the one before
EARLY_STEPS = 100  # of them few are looked at, and nearly always the same ones
# seconds that looking may take beyond its budget: a training of a moment is looked at too, and a
# busy machine, where looks take longer, hardly changes which of the early steps are
GRACE_SECONDS, EARLY_GRACE_SECONDS = 0.005, 0.05


class LookBudget:
    """Decides which steps to look at, so that looking takes at most `time_share` of the time.

    1 looks at every step, 0 at none. The first steps are looked at in any
    case, then ever fewer, then as many as the budget allows. The next look is taken to cost what
    the last ones did, with a margin, so that the budget still holds after it. Looks get half of the
    budget at least, even where steps are so short that noting their losses takes the other half.
    Raises `ArgumentError` for a share below 0 or above 1.
    """

    def __init__(self, time_share: float) -> None:
        self.time_share = number("budget", time_share, at_least=0, at_most=1)
        self.looks = 0
        self.next_step = 0
        self.looking_seconds = 0.0
        self.noting_seconds = 0.0  # of what is noted at every step, looked at or not
        self.look_seconds = 0.0  # of one look, lately

    def record_look(self, step: int, seconds: float) -> None:
        """Note that the look at `step` took `seconds`. The caller adds them to
        `looking_seconds`.
        """
        self.looks += 1
        self.look_seconds = (
            seconds if not self.look_seconds else 0.7 * self.look_seconds + 0.3 * seconds
        )
        self.next_step = step + 1
        if self.looks >= FIRST_LOOKS and self.time_share < 1 and step < EARLY_STEPS:
            self.next_step = max(self.next_step, int(step * GROWTH))

    def is_due(self, step: int, elapsed: float) -> bool:
        """Whether to look at `step`, which begins `elapsed` seconds after the start."""
        if self.time_share == 0 or step < self.next_step:
            return False
        if self.time_share == 1 or self.looks < FIRST_LOOKS:
            return True
        return elapsed >= self._due_after(step)

    def steps_until_due(self, step: int, elapsed: float) -> int:
        """How many steps from `step` on, which begins `elapsed` seconds after the start, are not
        looked at: as is known now, if steps go on to take as long as they did.
        """
        if self.time_share == 0:
            return sys.maxsize
        free = self.next_step - step
        if self.time_share < 1 and self.looks >= FIRST_LOOKS and elapsed:
            free = max(free, math.ceil((self._due_after(step) / elapsed - 1) * step))
        return max(free, 0)

    def _due_after(self, step: int) -> float:
        """The seconds after the start from which on a look at `step` is within the budget."""
        grace = EARLY_GRACE_SECONDS if step < EARLY_STEPS else GRACE_SECONDS
        cost = self.looking_seconds + 1.2 * self.look_seconds - grace
        return min(cost + self.noting_seconds, 2 * cost) / self.time_share
