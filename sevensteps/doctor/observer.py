"""The doctor attends a training of `ss.train`: one examination before the first step, watching, one
at the end.
"""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor

from sevensteps.data.inputs import spread_samples
from sevensteps.doctor import examine
from sevensteps.doctor.case import Case
from sevensteps.doctor.case_folder import keep, keep_before, keep_seen
from sevensteps.doctor.diagnosis import Diagnosis
from sevensteps.doctor.finding import Finding
from sevensteps.metrics import compute_metrics
from sevensteps.observe.observation import Observation
from sevensteps.observe.training_watcher import TrainingWatcher, training_facts
from sevensteps.record.database import Record
from sevensteps.training.observer import Observer
from sevensteps.training.state import Training

FIRST = 256  # samples of the examination before the first step


class Attending(Observer):
    """An observer of the loop. `before` and `after` are its two diagnoses; `budget` is the share of time that looking may cost.

    `more` is added to what `run.json` says; `seen` is what was seen and found so far of a training
    that goes on; `shared` is what examinations of several trainings on the same data find out about
    the data."""

    def __init__(
        self,
        budget: float = 0.02,
        more: dict[str, Any] | None = None,
        seen: tuple[Observation, list[Finding]] | None = None,
        shared: dict[str, Any] | None = None,
    ) -> None:
        self.watching, self.more = TrainingWatcher(budget, seen and seen[0]), more or {}
        self.found, self.shared = seen and seen[1], {} if shared is None else shared
        self.before: Diagnosis | None = None
        self.after: Diagnosis | None = None

    def started(self, training: Training) -> None:
        self.watching.started(training)
        if self.found is None:
            self.before = first_look(training)
        elif self.watching.observation is not None:
            self.before = Diagnosis(self.found, case_of(training, self.watching.observation))

    def stepped(self, training: Training) -> None:
        self.watching.stepped(training)

    def stopped(self, training: Training, rule: str, reason: str) -> None:
        self.watching.stopped(training, rule, reason)
        assert self.watching.observation is not None
        with training.isolated_randomness:
            case = case_of(training, self.watching.observation)
            case.shared = self.shared
            self.after = examine(case)

    def keep(self, record: Record) -> None:
        """Write what was seen and found so far into `record`, for a training that goes on later."""
        assert self.before is not None
        assert self.watching.observation is not None
        keep_seen(self.watching.observation, record)
        keep_before(self.before.findings, record)

    def report(self, record: Record | None) -> dict[str, Any]:
        """What `run.json` says of it; what was seen goes into `record`."""
        assert self.before is not None
        assert self.after is not None
        if record is not None:
            keep(self.after.case, record)
            keep_before(self.before.findings, record)
        return {
            **self.after.to_dict(),
            "before": self.before.to_dict()["findings"],
            "watched": {
                "looks": len(self.after.case.looks),
                "seconds": self.after.case.observation.watching_seconds,
            },
            **self.more,
        }


def first_look(training: Training) -> Diagnosis:
    """The conditions that show before the first step, on one batch."""
    case = case_of(training, Observation(training_facts(training)), early=True)
    assert case.train is not None
    x, y = case.train
    some = torch.linspace(0, len(x) - 1, min(FIRST, len(x))).long().to(x.device)
    case.train = x[some], y[some]
    with training.isolated_randomness:
        if (look := case.look_now(case.train, training=True)) is not None:
            look.step, look.lr = 0, (training.stepper.rate(0, training.total or 1),)
            case.observation.looks.append(look)
        return examine(case)


def case_of(training: Training, observed: Observation, early: bool = False) -> Case:
    """The case of a training under way, or at its end."""
    output, loss = training.output, training.loss

    def judge(outputs: Tensor, coded: Tensor) -> float:
        stored = coded.argmax(1) if output.coding == "one_hot" and output.size > 1 else coded
        found = compute_metrics(output, outputs, stored)
        return next(iter(found.values()))

    x, y = spread_samples(*training.parts["valid"])
    coded = output.encode(y)
    return Case(
        observed,
        training.network,
        train=spread_samples(training.samples.x, training.samples.y),
        valid=(x, coded.to(x.dtype) if coded.is_floating_point() else coded),
        loss_fn=lambda o, t: loss(o, t).mean(),
        early=early,
        recipe=training.recipe,
        history=training.progress.history,
        judge=judge,
    )
