"""A case in a folder, so that it can be diagnosed later and on another machine.

The folder holds what was observed, and what the network answered while it was there; the network
itself is not stored.
"""

from __future__ import annotations

import json
import os
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

import safetensors.torch
from torch import Tensor

from sevensteps.doctor.case import Case
from sevensteps.doctor.conditions import condition_names
from sevensteps.doctor.examination import examine
from sevensteps.doctor.finding import Finding
from sevensteps.doctor.trials.trial import Trial
from sevensteps.errors import RunError
from sevensteps.observe.observation import Observation
from sevensteps.observe.stored_look import deserialize_look, serialize_look
from sevensteps.record.database import FILE, Record, read_watched
from sevensteps.record.run_folder import (
    create,
    inside,
    nan_to_null,
    read_json,
    write,
    write_json,
)
from sevensteps.record.tensors import read_tensors, to_safetensors

SCHEMA = 1
# answers that are JSON: key in the record -> attribute of `Case`
NUMBERS = {
    "scores": "scores",
    "curvature": "curvature",
    "learned": "skill",
    "chance": "baseline_score",
}
MAX_ROWS = 2048  # of outputs and validation data that are stored
# numbers of the inputs that are stored: of the training samples as many as simple models look at,
# of the validation samples what tells how they are scaled
MAX_NUMBERS = {"train": 1_000_000, "valid": 400_000}


def save_case(case: Case, folder: Path | str) -> Path:
    """Write `case` and its present findings into a new folder, and return the folder.

    Raises `RunError` where the folder is not empty, or cannot be written.
    """
    created = create(folder, "watch")
    findings = examine(case).to_dict()
    record = Record(created)
    try:
        write_case(case, record)
    finally:
        record.close()
    write_json(
        created / "watch.json",
        {"schema": SCHEMA, "steps": case.steps, "network": case.facts.network, **findings},
    )
    return created


SAMPLES = "samples.safetensors"  # beside the record of a member of a race


def write_unexamined(case: Case, folder: Path, record: Record, samples: Path | None) -> Path:
    """Write what was observed of a training that is not examined, so that `load_case` can let its
    network be asked later. `samples` is the file of another one on the same data, which is linked.

    Returns the file of the samples.
    """
    _write_observed(case.observation, record, b"")
    write_first_findings([], record)
    path = folder / SAMPLES
    if samples is not None:
        with suppress(OSError):  # a file system without links
            os.link(samples, path)
            return samples
    write(path, to_safetensors(_sample_tensors(case)))
    return path


def write_observation(observation: Observation, record: Record) -> None:
    """Write what was observed of a training so far into `record`, in place of what was there."""
    samples = {name: t for name, t in (("x", observation.x), ("y", observation.y)) if t is not None}
    _write_observed(observation, record, safetensors.torch.save(samples))


def _write_observed(observation: Observation, record: Record, samples: bytes) -> None:
    with record.together():
        record.forget_watched()
        for look in observation.looks:
            record.look(look.step, "look", *serialize_look(look))
        content = json.dumps(nan_to_null(observation.to_dict()))
        record.watched("observed", content, samples)


def write_first_findings(findings: list[Finding], record: Record) -> None:
    """Write the findings of the examination before the first step into `record`."""
    record.watched("before", json.dumps(nan_to_null([finding.to_dict() for finding in findings])))


def read_observation(folder: Path, step: int) -> tuple[Observation, list[Finding]] | None:
    """The observation of a training in `folder` up to step `step`, and its first findings.

    None where none was written. Raises `RunError` where it is damaged.
    """
    looks, entries = read_watched(folder) if (folder / FILE).is_file() else ([], {})
    if "observed" not in entries or "before" not in entries:
        return None
    with damage_reported(folder):
        observation = Observation.from_dict(json.loads(entries["observed"]["held"]))
        observation.looks = [
            deserialize_look(row["numbers"], row["tensors"])
            for row in looks
            if row["kind"] == "look" and row["step"] < step
        ]
        observation.losses = [(s, loss) for s, loss in observation.losses if s < step]
        observation.extremes = observation.extremes.before(step)
        observation.rates = [(s, lr) for s, lr in observation.rates if s < step]
        packed = entries["observed"]["tensors"]
        samples = safetensors.torch.load(packed) if packed else {}
        observation.x, observation.y = samples.get("x"), samples.get("y")
        findings = json.loads(entries["before"]["held"])
        return observation, [Finding.from_dict(finding) for finding in findings]


def write_case(case: Case, record: Record) -> None:
    """Write looks, facts, samples and the network's answers of `case` into the record of a run."""
    with record.together():
        _write_case(case, record)


