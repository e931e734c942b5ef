"""Which line of a script a finding is about: where the optimizer is made, or `backward` called."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Literal

from sevensteps.doctor.finding import Finding

Place = Literal["optimizer", "backward"]
# conditions whose cause is a setting of the optimizer, or stands at the backward pass
LINES: dict[str, Place] = {
    "learning_rate_too_high": "optimizer",
    "learning_rate_too_low": "optimizer",
    "optimizer_setting": "optimizer",
    "weight_decay_too_strong": "optimizer",
    "updates_rounded_away": "optimizer",
    "schedule_collapsed": "optimizer",
    "gradient_not_cleared": "backward",
}
SENTENCES: dict[Place, str] = {
    "optimizer": "The optimizer is made at {}.",
    "backward": "backward() is called at {}.",
}


def name_lines(findings: Iterable[Finding], places: Mapping[Place, str]) -> None:
    """Add to each of `findings`, and to those that they explain, the line that it is about.

    `places` are lines such as `train.py:41`; "" for one that is not known, as of a loop in a
    notebook. A finding that names that line already stays as it is.
    """
    for finding in findings:
        name_lines(finding.symptoms, places)
        place = LINES.get(finding.condition)
        line = places.get(place, "") if place is not None else ""
        if place is None or not line or line in finding.explanation:
            continue
        finding.explanation = f"{finding.explanation.rstrip()} {SENTENCES[place].format(line)}"
        finding.where.setdefault("line", line)
