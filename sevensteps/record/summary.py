"""`RunSummary`: what `run.json` says of a finished training, checked when it is read."""

from __future__ import annotations

import functools
import operator
from dataclasses import asdict, dataclass, field, fields
from pathlib import Path
from typing import Any

from sevensteps.errors import RunError
from sevensteps.notation import cut
from sevensteps.record.run_folder import read_json

SCHEMA = 1
LARGEST = 1 << 64  # of a whole number; more is no count of anything here

COUNT, NUMBER, TEXT, NAMES, LIST = "a whole number", "a number", "a text", "texts by name", "a list"
METRICS = "numbers by name, the loss among them"
REQUIRED = {  # what every reader of a run counts on, in the order in which it is checked
    "epochs": COUNT,
    "steps": COUNT,
    "seconds": NUMBER,
    "findings": LIST,
    "stop": NAMES,
    "stop.rule": TEXT,
    "stop.reason": TEXT,
    "seed": COUNT,
    "device": TEXT,
    "threads": COUNT,
    "precision": TEXT,
    "recipe": NAMES,
    "recipe.data": TEXT,
    "recipe.predict": TEXT,
    "recipe.repeat": TEXT,
    "recipe.stop": TEXT,
    "metrics.train": METRICS,
    "metrics.valid": METRICS,
    "best.epoch": COUNT,
    "best.metrics.train": METRICS,
    "best.metrics.valid": METRICS,
}
ABSENT: dict[
    str, Any
] = {  # what a file may lack without being refused, and what stands for it then
    "run": "",
    "finished": "",
    "samples_per_second": None,
    "reasons": {},
    "parameters": 0,
    "versions": {},
}

MetricsByPart = dict[str, dict[str, Any]]  # of "train" and "valid": loss, accuracy or r2, by_class


@dataclass(frozen=True)
class StopReason:
    """The rule that ended a training, such as "epochs", and the reason in a sentence."""

    rule: str
    reason: str


@dataclass(frozen=True)
class BestEpoch:
    """The epoch with the best validation metric, and the metrics there."""

    epoch: int
    metrics: MetricsByPart


@dataclass(frozen=True, kw_only=True)
class RunSummary:
    """What `run.json` says of a finished training: a field for each key, in the order of the file.

    A field whose default is None is in the file only where it is not None. `seconds` is the time
    spent training, `compile_seconds` went before that into `compiled()`, once on a machine;
    `metrics` are those at the last epoch; `recipe` has the data and the seven steps as text,
    `reasons` why each step was chosen. The doctor writes `findings`, `ruled_out`,
    `not_judged`, `before` and `watched`; `healed` lists the changes that led to the run. `other`
    has the keys that this version does not know. In a file, null is a number that was not finite.
    """

    schema: int = SCHEMA
    run: str
    finished: str
    stop: StopReason
    epochs: int
    steps: int
    seconds: float | None
    compile_seconds: float | None = None
    samples_per_second: float | None
    seed: int
    device: str
    threads: int
    processes: int | None = None
    precision: str
    metrics: MetricsByPart
    best: BestEpoch
    findings: list[dict[str, Any]]
    recipe: dict[str, str]
    reasons: dict[str, str]
    parameters: int
    data: dict[str, Any]
    versions: dict[str, str | None]
    ruled_out: list[dict[str, Any]] | None = None
    not_judged: list[dict[str, Any]] | None = None
    before: list[dict[str, Any]] | None = None
    watched: dict[str, Any] | None = None
    healed: list[dict[str, Any]] | None = None
    other: dict[str, Any] = field(default_factory=dict)

    def to_dict(self) -> dict[str, Any]:
        """The content of `run.json`, keys in order."""
        content = asdict(self)
        for entry in fields(self):
            if entry.default is None and content[entry.name] is None:
                del content[entry.name]
        other: dict[str, Any] = content.pop("other")
        return content | other

    @classmethod
    def from_dict(cls, content: dict[str, Any], file: Path | str = "run.json") -> RunSummary:
        """The summary in the content of a `run.json`. Raises `RunError`, which names the `file`,
        where the schema is newer or a value is not what it has to be.
        """
        if not isinstance(version := content.get("schema"), int) or version > SCHEMA:
            raise RunError(
                f"{file} has schema {cut(repr(version))}; this sevensteps reads up to {SCHEMA}"
            )
        try:
            for path, kind in REQUIRED.items():
                value = functools.reduce(operator.getitem, path.split("."), content)
                if kind == METRICS and isinstance(value, dict) and "loss" not in value:
                    raise KeyError("loss")
                if not _is(kind, value):
                    raise RunError(
                        f"{file} is damaged: {path} must be {kind}, not {cut(repr(value))}"
                    )
            stop, best, known = content["stop"], content["best"], {f.name for f in fields(cls)}
            known.discard("other")
            return cls(
                **ABSENT
                | {key: value for key, value in content.items() if key in known}
                | {
                    "stop": StopReason(stop["rule"], stop["reason"]),
                    "best": BestEpoch(best["epoch"], best["metrics"]),
                    "data": content["data"],
                    "other": {key: value for key, value in content.items() if key not in known},
                }
            )
        except (KeyError, TypeError) as failure:
            raise RunError(
                f"{file} is damaged: {type(failure).__name__}: {cut(str(failure), 300)}"
            ) from None


def read_summary(folder: Path) -> RunSummary:
    """The summary in `run.json` of a run folder. Raises `RunError`."""
    file = folder / "run.json"
    return RunSummary.from_dict(read_json(file), file)


def _is(kind: str, value: Any) -> bool:
    """Whether `value` is of this kind. A number may be None, which stands for one that was not
    finite.
    """
    if kind == METRICS:
        return (
            isinstance(value, dict)
            and all(_is(NUMBER, number) for name, number in value.items() if name != "by_class")
            and (
                isinstance(by_class := value.get("by_class", {}), dict)
                and all(_is(NUMBER, number) for number in by_class.values())
            )
        )
    if kind == NAMES:
        return isinstance(value, dict) and all(isinstance(text, str) for text in value.values())
    if kind == NUMBER:
        return (
            value is None
            or isinstance(value, float)
            or (type(value) is int and abs(value) <= LARGEST)
        )
    if kind == COUNT:
        return type(value) is int and 0 <= value <= LARGEST
    return isinstance(value, str if kind == TEXT else list)
