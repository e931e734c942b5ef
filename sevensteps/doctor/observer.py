"""The doctor watches a training of `ss.train`, and examines it before the first step and at the
end.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import torch
from jaxtyping import Float64
from torch import Tensor

from sevensteps.data.inputs import spread_samples
from sevensteps.doctor.case import Case
from sevensteps.doctor.case_folder import write_case, write_first_findings, write_observation
from sevensteps.doctor.examination import Examination, examine
from sevensteps.doctor.finding import Finding
from sevensteps.head import Output
from sevensteps.metrics import compute_metrics
from sevensteps.observe.observation import Observation
from sevensteps.observe.training_watcher import TrainingWatcher, training_facts
from sevensteps.record.database import Record
from sevensteps.training.observer import Observer
from sevensteps.training.state import Training

FIRST_SAMPLES = 256  # samples of the examination before the first step


class DoctorObserver(Observer):
    """An observer of the training loop. `before` and `after` are its two examinations.

    `budget` is the share of the time that looking may cost. `healed` lists the changes that led to
    this training. `earlier` is what was observed, and found before the first step, in the part of a
    resumed training that was done before.
    """

    def __init__(
        self,
        budget: float = 0.02,
        healed: list[dict[str, Any]] | None = None,
        earlier: tuple[Observation, list[Finding]] | None = None,
    ) -> None:
        self.budget, self.watcher = budget, TrainingWatcher(budget, earlier and earlier[0])
        self.first_findings = earlier and earlier[1]
        self.healed = healed
        self.before: Examination | None = None
        self.after: Examination | None = None
        self.listeners: Sequence[Observer] = ()  # who are told what was found

    def started(self, training: Training) -> None:
        self.watcher.started(training)
        if self.first_findings is None:
            self.before = examine_start(training)
        elif self.watcher.observation is not None:
            case = training_case(training, self.watcher.observation)
            self.before = Examination(self.first_findings, case)
        if self.before is not None:
            self._tell(training, self.before)

    def stepped(self, training: Training) -> None:
        self.watcher.stepped(training)

    def free_steps(self, training: Training) -> int:
        return self.watcher.free_steps(training)

    def stretched(
        self, training: Training, losses: Float64[Tensor, "K"], rates: Float64[Tensor, "K"]
    ) -> None:
        self.watcher.stretched(training, losses, rates)

    def broken_off(self, training: Training) -> None:
        self.watcher.broken_off(training)

    def stopped(self, training: Training, rule: str, reason: str) -> None:
        self.watcher.stopped(training, rule, reason)
        assert self.watcher.observation is not None
        with training.isolated_randomness:
            case = training_case(training, self.watcher.observation)
            evaluated = training.valid_outputs
            # of data on disk the case has only some samples
            if (
                evaluated is not None
                and evaluated[0] == training.progress.step
                and case.valid is not None
                and len(case.valid[0]) == len(evaluated[1])
            ):
                case.valid_outputs = evaluated[1].cpu()
            self.after = examine(case)
        self._tell(training, self.after)

    def _tell(self, training: Training, examination: Examination) -> None:
        for observer in self.listeners:
            observer.examined(training, examination.findings)

    def keep(self, record: Record) -> None:
        """Write what was observed and found so far into `record`, for a training that is
        resumed.
        """
        assert self.before is not None
        assert self.watcher.observation is not None
        write_observation(self.watcher.observation, record)
        write_first_findings(self.before.findings, record)

    def report(self, record: Record | None) -> dict[str, Any]:
        """The doctor's fields of the `RunSummary`; what was observed goes into `record`."""
        assert self.before is not None
        assert self.after is not None
        if record is not None:
            write_case(self.after.case, record)
            write_first_findings(self.before.findings, record)
        return {
            **self.after.to_dict(),
            "before": self.before.to_dict()["findings"],
            "watched": {
                "looks": len(self.after.case.looks),
                "seconds": self.after.case.observation.watching_seconds,
            },
            "healed": self.healed,
        }


def examine_start(training: Training) -> Examination:
    """Examine `training` before its first step, on one batch of at most `FIRST_SAMPLES` samples."""
    case = training_case(training, Observation(training_facts(training)), before_training=True)
    assert case.train is not None
    x, y = case.train
    rows = torch.linspace(0, len(x) - 1, min(FIRST_SAMPLES, len(x))).long().to(x.device)
    case.train = x[rows], y[rows]
    with training.isolated_randomness:
        if (look := case.look_at(case.train, training=True)) is not None:
            look.step, look.lr = 0, (training.stepper.rate(0, training.total or 1),)
            case.observation.looks.append(look)
        return examine(case)


def training_case(
    training: Training, observation: Observation, before_training: bool = False
) -> Case:
    """The case of a training under way, or at its end."""
    output, loss = training.output, training.loss
    x, y = spread_samples(*training.parts["valid"])
    coded = output.encode(y)
    return Case(
        observation,
        training.network,
        train=spread_samples(training.samples.x, training.samples.y),
        valid=(x, coded.to(x.dtype) if coded.is_floating_point() else coded),
        loss_fn=lambda o, t: loss(o, t).mean(),
        before_training=before_training,
        recipe=training.recipe,
        history=training.progress.history,
        score_output=output_scorer(output),
        data_cache=training.resolved.data.cache,
        classes=output.task.classes,
    )


def output_scorer(output: Output) -> Callable[[Tensor, Tensor], float]:
    """Accuracy or r2 of outputs against targets as the loss takes them."""

    def score_output(outputs: Tensor, coded: Tensor) -> float:
        targets = coded.argmax(1) if output.coding == "one_hot" and output.size > 1 else coded
        return next(iter(compute_metrics(output, outputs, targets).values()))

    return score_output
