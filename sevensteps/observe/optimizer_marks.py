"""Which optimizers have stepped, told by their marks at the end of every step, looked at or not."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

import torch
from torch import Tensor

from sevensteps.observe.gradient_history import GradientHistory
from sevensteps.observe.step_mark import StepMark

MIN_STEP_LOOKS = 2  # looks in which an optimizer steps, so that something can be said of its steps


class OptimizerMarks:
    """A `StepMark` for each of the `optimizers`, noted step by step."""

    def __init__(self, optimizers: Sequence[torch.optim.Optimizer]) -> None:
        self._marks = {id(optimizer): StepMark(optimizer) for optimizer in optimizers}
        self._steps_since_look = 0
        self._step_looks: dict[int, int] = {}  # in which an optimizer stepped, by its id

    def note(self) -> None:
        """A step has ended: note of each optimizer what changes when it steps."""
        self._steps_since_look += 1
        for mark in self._marks.values():
            mark.note(mark.read())

    @property
    def probes(self) -> list[Tensor]:
        """The parameters whose versions after a step say what `note()` would have read."""
        return [p for mark in self._marks.values() if not mark.is_fused for p in mark.probes]

    @property
    def unread_marks(self) -> list[StepMark]:
        """The marks that versions do not tell."""
        return [mark for mark in self._marks.values() if mark.is_fused]

    def note_versions(self, versions: Sequence[int], steps: int) -> None:
        """So many steps have ended; these were the versions of the `probes`, step by step."""
        self._steps_since_look += steps
        width, first = len(versions) // steps, 0
        for mark in self._marks.values():
            if not mark.is_fused:
                last = first + len(mark.probes)
                for step in range(steps):
                    start = step * width
                    mark.note(float(sum(versions[start + first : start + last])))
                first = last

    @property
    def updates(self) -> list[int]:
        """Of each optimizer, how many of the steps that were noted changed its parameters."""
        return [mark.updates for mark in self._marks.values()]

    @property
    def steps_to_update(self) -> int | None:
        """How many steps there are up to the next one in which an optimizer steps that does so only
        now and then, and that hardly a look has seen stepping; None where there is no such.
        """
        expected = (
            mark.steps_to_update
            for key, mark in self._marks.items()
            if self._step_looks.get(key, 0) < MIN_STEP_LOOKS
        )
        return min((steps for steps in expected if steps is not None), default=None)

    def catch_up(self, gradient: GradientHistory) -> None:
        """Tell what happened to a gradient since the last look, as far as that can be known."""
        if self._steps_since_look == 0:
            return
        marks = [self._marks[optimizer] for optimizer in gradient.optimizers]
        if all(mark.now == mark.at_look for mark in marks):
            # No optimizer has stepped: what was pending still is; but more may have come in.
            gradient.spent = None if gradient.spent else gradient.spent
            return
        gradient.pending, gradient.stale, gradient.after = 0, None, None
        just_stepped = any(mark.before not in (None, mark.now) for mark in marks)
        gradient.spent = True if just_stepped else None

    def end_look(self, stepped: Iterable[int], gradients: Iterable[GradientHistory]) -> None:
        """A step that was looked at has ended, in which the optimizers with these ids stepped, and
        of which these were the gradients.
        """
        for key in stepped:
            self._step_looks[key] = self._step_looks.get(key, 0) + 1
        reached = [gradient for gradient in gradients if gradient.passes]
        for key, mark in self._marks.items():
            mark.watch([g.parameter for g in reached if key in g.optimizers])
        self.note()
        for mark in self._marks.values():
            mark.at_look = mark.now
        self._steps_since_look = 0
