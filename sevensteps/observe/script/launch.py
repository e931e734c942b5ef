"""How Python is started so that a script in it is watched: by two variables of the environment."""

from __future__ import annotations

import json
import os
import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

VARIABLE = "SEVENSTEPS_WATCH"
STARTUP = str(Path(__file__).resolve().parent / "startup")
PACKAGE = str(Path(__file__).resolve().parents[3])  # the folder that `sevensteps` is in


def watch_settings(
    entry: str,
    *,
    json_file: Path | None,
    report_file: Path | None,
    budget: float,
    prints: bool,
    keep: bool,
    plans: bool = False,
) -> dict[str, Any]:
    """What a watched Python is told: `entry` is the module whose `activate(settings)` it calls.

    Where it `prints`, it gives the diagnosis itself at its end, else it leaves it in "folder" for
    another process, with what can be tried of it where it `plans`. Where it is to `keep` the
    environment, its children are watched as well.
    """
    folder = Path(tempfile.gettempdir()) / f"sevensteps-watch-{os.getpid()}-{os.urandom(4).hex()}"
    return {
        "entry": entry,
        "package": PACKAGE,
        "json": json_file and str(json_file.resolve()),
        "report": report_file and str(report_file.resolve()),
        "budget": budget,
        "prints": prints,
        "keep": keep,
        "plans": plans,
        "folder": str(folder),
        "path": os.environ.get("PYTHONPATH"),
    }


def watched(environment: Mapping[str, str], settings: Mapping[str, Any]) -> dict[str, str]:
    """The environment in which Python starts to watch."""
    before = settings["path"]
    path = STARTUP if before is None else os.pathsep.join([STARTUP, before])
    return {**environment, VARIABLE: json.dumps(settings), "PYTHONPATH": path}


def restore(settings: Mapping[str, Any]) -> None:
    """Give this process the environment that it would have without us."""
    os.environ.pop(VARIABLE, None)
    if settings["path"] is None:
        os.environ.pop("PYTHONPATH", None)
    else:
        os.environ["PYTHONPATH"] = settings["path"]
