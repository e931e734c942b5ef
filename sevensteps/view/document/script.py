"""The document of a script that was watched: of its one training, or of several side by side."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from sevensteps import __version__
from sevensteps.doctor.report.script import BETWEEN_LINES, ProcessReport, TrainingReport
from sevensteps.doctor.trials.trial import ScriptTrial
from sevensteps.render.text import count_text
from sevensteps.view.document.numbers import SCHEMA, finite
from sevensteps.view.document.verdict import UNKNOWN, trial_document

Document = dict[str, Any]
MOST = 8  # trainings that are shown
REPLACED = re.compile("`(.+)` → `(.+)`")


def script_document(report: ProcessReport, title: str) -> Document:
    """The document of what was seen of a script; `title` names the script."""
    trainings = [training for training in report.trainings if training.document]
    documents = [_with_trials(training) for training in trainings[:MOST]]
    remarks = [text for text in (*report.others, report.crash, report.nothing) if text]
    if report.failure:
        remarks.append(f"The watch itself failed, and saw nothing from then on: {report.failure}")
    if len(documents) == 1:
        document = {**documents[0], "title": title, "subtitle": _subtitle(trainings[0])}
        if remarks:
            basis = " ".join([*remarks, document["verdict"]["basis"]])
            document["verdict"] = {**document["verdict"], "basis": basis}
        return document
    content: Document = {
        "schema": SCHEMA,
        "kind": "watched",
        "title": title,
        "subtitle": f"{count_text(len(report.trainings), 'training')} seen",
        "version": __version__,
    }
    if documents:
        content["kind"] = "comparison"
        content["comparison"] = _side_by_side(trainings[:MOST], documents, remarks)
        return content
    content["verdict"] = {
        "state": "unknown",
        "sentence": UNKNOWN if not report.crash else report.crash,
        "basis": " ".join(remarks),
        "findings": [],
    }
    return content


def _subtitle(training: TrainingReport) -> str:
    return training.headline()


def _side_by_side(
    trainings: list[TrainingReport], documents: list[Document], remarks: list[str]
) -> Document:
    names = [f"{n}. {training.network}" for n, training in enumerate(trainings, 1)]
    findings = [
        ", ".join(str(finding["condition"]) for finding in training.diagnosis.get("findings", ()))
        or "none"
        for training in trainings
    ]
    rows: list[tuple[str, list[Any]]] = [
        ("findings", findings),
        ("steps", [training.steps for training in trainings]),
        ("first loss", [finite(t.losses[0], 4) if t.losses else None for t in trainings]),
        ("last loss", [finite(t.losses[1], 4) if t.losses else None for t in trainings]),
        ("optimizers", [", ".join(training.optimizers) for training in trainings]),
    ]
    return {
        "runs": names,
        "recipe": [],
        "results": [{"name": name, "values": values} for name, values in rows],
        "notes": remarks,
        "documents": documents,
    }


def _with_trials(training: TrainingReport) -> Document:
    """The document of a training with what came of trials of the script itself."""
    document = dict(training.document or {})
    trials = {
        finding["condition"]: finding["trials"]
        for finding in training.diagnosis.get("findings", ())
        if finding.get("trials")
    }
    if not trials or "verdict" not in document:
        return document
    findings = [
        _tried(finding, trials.get(finding["condition"], []))
        for finding in document["verdict"]["findings"]
    ]
    document["verdict"] = {**document["verdict"], "findings": findings}
    return document


def _tried(finding: Mapping[str, Any], trials: list[dict[str, Any]]) -> Document:
    content = {**finding, "trials": [trial_document(ScriptTrial.from_dict(t)) for t in trials]}
    code = [(trial["change"], patch_lines(trial["patch"])) for trial in trials if "patch" in trial]
    remedies = [dict(remedy) for remedy in finding["remedies"]]
    for change, lines in code:
        own = next((remedy for remedy in remedies if remedy["change"] == change), None)
        if own is None:
            remedies.append({"change": change, "why": "", "advice": "", "code": lines})
        else:
            own["code"] = lines
    return content | {"remedies": remedies}


def patch_lines(patch: str) -> list[Document]:
    """What was changed in a script, as lines that go and lines that come.

    >>> [(line["kind"], line["text"]) for line in patch_lines("train.py:12: `lr=10` → `lr=0.1`")]
    [('remove', 'lr=10'), ('add', 'lr=0.1')]
    """
    lines: list[Document] = []
    for change in BETWEEN_LINES.split(patch):
        place, _, text = change.partition(": ")
        file, _, number = place.rpartition(":")
        where: Document = {"file": file, "line": int(number)} if number.isdigit() else {}
        replaced = REPLACED.fullmatch(text)
        if not where:
            lines.append({"kind": "add", "text": change})
        elif replaced is None:
            lines.append({"kind": "add", "text": text, **where})
        else:
            lines.append({"kind": "remove", "text": replaced[1], **where})
            lines.append({"kind": "add", "text": replaced[2], **where})
    return lines
