"""What becomes of one parameter's gradient: which backward passes it holds, and who uses it."""

from __future__ import annotations

import math
from dataclasses import dataclass, field

import torch
from torch import Tensor

# Some entries of each input of a network; None: a gradient with respect to it was wanted.
Inputs = list["Tensor | None"]


@dataclass(eq=False)
class GradientHistory:
    """One parameter's gradient, followed through a step, and from one looked-at step to the next.

    `pending` counts the passes summed in `.grad` that no optimizer has used; `spent` says whether
    one has used what is there (None: not known); `stale` is the norm of what had been used already
    when the first of the pending passes was added (None: not known). `pass_ids` are the numbers of
    the pending passes, and `others_stepped` says whether optimizers of other parameters have used
    what the last of them, or those before it, brought there.
    """

    name: str
    network: str
    parameter: Tensor
    group: int | None = None
    optimizers: tuple[int, ...] = ()  # ids of those that update it
    pending: int = 0
    spent: bool | None = None
    stale: float | None = None
    passes: int = 0
    discarded: int = 0
    stepped: bool = False
    used_passes: int = 0
    used_stale: float | None = None
    after: float | None = None  # norm after the last backward pass
    inputs: Inputs | None = None  # of the forward passes before the last pending pass
    pass_ids: set[int] = field(default_factory=set)
    others_stepped: bool = False

    def forget_step(self) -> None:
        """Begin a step: what is pending stays."""
        self.passes = self.discarded = self.used_passes = 0
        self.stepped = False
        self.used_stale = None

    def add_pass(self, before: float, inputs: Inputs, *, in_step: bool, pass_id: int = 0) -> None:
        """The backward pass `pass_id` from these `inputs` adds its gradient to what is there, of
        norm `before`; `in_step`: an optimizer is stepping that has computed it.
        """
        if before == 0:
            if not in_step and self._was_discarded(inputs):
                self.discarded += self.pending
            self.pending, self.stale = 0, 0.0
        elif self.spent:
            self.pending, self.stale = 0, 0.0 if self._was_changed(before) else before
        elif self.spent is None:
            self.pending, self.stale = 0, None
        if self.pending == 0:
            self.pass_ids = set()
        self.pass_ids.add(pass_id)
        self.spent, self.inputs, self.others_stepped = False, inputs, False
        self.pending += 1
        self.passes += 1

    def _was_changed(self, before: float) -> bool:
        """Whether somebody without an optimizer has made something of the gradient that was used,
        as of one that is to be the momentum of the next step.
        """
        return (
            not self.optimizers
            and self.after is not None
            and not math.isclose(before, self.after, rel_tol=1e-3)
        )

    def _was_discarded(self, inputs: Inputs) -> bool:
        """Whether what is pending of a gradient that has been cleared was meant to be used.

        Not one with infinite entries; not one that was computed to change the input or to take
        the same input again, as adversarial training and sharpness-aware steps do; and not one that
        was another network's to use, as a GAN's discriminator sends it into its generator.
        """
        if self.others_stepped:
            return False
        if self.spent or not self.pending or self.after is None or not math.isfinite(self.after):
            return False
        earlier = self.inputs
        if not self.optimizers or not earlier or not inputs or any(x is None for x in earlier):
            return False
        return not any(
            torch.equal(a, b) for a in earlier if a is not None for b in inputs if b is not None
        )

    def use(self) -> None:
        """An optimizer uses what is there."""
        if self.pending:
            self.stepped = True
            self.used_passes, self.used_stale = self.pending, self.stale
        self.pending, self.spent = 0, True

    def leftover(self) -> float | None:
        """The norm of what an optimizer has used before and uses again, or will; None where that is
        not known.

        What a pass brings that wanted another network's gradient, as a GAN's generator does of its
        discriminator, may still be cleared before it is used.
        """
        if self.stepped:
            return self.used_stale
        own = self.pending and self.inputs and all(x is not None for x in self.inputs)
        return self.stale if own else None
