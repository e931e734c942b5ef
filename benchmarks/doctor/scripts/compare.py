"""A watched start beside the unwatched one: what differs, and whether the diagnosis is right."""

from __future__ import annotations

import io
import zipfile
from typing import Any

from benchmarks.doctor.scripts.catalogue import Script
from benchmarks.doctor.scripts.start import Outcome

SERIOUS = ("warning", "error")


def differences(script: Script, plain: Outcome, watched: Outcome) -> list[str]:
    """What the watch changed of what the script itself gives; nothing, if all is well."""
    changed = []
    if plain.code != watched.code:
        changed.append(f"exit code {watched.code}, not {plain.code}")
    if set(plain.files) != set(watched.files):
        changed.append(f"files {sorted(watched.files)}, not {sorted(plain.files)}")
    if plain.code and _last_line(plain.stderr) not in watched.stderr:
        changed.append(f"no {_last_line(plain.stderr)[:60]!r} on standard error")
    if not script.repeatable:
        return changed
    if plain.stdout != watched.stdout:
        changed.append(f"stdout: {_first_difference(plain.stdout, watched.stdout)}")
    for name in sorted(set(plain.files) & set(watched.files)):
        if plain.files[name] != watched.files[name]:
            changed.append(f"{name}: {_how(plain.files[name], watched.files[name])}")
    return changed


def _last_line(text: str) -> str:
    lines = text.strip().splitlines()
    return lines[-1] if lines else ""


def _first_difference(plain: bytes, watched: bytes) -> str:
    ours, theirs = watched.splitlines(), plain.splitlines()
    for own, other in zip(ours, theirs, strict=False):
        if own != other:
            return f"{own[:50]!r}, not {other[:50]!r}"
    return f"{len(ours)} lines, not {len(theirs)}"


def _how(plain: bytes, watched: bytes) -> str:
    """Whether two saved files differ in their tensors (torch.save's zip holds one member for each
    storage) or around them only."""
    if not all(zipfile.is_zipfile(io.BytesIO(content)) for content in (plain, watched)):
        return "other bytes"
    own, other = (_storages(content) for content in (watched, plain))
    return "other tensors" if own != other else "the same tensors in other bytes"


def _storages(content: bytes) -> dict[str, bytes]:
    with zipfile.ZipFile(io.BytesIO(content)) as archive:
        return {name: archive.read(name) for name in archive.namelist() if "/data/" in name}


def diagnoses(report: dict[str, Any] | None) -> list[dict[str, Any]]:
    """The diagnoses in what `sevensteps watch --json` wrote: one for each training it saw."""
    return [training["diagnosis"] for training in (report or {}).get("trainings", [])]


def serious(report: dict[str, Any] | None) -> list[dict[str, Any]]:
    """The warnings and errors of every training, ranked as they are."""
    return [
        finding
        for diagnosis in diagnoses(report)
        for finding in diagnosis["findings"]
        if finding["severity"] in SERIOUS
    ]


def verdict(script: Script, watched: Outcome) -> str:
    """How right the watch is.

    Healthy: silent or accused. Faulty: right (the first warning or error), listed (right, but not
    the first), near, wrong, silent. A crash: explained or unexplained. Unseen: it saw no training.
    Failed: it wrote no report.
    """
    if watched.report is None:
        return "failed"
    names = [finding["condition"] for finding in serious(watched.report)]
    if script.crash is not None:
        return "explained" if explained(script, watched) else "unexplained"
    if not watched.report.get("trainings"):
        return "unseen"
    if script.kind == "healthy":
        return "accused" if names else "silent"
    if not names:
        return "silent"
    if names[0] in script.accepted:
        return "right"
    if set(names) & set(script.accepted):
        return "listed"
    return "near" if set(names) & set(script.near) else "wrong"


def explained(script: Script, watched: Outcome) -> bool:
    """Whether a crash is explained: a right condition, or each of its words in what the watch says
    of it (not in the traceback, which is the script's own)."""
    if any(finding["condition"] in script.accepted for finding in serious(watched.report)):
        return True
    text = ((watched.report or {}).get("crash") or "").lower()
    return bool(script.crash) and all(
        any(word.lower() in text for word in words.split("|")) for words in script.crash or ()
    )
