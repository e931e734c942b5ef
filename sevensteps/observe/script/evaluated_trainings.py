"""Which training of a script is evaluated, on which data, and what came of it."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from torch import Tensor, nn

from sevensteps.observe.samples import Inputs
from sevensteps.observe.script.evaluation import EvaluationReader
from sevensteps.observe.script.loaders import LoaderReader
from sevensteps.observe.script.training import ScriptTraining


class EvaluatedTrainings:
    """Hands what the `reader` of evaluations reads to the one of the `trainings` whose network is
    called meanwhile. `loaders` says what data it is called with; `samples` are those of the last
    evaluation of each training, by its number.
    """

    def __init__(
        self, reader: EvaluationReader, loaders: LoaderReader, trainings: Sequence[ScriptTraining]
    ) -> None:
        self.reader, self.loaders, self.trainings = reader, loaders, trainings
        self.samples: dict[int, tuple[Tensor, Tensor]] = {}
        self._training: ScriptTraining | None = None  # that is being evaluated

    def call(
        self, training: ScriptTraining, module: nn.Module, *, root: bool, gradients: bool
    ) -> Callable[..., Any] | None:
        """A module of a training is called for an evaluation, with gradients switched on or off;
        `root` where it is the whole network. What is to be called in its place, if anything.
        """
        if training.manual:
            training.end_step()
        evaluation = self.reader.evaluation
        other = evaluation is not None and evaluation.calls and evaluation.gradients != gradients
        if self._training not in (None, training) or other:
            self.finish()
        self._training = training
        evaluation = self.reader.evaluation or self.reader.start()
        evaluation.gradients = gradients
        evaluation.in_training_mode += root and module.training

        def note_inputs(arguments: Inputs) -> None:
            source = self.loaders.evaluated(training.loaders, arguments)
            if source is None:
                return
            self.loaders.forget()
            evaluation = self.reader.evaluation
            if evaluation is None or evaluation.source is None:
                evaluation = evaluation or self.reader.start()
            elif not source.is_same(evaluation.source):
                self.finish()
                self._training, evaluation = training, self.reader.start()
            evaluation.gradients = gradients
            evaluation.source = source

        return self.reader.begin(module, note_inputs if root else None)

    def forget_with_gradients(self) -> None:
        """A backward pass comes: what was taken for an evaluation with gradients was none."""
        evaluation = self.reader.evaluation
        if self._training is not None and evaluation is not None and evaluation.gradients:
            self._training.in_training_mode = False
            self._training = None
            self.reader.finish()

    def finish(self) -> None:
        """The evaluation that goes on, if one does, has come to its end."""
        if self._training is None:
            if self.reader.telling:  # one was expected, and there was none
                self.reader.finish()
            return
        training, self._training = self._training, None
        evaluation = self.reader.finish()
        if evaluation is None or training.watcher is None:
            return
        if evaluation.source is not None:
            if training.loaders.trains_on(evaluation.source):
                return  # how well it knows what it has learned says nothing of other data
            training.loaders.valid = evaluation.source
        loss, score = evaluation.mean_loss(), evaluation.score()
        if loss is not None or score is not None:
            training.watcher.valid(loss, score)
            training.note_mode(evaluation.in_training_mode)
        if (samples := evaluation.samples()) is not None:
            self.samples[self.trainings.index(training)] = samples
