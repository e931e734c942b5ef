"""Step 7, the stop: when is it enough?

A rule answers with its reason, or with nothing; rules are joined with `|` and the first that
answers ends the training. Two rules are never absent: a loss that is not finite, and your
interrupt.
"""

from __future__ import annotations

import math
import sys
from abc import ABC, abstractmethod
from dataclasses import KW_ONLY, dataclass, field
from typing import Any, ClassVar

from sevensteps.arguments import number, one_of, whole
from sevensteps.errors import ArgumentError
from sevensteps.metrics import LOWER_IS_BETTER, merit, metric_of
from sevensteps.notation import auto, value
from sevensteps.task import Task

__all__ = ["auto", "epochs", "max_steps", "seconds", "patience", "accuracy", "loss_below"]

TABLE_STEPS = 2000  # of `auto()` for tables in files


@dataclass
class Progress:
    """How far a training has come. `history` has one row an epoch, `{"train": {"loss"}, "valid":
    {"loss", …}, …}`.
    """

    epoch: int = 0
    step: int = 0
    samples: int = 0
    seconds: float = 0.0  # of training alone
    loss: float = 0.0  # mean of the last batch, before its step
    lr: float = 0.0
    epoch_ended: bool = False
    interrupted: bool = False
    history: list[dict[str, Any]] = field(default_factory=list)

    def values(self, metric: str, part: str = "valid") -> list[float]:
        """`metric` at the end of each epoch so far."""
        return [row[part][metric] for row in self.history]


class Stop(ABC):
    """A rule that says when it is enough."""

    # whether it answers where an epoch ends, and never within one
    only_between_epochs: ClassVar[bool] = False

    @abstractmethod
    def reason(self, progress: Progress) -> tuple[str, str] | None:
        """(rule, reason) if it is enough, else None. Asked after every step."""

    def steps_left(self, progress: Progress) -> int:
        """How many steps may be taken, within the epoch, before `reason` has to be asked again."""
        return sys.maxsize if self.only_between_epochs else 1

    def limit(self, per_epoch: int) -> int | None:
        """The largest number of steps that this rule allows, if it is known beforehand."""
        return None

    def check(self, task: Task) -> None:  # noqa: B027 - most fit any task
        """Refuse a rule that waits for something `task` does not have."""

    def __or__(self, other: object) -> Stop:
        if not isinstance(other, Stop):
            return NotImplemented
        return first_of((*self.rules(), *other.rules()))

    def rules(self) -> tuple[Stop, ...]:
        """The rules joined here."""
        return (self,)


@dataclass(frozen=True, repr=False)
class first_of(Stop):
    """Rules joined with `|`: the first that answers ends the training."""

    joined: tuple[Stop, ...]

    def __repr__(self) -> str:
        return " | ".join(map(repr, self.joined))

    def reason(self, progress: Progress) -> tuple[str, str] | None:
        for rule in self.joined:
            if reason := rule.reason(progress):
                return reason
        return None

    def steps_left(self, progress: Progress) -> int:
        return min(rule.steps_left(progress) for rule in self.joined)

    def limit(self, per_epoch: int) -> int | None:
        limits = [limit for rule in self.joined if (limit := rule.limit(per_epoch)) is not None]
        return min(limits, default=None)

    def check(self, task: Task) -> None:
        for rule in self.joined:
            rule.check(task)

    def rules(self) -> tuple[Stop, ...]:
        return self.joined


class Always(Stop):
    """The rules that are never absent: your interrupt, and a loss that is not finite (its step is
    not taken).
    """

    def steps_left(self, progress: Progress) -> int:
        # whoever takes several steps ends before a loss that is not finite, and after a moment
        return sys.maxsize

    def reason(self, progress: Progress) -> tuple[str, str] | None:
        if not math.isfinite(progress.loss):
            return (
                "not_finite",
                f"the loss is {progress.loss} at step {progress.step + 1}; the parameters are "
                "those before it",
            )
        return (
            ("interrupt", f"interrupted after step {progress.step}")
            if progress.interrupted
            else None
        )


@value
class epochs(Stop):
    """after `count` times over all samples; 0 only evaluates

    Source: fastbook ch. 4, "epoch".
    """

    only_between_epochs: ClassVar[bool] = True

    count: int

    def __post_init__(self) -> None:
        whole("count", self.count)

    def reason(self, progress: Progress) -> tuple[str, str] | None:
        if progress.epoch < self.count:
            return None
        return "epochs", _done("epoch", self.count) if self.count else "nothing was to be trained"

    def limit(self, per_epoch: int) -> int | None:
        return self.count * per_epoch


@value
class max_steps(Stop):
    """after `count` changes of the parameters

    The last epoch is then a part of one. Source: Robbins, Monro 1951 (a step).
    """

    count: int

    def __post_init__(self) -> None:
        whole("count", self.count)

    def reason(self, progress: Progress) -> tuple[str, str] | None:
        return ("max_steps", _done("step", self.count)) if progress.step >= self.count else None

    def steps_left(self, progress: Progress) -> int:
        return self.count - progress.step

    def limit(self, per_epoch: int) -> int | None:
        return self.count


