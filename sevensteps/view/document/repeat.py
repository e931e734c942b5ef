"""How to repeat a training: its recipe, the command, versions, machine and hashes."""

from __future__ import annotations

import hashlib
import platform
from collections.abc import Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import torch

from sevensteps import __version__
from sevensteps.record.summary import RunSummary
from sevensteps.render.text import shell_quote
from sevensteps.view.document.numbers import facts, time_text

Document = dict[str, Any]
HASHED = ("weights.safetensors", "best.safetensors", "recipe.toml")


def repeat_document(
    summary: RunSummary, recipe: str, folder: Path | None, digest: str = ""
) -> Document:
    """The repeat part of a run; `digest` is the fingerprint of its data."""
    rows = [
        ("seed", str(summary.seed)),
        ("device", summary.device),
        ("threads", str(summary.threads)),
        ("precision", summary.precision),
        ("finished", _moment(summary.finished)),
        ("training took", "" if summary.seconds is None else time_text(summary.seconds)),
        *versions(summary.versions),
        ("processor", platform.machine()),
        *((f"SHA-256 of {name}", value) for name, value in hashes(folder)),
        ("fingerprint of the data", digest),
    ]
    content: Document = {
        "recipe": recipe.strip(),
        "facts": facts(rows),
    }
    if folder is not None:
        path = shell_quote(shown_path(folder / "recipe.toml"))
        content["command"] = f"sevensteps train --recipe {path}"
    return content


def _moment(text: str) -> str:
    """A time as people read it: 2026-12-01 02:15 UTC."""
    try:
        return datetime.fromisoformat(text).astimezone(UTC).strftime("%Y-%m-%d %H:%M UTC")
    except (TypeError, ValueError):
        return text or ""


def shown_path(path: Path) -> str:
    """A path as a command names it: from the current folder, where it lies in that."""
    here = Path.cwd()
    return str(path.relative_to(here) if path.is_relative_to(here) else path)


def versions(recorded: Mapping[str, str | None]) -> list[tuple[str, str]]:
    """Names and versions of what it was computed with."""
    return [(name, str(text)) for name, text in recorded.items() if text]


def versions_here() -> list[tuple[str, str]]:
    """Names and versions of what runs here."""
    return [
        ("python", platform.python_version()),
        ("sevensteps", __version__),
        ("torch", torch.__version__),
        ("processor", platform.machine()),
    ]


def hashes(folder: Path | None) -> list[tuple[str, str]]:
    """SHA-256 of the files of a run that say whether it was repeated to the bit."""
    if folder is None:
        return []
    return [
        (name, hashlib.sha256((folder / name).read_bytes()).hexdigest())
        for name in HASHED
        if (folder / name).is_file()
    ]
