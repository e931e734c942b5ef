"""The face of explanations: `run.explain.sample(3)`, and what a folder or a run must have to be explained."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from sevensteps.explain.subject import Subject

if TYPE_CHECKING:
    from sevensteps.explain.backward import Backward
    from sevensteps.explain.gradient import Gradient
    from sevensteps.explain.neuron import Neuron
    from sevensteps.explain.sample import Sample
    from sevensteps.explain.samples import Confusion, Samples
    from sevensteps.explain.shapes import Shapes
    from sevensteps.explain.steps import Steps
    from sevensteps.explain.surface import Surface
    from sevensteps.explain.why import Why
    from sevensteps.explain.words import Words
    from sevensteps.run import Run


class Explain:
    """The questions that can be asked about a run. Each answer prints as one screen, and has `to_dict()` and `plot(path)`."""

    def __init__(self, subject: Subject) -> None:
        self.subject = subject

    def shapes(self) -> Shapes:
        """The forward pass as shapes, axis by axis; parameters and activations counted."""
        from sevensteps.explain.shapes import shapes

        return shapes(self.subject)

    def sample(self, index: int, part: str = "valid") -> Sample:
        """One sample: its layers' numbers, the answer and why, and where its loss comes from."""
        from sevensteps.explain.sample import sample

        return sample(self.subject, index, part)

    def samples(self, worst: int | None = None, best: int | None = None, part: str = "valid") -> Samples:
        """The samples with the greatest losses, or with the least, and the confusion of the classes."""
        from sevensteps.explain.samples import samples

        return samples(self.subject, worst, best, part)

    def confusion(self, part: str = "valid") -> Confusion:
        """Which class is taken for which, how often."""
        from sevensteps.explain.samples import confusion

        return confusion(self.subject, part)

    def gradient(self, samples: int | Sequence[int] | str, parameter: str | None = None, index: Sequence[int] | None = None,
                 part: str = "valid") -> Gradient | Backward:
        """The backward pass for a sample, several, or "all": by layer, or for one number of one `parameter` (None: its largest)."""
        if parameter is None:
            from sevensteps.explain.backward import backward

            return backward(self.subject, samples, part)
        from sevensteps.explain.gradient import gradient

        return gradient(self.subject, samples, parameter, index, part)

    def neuron(self, layer: str, unit: int, *, again: bool | None = None) -> Neuron:
        """One unit: its weights, what makes it fire, its life over the training, its twin, and what is lost without it.

        `again` trains again to see its life; without it that is done where nobody watched and the training was short.
        """
        from sevensteps.explain.neuron import neuron

        return neuron(self.subject, layer, unit, again)

    def surface(self) -> Surface:
        """The curvature of the loss at the last weights: what rate it allows, how far the optimum is, a slice with the path."""
        from sevensteps.explain.surface import surface

        return surface(self.subject)

    def steps(self, at: int = 0) -> Steps:
        """What happened in one training step, 1 to 7, before and after; `at` counts from 0."""
        from sevensteps.explain.steps import steps

        return steps(self.subject, at)

    def words(self, *asked: str) -> Words:
        """The glossary, or the words `asked` for, each with this run's own example."""
        from sevensteps.explain.words import words

        return words(self.subject, *asked)

    def why(self) -> Why:
        """The questions that readers of this run are likely to ask, answered with its numbers and a command that proves each."""
        from sevensteps.explain.why import why

        return why(self.subject)


def explain(run: Run | Path | str, *, data_dir: Path | str | None = None, allow_code: bool = False) -> Explain:
    """What can be asked about `run`: a `Run`, a run folder, its name under `runs/`, or `"last"`.

    Raises `RunError` where there is no such run, or it is damaged or has no weights.
    """
    from sevensteps.doctor.stored import seen
    from sevensteps.run import Run, load

    found: Any = run if isinstance(run, Run) else load(run, allow_code=allow_code)
    kept = None
    if found.diagnosis is not None:
        kept = found.diagnosis.case.observed
    elif found.folder is not None and (held := seen(found.folder, found.summary["steps"] + 1)) is not None:
        kept = held[0]
    return Explain(Subject(found.recipe, found.network, found.summary, found.history, found.folder, kept, data_dir, found.settled))