def _write_case(case: Case, record: Record) -> None:
    record.forget_watched()
    for look in case.looks:
        record.look(look.step, "look", *serialize_look(look))
    if case.probe is not None:
        record.look(case.probe.step, "probe", *serialize_look(case.probe))
    record.watched("observed", json.dumps(nan_to_null(case.observation.to_dict())))
    # the curvature takes long, and few conditions ask for it: only where it is there already
    answers = {
        key: getattr(case, name)
        for key, name in NUMBERS.items()
        if name != "curvature" or name in vars(case)
    }
    if unusable := [note for note in case.not_judged if note[0] not in condition_names()]:
        answers["not_judged"] = unusable  # what was not judged then cannot be judged later
    record.watched("answers", json.dumps(answers))  # a network that diverged has scores of NaN
    tensors = _sample_tensors(case)
    if case.train_outputs is not None:
        tensors["train.outputs"] = case.train_outputs
    if "valid.x" in tensors and case.valid_outputs is not None:
        tensors["valid.outputs"] = case.valid_outputs[: len(tensors["valid.x"])]
    record.watched("samples", "{}", to_safetensors(tensors))


def _sample_tensors(case: Case) -> dict[str, Tensor]:
    """Inputs and targets of both parts, no more than a folder holds."""
    tensors: dict[str, Tensor] = {}
    for part, pair in (("train", case.sample), ("valid", case.valid)):
        if pair is not None and len(pair[0]):
            rows = min(MAX_ROWS, max(1, MAX_NUMBERS[part] // max(pair[0][0].numel(), 1)))
            tensors |= {f"{part}.x": pair[0][:rows], f"{part}.y": pair[1][:rows]}
    return tensors


def write_findings(folder: Path, findings: dict[str, Any]) -> None:
    """Write the findings, as `Diagnosis.to_dict` gives them, into the folder of their training.

    The file keeps its time, by which runs are ordered: that of the end of the training.
    """
    path = _findings_file(folder)
    content, status = read_json(path), path.stat()
    write_json(path, {**content, **findings})
    with suppress(OSError):  # of a file system that has no such times
        os.utime(path, ns=(status.st_atime_ns, status.st_mtime_ns))


def add_recorded_trials(folder: Path, findings: list[Finding]) -> None:
    """Add the trials that `write_findings` wrote to the same conditions among `findings`.

    Raises `RunError` where the file is damaged.
    """
    with damage_reported(folder):
        trials = {
            finding["condition"]: [Trial.from_dict(trial) for trial in finding["trials"]]
            for finding in read_json(_findings_file(folder))["findings"]
        }
    for finding in findings:
        finding.trials += trials.get(finding.condition, [])


def load_case(folder: Path) -> Case:
    """The case in `folder`. Raises `RunError` where there is none, or it is damaged.

    That of a member of a race that was not examined holds samples and no answers: it has to be
    given the network (`Case.network`), which then answers.
    """
    looks, entries = read_watched(folder)
    if "observed" not in entries:
        raise RunError(
            f"{folder} was not watched, so there is nothing to diagnose; train again, or use "
            "ss.watch and watch.save(folder)"
        )
    samples = {}
    if "answers" not in entries and inside(folder / SAMPLES).is_file():
        samples = read_tensors(folder / SAMPLES)
    with damage_reported(folder):
        return _unpack_case(looks, entries, samples)


def _unpack_case(
    looks: list[dict[str, Any]], entries: dict[str, dict[str, Any]], samples: dict[str, Tensor]
) -> Case:
    observation = Observation.from_dict(json.loads(entries["observed"]["held"]))
    unpacked = [(row["kind"], deserialize_look(row["numbers"], row["tensors"])) for row in looks]
    observation.looks = [look for kind, look in unpacked if kind == "look"]
    tensors = (
        safetensors.torch.load(entries["samples"]["tensors"]) if "samples" in entries else samples
    )
    pairs = {
        part: (tensors[f"{part}.x"], tensors[f"{part}.y"])
        for part in ("train", "valid")
        if f"{part}.x" in tensors
    }
    case = Case(observation, None, train=pairs.get("train"), valid=pairs.get("valid"))
    if samples:
        return case
    answers = json.loads(entries["answers"]["held"]) if "answers" in entries else {}
    case.not_judged += [(str(what), str(why)) for what, why in answers.get("not_judged", [])]
    # The answers go where the case's cached properties would have put their own.
    case.__dict__.update({name: answers[key] for key, name in NUMBERS.items() if key in answers})
    case.__dict__.update(
        sample=pairs.get("train"),
        probe=next((look for kind, look in unpacked if kind == "probe"), None),
        train_outputs=tensors.get("train.outputs"),
        valid_outputs=tensors.get("valid.outputs"),
    )
    if case.__dict__.get("scores") and any(not isinstance(v, float) for v in case.scores.values()):
        raise ValueError("scores are not numbers")
    return case


def _findings_file(folder: Path) -> Path:
    watched = folder / "watch.json"
    return watched if watched.is_file() else folder / "run.json"


@contextmanager
def damage_reported(folder: Path) -> Iterator[None]:
    """Raise `RunError` in place of whatever damaged content of `folder` makes the block raise."""
    try:
        yield
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
