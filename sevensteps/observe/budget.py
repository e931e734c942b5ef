"""When to look: the first steps, then ever more seldom, then as often as the budget of time
allows.
"""

from __future__ import annotations

from sevensteps.arguments import number

FIRST = 3  # looks at the very first steps, whatever they cost: most faults show there
GROWTH = 1.3  # then each look is this much further from the start than the last one
# seconds that looking may take beyond its budget: a training of a moment is looked at too
GRACE = 0.005


class Schedule:
    """Which steps to look at so that looking takes at most `budget` of the time; budget 1 looks at every step.

    The cost of the next look is taken to be that of the last ones, with a margin, so that the
    budget holds when it has been taken. Looks get half of the budget at least, even where steps are
    so short that noting them takes the other half."""

    def __init__(self, budget: float) -> None:
        self.budget = number("budget", budget, at_least=0, at_most=1)
        self.looks = self.next = 0
        self.spent = 0.0  # seconds of looking
        self.always = 0.0  # seconds of what is done at every step
        self.each = 0.0  # seconds of one look, lately

    def looked(self, step: int, cost: float) -> None:
        """Note that a look at `step` took `cost` seconds."""
        self.looks += 1
        self.each = cost if not self.each else 0.7 * self.each + 0.3 * cost
        self.next = (
            step + 1
            if self.looks < FIRST or self.budget == 1
            else max(step + 1, int(step * GROWTH) if step < 100 else step + 1)
        )

    def due(self, step: int, elapsed: float) -> bool:
        """Whether `step` is to be looked at, `elapsed` seconds after the start."""
        if self.budget == 0 or step < self.next:
            return False
        if self.budget == 1 or self.looks < FIRST:
            return True
        room = self.budget * elapsed
        return self.spent + 1.2 * self.each <= max(room - self.always, room / 2) + GRACE