@value
class seconds(Stop):
    """after `count` seconds of training; evaluating, saving and watching do not count

    The only rule whose result depends on the machine: the same seed may do more or fewer steps.
    Formula: training time ≥ count.
    """

    count: float

    def __post_init__(self) -> None:
        number("count", self.count, above=0)

    def reason(self, progress: Progress) -> tuple[str, str] | None:
        if progress.seconds < self.count:
            return None
        return "seconds", f"{progress.seconds:.1f} s of training, {self.count:g} s were allowed"

    def steps_left(self, progress: Progress) -> int:
        if not progress.seconds:
            return 1
        # at the pace so far
        return max(1, int((self.count / progress.seconds - 1) * progress.step))


@value
class patience(Stop):
    """when the validation metric ("loss", "accuracy", "r2") has not improved for `count` epochs

    Source: Prechelt 1998, Early Stopping: But When?, criterion UP.
    """

    only_between_epochs: ClassVar[bool] = True

    count: int
    metric: str = "loss"

    def __post_init__(self) -> None:
        whole("count", self.count, at_least=1)
        one_of("metric", self.metric, LOWER_IS_BETTER)

    def check(self, task: Task) -> None:
        _has_metric(self, self.metric, task)

    def reason(self, progress: Progress) -> tuple[str, str] | None:
        if not progress.epoch_ended or progress.epoch <= self.count:
            return None
        values = progress.values(self.metric)
        best = max(range(len(values)), key=lambda epoch: merit(self.metric, values[epoch]))
        if len(values) - 1 - best < self.count:
            return None
        return (
            "patience",
            f"no better {self.metric} than {values[best]:.4g} of epoch {best + 1} for "
            f"{self.count} {'epoch' if self.count == 1 else 'epochs'}",
        )


@value
class accuracy(Stop):
    """when the validation accuracy reaches `share`, such as 0.99

    Formula: right answers / samples ≥ share, at the end of an epoch.
    """

    only_between_epochs: ClassVar[bool] = True

    share: float

    def __post_init__(self) -> None:
        number("share", self.share, above=0, at_most=1)

    def check(self, task: Task) -> None:
        _has_metric(self, "accuracy", task)

    def reason(self, progress: Progress) -> tuple[str, str] | None:
        if (
            not progress.epoch_ended
            or not progress.history
            or not progress.values("accuracy")[-1] >= self.share
        ):
            return None
        return (
            "accuracy",
            f"validation accuracy {progress.values('accuracy')[-1]:.4f} reaches {self.share:g}",
        )


@value
class loss_below(Stop):
    """when the validation loss falls below `level`; `on="train"` asks the mean training loss of the
    epoch

    Formula: loss < level, at the end of an epoch.
    """

    only_between_epochs: ClassVar[bool] = True

    level: float
    _: KW_ONLY
    on: str = "valid"

    def __post_init__(self) -> None:
        number("level", self.level)
        one_of("on", self.on, ["valid", "train"])

    def reason(self, progress: Progress) -> tuple[str, str] | None:
        if (
            not progress.epoch_ended
            or not progress.history
            or not progress.values("loss", self.on)[-1] < self.level
        ):
            return None
        return (
            "loss_below",
            f"{self.on} loss {progress.values('loss', self.on)[-1]:.4g} is below {self.level:g}",
        )


def _done(what: str, count: int) -> str:
    return f"all {count} {what}s are done" if count != 1 else f"the one {what} is done"


def _has_metric(rule: Stop, metric: str, task: Task) -> None:
    has = {"loss", metric_of(task.kind)}
    if metric not in has:
        raise ArgumentError(
            f"{rule!r} waits for {metric}, but {task.reason}, which is measured by "
            f"{' and '.join(sorted(has))}"
        )


def choose(task: Task, per_epoch: int, is_table: bool = False, **options: Any) -> tuple[Stop, str]:
    """What `auto()` takes for `task` at this many steps an epoch, and why; a table in a file gets
    more of them, as its network is held back by dropout and weight decay.
    """
    if is_table and not options:
        count = max(10, min(300, round(TABLE_STEPS / per_epoch)))
        return epochs(count), (
            f"{count * per_epoch} steps, {per_epoch} an epoch, are enough for most tables"
        )
    count = options.pop("count", max(10, min(300, round(1200 / per_epoch))))
    if task.kind == "regression" and not options:
        return epochs(count) | patience(
            20
        ), "networks soon follow the noise of a regression, which the validation loss shows"
    return (
        epochs(count, **options),
        f"{count * per_epoch} steps, {per_epoch} an epoch, are enough for most small networks to "
        "settle",
    )
