"""The questions that can be asked about a run: `run.explain.sample(3)`."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from sevensteps.explain.subject import Subject

if TYPE_CHECKING:
    from sevensteps.explain.gradient.answer import Gradient
    from sevensteps.explain.gradient.backward import Backward
    from sevensteps.explain.neuron.answer import Neuron
    from sevensteps.explain.one_step.answer import Steps
    from sevensteps.explain.sample.answer import Sample
    from sevensteps.explain.sample.ranked import Confusion, Samples
    from sevensteps.explain.shapes.answer import Shapes
    from sevensteps.explain.surface.answer import Surface
    from sevensteps.explain.why.answer import Why
    from sevensteps.explain.words.answer import Words


class Explain:
    """The questions that can be asked about a run. Each answer prints as one screen, and has `to_dict()` and `plot(path)`."""

    def __init__(self, subject: Subject) -> None:
        self.subject = subject

    def shapes(self) -> Shapes:
        """The forward pass as shapes, axis by axis; parameters and activations counted."""
        from sevensteps.explain.shapes.answer import shapes

        return shapes(self.subject)

    def sample(self, index: int, part: str = "valid") -> Sample:
        """One sample: its layers' numbers, the answer and why, and where its loss comes from."""
        from sevensteps.explain.sample.answer import sample

        return sample(self.subject, index, part)

    def samples(
        self, worst: int | None = None, best: int | None = None, part: str = "valid"
    ) -> Samples:
        """The samples with the greatest losses, or with the least, and the confusion of the
        classes.
        """
        from sevensteps.explain.sample.ranked import samples

        return samples(self.subject, worst, best, part)

    def confusion(self, part: str = "valid") -> Confusion:
        """Which class is taken for which, how often."""
        from sevensteps.explain.sample.ranked import confusion

        return confusion(self.subject, part)

    def gradient(
        self,
        samples: int | Sequence[int] | str,
        parameter: str | None = None,
        index: Sequence[int] | None = None,
        part: str = "valid",
    ) -> Gradient | Backward:
        """The backward pass for a sample, several, or "all": by layer, or for one number of one
        `parameter` (None: its largest).
        """
        if parameter is None:
            from sevensteps.explain.gradient.backward import backward

            return backward(self.subject, samples, part)
        from sevensteps.explain.gradient.answer import gradient

        return gradient(self.subject, samples, parameter, index, part)

    def neuron(self, layer: str, unit: int, *, again: bool | None = None) -> Neuron:
        """One unit: its weights, what makes it fire, its life over the training, its twin, and what
        is lost without it.

        `again` trains again to see its life; without it that is done where nobody watched and the
        training was short."""
        from sevensteps.explain.neuron.answer import neuron

        return neuron(self.subject, layer, unit, again)

    def surface(self) -> Surface:
        """The curvature of the loss at the last weights: what rate it allows, how far the optimum
        is, a slice with the path.
        """
        from sevensteps.explain.surface.answer import surface

        return surface(self.subject)

    def steps(self, at: int = 0) -> Steps:
        """What happened in one training step, 1 to 7, before and after; `at` counts from 0."""
        from sevensteps.explain.one_step.answer import steps

        return steps(self.subject, at)

    def words(self, *asked: str) -> Words:
        """The glossary, or the words `asked` for, each with this run's own example."""
        from sevensteps.explain.words.answer import words

        return words(self.subject, *asked)

    def why(self) -> Why:
        """The questions that readers of this run are likely to ask, answered with its numbers and a
        command that proves each.
        """
        from sevensteps.explain.why.answer import why

        return why(self.subject)
