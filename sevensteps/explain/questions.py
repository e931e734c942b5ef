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
    from sevensteps.explain.one_step.series import StepSeries
    from sevensteps.explain.sample.answer import Sample
    from sevensteps.explain.sample.batch import Batch
    from sevensteps.explain.sample.confusion import Confusion
    from sevensteps.explain.sample.worst_and_best import Samples
    from sevensteps.explain.shapes.answer import Shapes
    from sevensteps.explain.surface.answer import Surface
    from sevensteps.explain.why.answer import Why
    from sevensteps.explain.words.answer import Words


QUESTIONS = """\
Ask this run, with its own numbers, and print the answer:
  why()                     the questions that readers of this run ask
  steps(at=0)               one training step, 1 to 7, before and after
  sample(3)                 one sample: its layers, its loss, the answer
  batch([0, 1, 2])          several samples in one table, as books have it
  samples(worst=5)          the worst samples, or the best
  confusion()               which classes are taken for which
  gradient(3)               the backward pass of a sample, or of "all"
  neuron("layer1", 4)       one unit: its weights, and what makes it fire
  surface()                 the loss around the end: curvature, optimum, path
  shapes()                  the shapes of all tensors in the forward pass
  words("learning rate")    the words of the field, with this run's numbers"""


class Explain:
    """The questions that can be asked about a run: `run.explain.sample(3)`.

    `print(answer)` shows an answer as one screen of text, `answer.to_dict()` has its numbers,
    `answer.plot("answer.png")` draws it.
    """

    def __init__(self, subject: Subject) -> None:
        self.subject = subject

    def __repr__(self) -> str:
        return QUESTIONS

    def shapes(self) -> Shapes:
        """The shape of every layer's output and parameters, and how many numbers they are."""
        from sevensteps.explain.shapes.answer import shapes

        return shapes(self.subject)

    def sample(self, index: int, part: str = "valid") -> Sample:
        """One sample of `part` ("train" or "valid"): its layers, its loss, the answer and why."""
        from sevensteps.explain.sample.answer import sample

        return sample(self.subject, index, part)

    def batch(self, indices: Sequence[int], part: str = "valid") -> Batch:
        """Several samples in a table, as books have it: probabilities, target, idx and loss."""
        from sevensteps.explain.sample.batch import batch

        return batch(self.subject, indices, part)

    def samples(
        self, worst: int | None = None, best: int | None = None, part: str = "valid"
    ) -> Samples:
        """The `worst` samples of `part` by their loss, or the `best`, and the confusion of classes.

        The worst 5 by default.
        """
        from sevensteps.explain.sample.worst_and_best import samples

        return samples(self.subject, worst, best, part)

    def confusion(self, part: str = "valid") -> Confusion:
        """How often each class is taken for each other one in `part` ("train" or "valid")."""
        from sevensteps.explain.sample.confusion import confusion

        return confusion(self.subject, part)

    def gradient(
        self,
        samples: int | Sequence[int] | str,
        parameter: str | None = None,
        index: Sequence[int] | None = None,
        part: str = "valid",
    ) -> Gradient | Backward:
        """The backward pass of a sample, of several, or of "all": the gradient at each layer.

        With a `parameter`, such as "layer1.weight", the gradient of its number at `index`, factor
        by factor; without an index of the number with the largest gradient.
        """
        if parameter is None:
            from sevensteps.explain.gradient.backward import backward

            return backward(self.subject, samples, part)
        from sevensteps.explain.gradient.answer import gradient

        return gradient(self.subject, samples, parameter, index, part)

    def neuron(self, layer: str, unit: int, *, again: bool | None = None) -> Neuron:
        """One unit: its weights, what makes it fire, its history over the training, its twins, and
        what is lost without it.

        `again` says whether to train again to see its history; None does so where nobody watched
        and the training was short.
        """
        from sevensteps.explain.neuron.answer import neuron

        return neuron(self.subject, layer, unit, again)

    def surface(self) -> Surface:
        """The curvature of the loss at the last weights: what rate it allows, how far the optimum
        is, a slice with the path.
        """
        from sevensteps.explain.surface.answer import surface

        return surface(self.subject)

    def steps(self, at: int | Sequence[int] = 0) -> Steps | StepSeries:
        """What happened in one training step, 1 to 7, before and after; `at` counts from 0. Of
        several steps, such as [0, 1, 2], a table.
        """
        if isinstance(at, Sequence):
            from sevensteps.explain.one_step.series import step_series

            return step_series(self.subject, at)
        from sevensteps.explain.one_step.answer import steps

        return steps(self.subject, at)

    def words(self, *names: str) -> Words:
        """The glossary, or the words named, such as "learning rate", with examples of this run."""
        from sevensteps.explain.words.answer import words

        return words(self.subject, *names)

    def why(self) -> Why:
        """The questions that readers of this run are likely to ask, with answers in its numbers.

        Each has the command that proves its answer.
        """
        from sevensteps.explain.why.answer import why

        return why(self.subject)
