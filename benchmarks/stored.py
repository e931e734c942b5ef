"""What was measured, a file for each machine: `benchmarks/results/<machine>.json`.

A machine is a processor, the cores that may be used and PyTorch's version
(`benchmarks.speed.machine.identity`). Its file holds pieces, `kind` -> name -> what was measured,
each with the date: a run on another machine adds a file, a run of one case replaces one piece.
`benchmarks/RESULTS.md` is written from all files (`benchmarks.report`)."""

from __future__ import annotations

import json
import os
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

FOLDER = Path(__file__).resolve().parent / "results"


def slug(machine: Mapping[str, Any]) -> str:
    """The file's name: as `amd-epyc-family-26-model-2-2-cores-torch-2.13.0`."""
    text = f"{machine['processor']} {machine['cores']} cores torch {machine['torch']}"
    return re.sub(r"[^a-z0-9.]+", "-", text.lower()).strip("-")


def load(folder: Path = FOLDER) -> list[dict[str, Any]]:
    """All machines, by file name, each {"machine": identity, "kind": {"name": piece}}."""
    return [json.loads(file.read_text(encoding="utf-8")) for file in sorted(folder.glob("*.json"))]


def store(
    machine: Mapping[str, Any], kind: str, pieces: Mapping[str, Any], folder: Path = FOLDER
) -> Path:
    """Put `pieces` of a `kind` into the file of `machine`, in place of those of the same names; the
    file is replaced whole, or not at all.
    """
    folder.mkdir(parents=True, exist_ok=True)
    file = folder / f"{slug(machine)}.json"
    measured = json.loads(file.read_text(encoding="utf-8")) if file.exists() else {}
    measured["machine"] = dict(machine)
    measured[kind] = {**measured.get(kind, {}), **pieces}
    text = json.dumps(measured, indent=1, sort_keys=True, allow_nan=False, ensure_ascii=False)
    unfinished = file.with_suffix(f".{os.getpid()}.tmp")
    unfinished.write_text(f"{text}\n", encoding="utf-8")
    unfinished.replace(file)
    return file
