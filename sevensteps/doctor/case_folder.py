"""A case in a folder: what was seen, and what the network answered while it was there, so that it
can be diagnosed later and elsewhere.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import safetensors.torch
from torch import Tensor

from sevensteps.doctor.case import Case
from sevensteps.doctor.finding import Finding
from sevensteps.doctor.trials.trial import Trial
from sevensteps.errors import RunError
from sevensteps.observe.observation import Observation, deserialize_look, serialize_look
from sevensteps.record.database import FILE, Record, read_watched
from sevensteps.record.run_folder import create, finite, read_json, write_json

if TYPE_CHECKING:
    from sevensteps.doctor.diagnosis import Diagnosis

Read = TypeVar("Read")
SCHEMA = 1
NUMBERS = (
    "scores",
    "curvature",
    "learned",
    "chance",
)  # answers that are JSON; kept under these names of `Case`
ROWS = 2048  # of outputs and validation data that are kept
MOST = 1_000_000  # numbers of the validation inputs that are kept


def save(case: Case, folder: Path | str) -> Path:
    """Write `case` into a new folder, with the findings of today. Returns the folder."""
    from sevensteps.doctor import examine

    made = create(folder, "watch")
    findings = examine(case).to_dict()
    record = Record(made)
    try:
        keep(case, record)
    finally:
        record.close()
    write_json(
        made / "watch.json",
        {"schema": SCHEMA, "steps": case.steps, "network": case.facts.network, **findings},
    )
    return made


def keep_seen(observed: Observation, record: Record) -> None:
    """Write what was seen so far of a training into its record, in place of what was there."""
    record.forget_watched()
    for look in observed.looks:
        record.look(look.step, "look", *serialize_look(look))
    samples = {name: t for name, t in (("x", observed.x), ("y", observed.y)) if t is not None}
    record.watched(
        "observed", json.dumps(finite(observed.to_dict())), safetensors.torch.save(samples)
    )


def keep_before(findings: list[Finding], record: Record) -> None:
    """Write what was found before the first step of a training into its record."""
    record.watched("before", json.dumps(finite([finding.to_dict() for finding in findings])))


def seen(folder: Path, step: int) -> tuple[Observation, list[Finding]] | None:
    """What `keep_seen` (or `keep`) and `keep_before` wrote, as far as step `step`; None where
    nothing was.

    Raises `RunError` where it is damaged.
    """
    looks, held = read_watched(folder) if (folder / FILE).is_file() else ([], {})
    if "observed" not in held or "before" not in held:
        return None

    def read() -> tuple[Observation, list[Finding]]:
        observed = Observation.from_dict(json.loads(held["observed"]["held"]))
        observed.looks = [
            deserialize_look(row["numbers"], row["tensors"])
            for row in looks
            if row["kind"] == "look" and row["step"] < step
        ]
        observed.losses = [(s, loss) for s, loss in observed.losses if s < step]
        observed.rates = [(s, lr) for s, lr in observed.rates if s < step]
        samples = (
            safetensors.torch.load(held["observed"]["tensors"])
            if held["observed"]["tensors"]
            else {}
        )
        observed.x, observed.y = samples.get("x"), samples.get("y")
        return observed, [Finding.from_dict(found) for found in json.loads(held["before"]["held"])]

    return _told(folder, read)


def keep(case: Case, record: Record) -> None:
    """Write looks, facts, samples and answers of `case` into the record of a run."""
    record.forget_watched()
    for look in case.looks:
        record.look(look.step, "look", *serialize_look(look))
    if case.probe is not None:
        record.look(case.probe.step, "probe", *serialize_look(case.probe))
    record.watched("observed", json.dumps(finite(case.observation.to_dict())))
    asked = [
        name for name in NUMBERS if name != "curvature" or name in vars(case)
    ]  # that takes long, and few conditions ask for it
    record.watched(
        "answers", json.dumps({name: getattr(case, name) for name in asked})
    )  # a network that diverged has scores of NaN
    tensors: dict[str, Tensor | None] = {"train.outputs": case.train_outputs}
    for name, pair in (("train", case.sample), ("valid", case.valid)):
        if pair is not None and len(pair[0]):
            rows = min(ROWS, max(1, MOST // max(pair[0][0].numel(), 1)))
            tensors |= {f"{name}.x": pair[0][:rows], f"{name}.y": pair[1][:rows]}
            if name == "valid" and case.valid_outputs is not None:
                tensors["valid.outputs"] = case.valid_outputs[:rows]
    whole = {
        name: t.detach().cpu().contiguous().clone() for name, t in tensors.items() if t is not None
    }
    record.watched("samples", "{}", safetensors.torch.save(whole))


def remember(folder: Path, diagnosis: Diagnosis) -> None:
    """Write the findings, with the trials of their remedies, into the folder that they are of."""
    path = folder / ("watch.json" if (folder / "watch.json").is_file() else "run.json")
    write_json(path, {**read_json(path), **diagnosis.to_dict()})


def recall(folder: Path, diagnosis: Diagnosis) -> None:
    """Add the trials that `remember` wrote to the findings of a diagnosis of today."""
    path = folder / ("watch.json" if (folder / "watch.json").is_file() else "run.json")

    def read() -> dict[str, list[Trial]]:
        return {
            held["condition"]: [Trial.from_dict(trial) for trial in held["trials"]]
            for held in read_json(path)["findings"]
        }

    kept = _told(folder, read)
    for finding in diagnosis.findings:
        finding.trials += kept.get(finding.condition, [])


def load(folder: Path) -> Case:
    """The case in a folder. Raises `RunError` where there is none, or it is damaged."""
    looks, held = read_watched(folder)
    if "observed" not in held:
        raise RunError(
            f"{folder} was not watched, so there is nothing to diagnose; train again, or use "
            "ss.watch and watch.save(folder)"
        )
    return _told(folder, lambda: _load(looks, held))


def _load(looks: list[dict[str, Any]], held: dict[str, dict[str, Any]]) -> Case:
    observed = Observation.from_dict(json.loads(held["observed"]["held"]))
    seen = [(row["kind"], deserialize_look(row["numbers"], row["tensors"])) for row in looks]
    observed.looks = [look for kind, look in seen if kind == "look"]
    tensors = safetensors.torch.load(held["samples"]["tensors"]) if "samples" in held else {}
    pairs = {
        name: (tensors[f"{name}.x"], tensors[f"{name}.y"])
        for name in ("train", "valid")
        if f"{name}.x" in tensors
    }
    case = Case(observed, None, train=pairs.get("train"), valid=pairs.get("valid"))
    answers = json.loads(held["answers"]["held"]) if "answers" in held else {}
    # The answers stand where the case would keep them if it had asked itself.
    case.__dict__.update({name: answers[name] for name in NUMBERS if name in answers})
    case.__dict__.update(
        sample=pairs.get("train"),
        probe=next((look for kind, look in seen if kind == "probe"), None),
        train_outputs=tensors.get("train.outputs"),
        valid_outputs=tensors.get("valid.outputs"),
    )
    if case.__dict__.get("scores") and any(not isinstance(v, float) for v in case.scores.values()):
        raise ValueError("scores are not numbers")
    return case


def _told(folder: Path, read: Callable[[], Read]) -> Read:
    try:
        return read()
    except (
        ValueError,
        KeyError,
        TypeError,
        AttributeError,
        IndexError,
        safetensors.SafetensorError,
        RecursionError,
    ) as failure:
        raise RunError(
            f"what watching saw in {folder} is damaged: {type(failure).__name__}: "
            f"{str(failure)[:200]}"
        ) from None
