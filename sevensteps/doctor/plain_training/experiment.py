"""Copies of a network that are trained anew and compared: how well each answers, as a share of the
way from an ignorant answer to a perfect one.
"""

from __future__ import annotations

import math

from sevensteps.doctor.asking import ask, set_mode
from sevensteps.doctor.case import Case
from sevensteps.doctor.plain_training.copy_training import (
    Data,
    Plan,
    batch_size,
    redraw,
    train_copy,
)
from sevensteps.doctor.plain_training.judging import (
    Measured,
    data_of,
    is_loss_of_training,
    measure,
)
from sevensteps.doctor.plain_training.step_cost import seconds_of_step
from sevensteps.observe.structure import rows

MOST_STEPS, LEAST_STEPS = 300, 60
TRAINING, LONGEST = 0.13, 0.25  # seconds of one copy's training, about
ALL = 1.0  # of all of them
NAME = "a copy trained anew"  # in what was not judged


class Experiment:
    """Trainings of copies for so many `steps` each, as many as there is time for. `measured` is how
    the network itself answers.
    """

    def __init__(
        self, case: Case, data: Data, measured: Measured, ignorant: float, seconds: float
    ) -> None:
        self.case, self.data, self.measured, self.ignorant = case, data, measured, ignorant
        self.seconds = seconds  # of a step
        self.steps = max(min(MOST_STEPS, int(TRAINING / seconds)), LEAST_STEPS)
        self.left = ALL
        self.cut_short = False
        self._results: dict[Plan, float | None] = {}

    @property
    def own(self) -> float:
        """The share that the network itself has reached."""
        return self.share(self.measured.value)

    def share(self, value: float) -> float:
        """0 for an ignorant answer, or a worse one, 1 for a perfect one."""
        if not math.isfinite(value):
            return 0.0
        if self.measured.name == "loss":
            return max(1 - value / self.ignorant, 0.0)
        return max((value - self.ignorant) / (1 - self.ignorant), 0.0)

    def value(self, plan: Plan) -> float | None:
        """The score, or the loss, of a copy trained by `plan`; nan where it is not finite, None
        where there is no time left.
        """
        if plan not in self._results:
            if self.left < self.seconds * plan.steps:
                self.cut_short = True
                return None
            self.left -= self.seconds * plan.steps
            self._results[plan] = self._value(plan)
        return self._results[plan]

    def reached(self, plan: Plan) -> float | None:
        """The share that a copy trained by `plan` reaches."""
        value = self.value(plan)
        return None if value is None else self.share(value)

    def _value(self, plan: Plan) -> float | None:
        with self.case.network_copy(training=True) as network:
            if network is None:
                return None
            train_copy(self.case, network, self.data, plan)
            set_mode(network, False)
            result = measure(self.case, network, self.data, plan.standardised)
        return math.nan if result is None else result.value


def experiment_of(case: Case, *, fails: bool = True) -> Experiment | None:
    """What can be tried with copies of this network; None where it cannot be asked or judged, with
    an entry in `case.not_judged` where a training that `fails` takes too long to repeat.
    """
    if case.network is None or case.before_training or case.several or case.names:
        return None
    if case.diverged_at is not None or not any(p.requires_grad for p in case.network.parameters()):
        return None
    data = data_of(case)
    if data is None:
        return None
    few = rows(data.trained[0], slice(0, batch_size(case)))
    with case.network_copy() as network:
        if network is None:
            return None
        measured = measure(case, network, data)
        if measured is None:
            return None
        if measured.name == "loss" and not is_loss_of_training(case, network, data):
            return None
        seconds = seconds_of_step(lambda: ask(network, few))
        if seconds * LEAST_STEPS > LONGEST:
            why = f"a step of it takes about {1000 * seconds:.0f} ms: too long to repeat many"
            case.not_judged += [(NAME, why)] if fails else []
            return None
        ignorant = case.baseline_score if measured.name == "score" else case.baseline_loss
        if measured.name == "loss" and ignorant is None:
            redraw(network, 0)
            drawn = measure(case, network, data)
            ignorant = None if drawn is None else max(drawn.value, measured.value)
    if ignorant is None:
        return None
    loss = measured.name == "loss"
    if not (ignorant > 1e-6 and measured.value >= 0 if loss else ignorant < 1):
        return None
    return Experiment(case, data, measured, ignorant, seconds)
