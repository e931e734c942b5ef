"""What is said of a script that was watched: its trainings, their diagnoses, what ended it."""

from __future__ import annotations

import math
import re
import textwrap
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

from rich.cells import cell_len

from sevensteps.doctor.report.text import wrap_plain
from sevensteps.doctor.trials.trial import Trial
from sevensteps.render.text import count_text

WIDTH = 80  # columns, as of a diagnosis
LEAD = "sevensteps: "  # before all that is printed on a terminal
SEPARATOR = " · "
BETWEEN_LINES = re.compile(r"; (?=\S+\.py:\d+: )")  # of a change of several lines of a file


@dataclass(frozen=True)
class TrainingReport:
    """One training of a script and its diagnosis, as text and as numbers.

    `place` is where its network was called first, `losses` the first and the last. `document` is
    what a page shows of it, where that was asked for; `plan` says what can be tried of it.
    """

    network: str
    place: str
    steps: int
    losses: tuple[float, float] | None
    optimizers: tuple[str, ...]
    text: str
    diagnosis: dict[str, Any]
    document: dict[str, Any] | None = None
    plan: dict[str, Any] | None = None

    @property
    def healthy(self) -> bool:
        """Whether nothing was found."""
        return not self.diagnosis.get("findings")

    def tried(self) -> list[str]:
        """What trials of the script itself came to: of each, the finding, what was changed, and the
        verdict, in lines.
        """
        lines = []
        for finding in self.diagnosis.get("findings", ()):
            for plain in finding.get("trials", ()):
                if "patch" in plain:
                    verdict = Trial.from_dict(plain).verdict
                    lines.append(f"{finding['condition']}\n{plain['patch']}\n{verdict}")
        return lines

    def headline(self) -> str:
        """The training in a line."""
        return SEPARATOR.join(self._parts())

    def headline_lines(self, lead: str) -> list[str]:
        """The headline after `lead`, in lines of at most `WIDTH` cells, which end with a part."""
        first, *parts = self._parts()
        lines = wrap_plain(first, WIDTH - len(SEPARATOR), lead, "  ")
        for part in parts:
            longer = f"{lines[-1]}{SEPARATOR}{part}"
            if cell_len(longer) <= WIDTH - len(SEPARATOR):
                lines[-1] = longer
            else:
                lines[-1] += SEPARATOR.rstrip()
                lines.append(f"  {part}")
        return lines

    def _parts(self) -> list[str]:
        parts = [self.network]
        if self.place:
            parts.append(f"called at {self.place}")
        parts.append(count_text(self.steps, "step"))
        if self.losses is not None:
            parts.append("loss {} → {}".format(*map(_number, self.losses)))
        parts.append(", ".join(self.optimizers) or "updated without an optimizer of PyTorch")
        return parts

    def to_dict(self) -> dict[str, Any]:
        """The training as JSON can hold it."""
        return {
            "network": self.network,
            "place": self.place,
            "steps": self.steps,
            "loss": None if self.losses is None else list(self.losses),
            "optimizers": list(self.optimizers),
            "diagnosis": self.diagnosis,
        }


@dataclass(frozen=True)
class ProcessReport:
    """What one process of a script ends with.

    `crash` explains the exception that ended it; `nothing` says what was looked for where no
    training was found; `unwatched` counts trainings beyond those that were watched.
    """

    trainings: tuple[TrainingReport, ...] = ()
    crash: str = ""
    nothing: str = ""
    failure: str = ""
    unwatched: int = 0
    others: tuple[str, ...] = field(default=())  # said of other processes

    def signature(self) -> tuple[tuple[str, ...], ...]:
        """What is alike in processes that train the same: networks and findings."""
        return tuple(
            (t.network, *(str(f["condition"]) for f in t.diagnosis.get("findings", ())))
            for t in self.trainings
        )

    @classmethod
    def from_fields(cls, fields: dict[str, Any]) -> ProcessReport:
        """The report whose fields another process has written as JSON."""
        trainings = []
        for record in fields["trainings"]:
            losses, optimizers = record["losses"], tuple(record["optimizers"])
            pair = None if losses is None else (float(losses[0]), float(losses[1]))
            trainings.append(TrainingReport(**{**record, "losses": pair, "optimizers": optimizers}))
        return cls(**{**fields, "trainings": tuple(trainings), "others": ()})

    def text(self, lead: str = "") -> str:
        """All of it after `lead`, as it is printed at the end of the script."""
        count = len(self.trainings)
        blocks: list[str] = []
        healthy: dict[str, list[int]] = {}
        for number, training in enumerate(self.trainings, 1):
            alike = healthy.setdefault(training.network, []) if training.healthy else []
            if training.healthy:
                alike.append(number)
            if training.healthy and len(alike) > 1:
                continue
            which = f"training {number} of {count}: " if count > 1 else ""
            first = f"{'' if blocks else lead}{which}"
            blocks.append("\n".join([*training.headline_lines(first), training.text]))
        blocks += [
            f"{count_text(len(alike) - 1, 'more training')} of {network}: nothing is wrong that "
            "can be seen."
            for network, alike in healthy.items()
            if len(alike) > 1
        ]
        if self.unwatched:
            blocks.append(f"{count_text(self.unwatched, 'more training')} were not watched.")
        said = [*self.others, self.nothing, self.crash]
        if self.failure:
            said.append(f"The watch itself failed, and saw nothing from then on: {self.failure}")
        for part in filter(None, said):
            blocks.append(textwrap.fill(part, WIDTH, initial_indent="" if blocks else lead))
        return "\n\n".join(blocks)

    def tried_text(self) -> str:
        """What trials of the script itself came to; "" where there were none."""
        blocks = [lines for training in self.trainings for lines in training.tried()]
        if not blocks:
            return ""
        texts = []
        for block in blocks:
            condition, patch, verdict = block.split("\n")
            lines = [condition]
            for number, change in enumerate(BETWEEN_LINES.split(patch)):
                first = "   → " if not number else "     "
                lines += wrap_plain(change, WIDTH, first, "     ")
            texts.append("\n".join([*lines, *wrap_plain(verdict, WIDTH, "     ")]))
        title = "Tried on the script itself, untouched, with the remedy, and changed at random:"
        return "\n\n".join([title, *texts])

    def to_dict(self) -> dict[str, Any]:
        """All of it as JSON can hold it."""
        return {
            "trainings": [training.to_dict() for training in self.trainings],
            "crash": self.crash or None,
            "nothing": self.nothing or None,
            "failure": self.failure or None,
            "unwatched": self.unwatched,
        }


def first_and_last(losses: Sequence[tuple[int, float]]) -> tuple[float, float] | None:
    """The mean of the first and of the last twentieth of the losses, at least one each."""
    if not losses:
        return None
    count = max(1, min(len(losses) // 20, 50))
    values = [loss for _, loss in losses]
    return sum(values[:count]) / count, sum(values[-count:]) / count


def _number(value: float) -> str:
    return f"{value:.3g}" if math.isfinite(value) else str(value)
