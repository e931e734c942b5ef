"""The scripts and what is known of each: `index.json` read into `Script`s."""

from __future__ import annotations

import dataclasses
import json
import sys
from pathlib import Path

FOLDER = Path(__file__).resolve().parent


@dataclasses.dataclass(frozen=True)
class Script:
    """A training script, healthy or faulty, and what a colleague who knows it would say."""

    name: str
    file: str  # from FOLDER
    argv: tuple[str, ...]  # how it is started: {python}, {torchrun}, {scripts}, {seed} filled in
    env: dict[str, str]
    kind: str  # "healthy" or "faulty"
    family: str  # the name of the healthy one
    what: str  # the way it is written
    kept_back: bool  # its family is for measuring only: nobody tunes to it
    trainings: int  # one after another or side by side in the one script
    outputs: tuple[str, ...]  # the files it writes into the current directory
    repeatable: bool  # the same seed gives the same bytes
    sibling: str = ""  # the healthy one, of a faulty one
    fault: str = ""
    accepted: tuple[str, ...] = ()  # conditions, the true cause first
    near: tuple[str, ...] = ()  # not the cause, but what it leads to
    crash: tuple[str, ...] | None = None  # it raises: words for the explanation, "a|b" either

    def command(self, seed: int, json_file: Path | None = None) -> list[str]:
        """How it is started: unwatched, or watched with the diagnosis in `json_file`."""
        tools = Path(sys.executable).parent
        places = {
            "{python}": sys.executable,
            "{torchrun}": str(tools / "torchrun"),
            "{scripts}": str(FOLDER),
            "{seed}": str(seed),
        }
        first, *rest = (_fill(argument, places) for argument in self.argv)
        if json_file is None:
            return [first, *rest]
        watch = [sys.executable, "-m", "sevensteps", "watch", "--json", str(json_file)]
        return [*watch, *(["--", first] if self.argv[0] != "{python}" else []), *rest]

    def environment(self, seed: int) -> dict[str, str]:
        """What it adds to the environment."""
        places = {"{scripts}": str(FOLDER), "{seed}": str(seed)}
        return {name: _fill(value, places) for name, value in self.env.items()}


def _fill(text: str, places: dict[str, str]) -> str:
    for place, value in places.items():
        text = text.replace(place, value)
    return text


def catalogue(kind: str = "", only: str = "") -> list[Script]:
    """The scripts of a `kind` ("" for both) whose name contains `only`."""
    entries = json.loads((FOLDER / "index.json").read_text(encoding="utf-8"))
    scripts = [
        Script(**{key: tuple(v) if isinstance(v, list) else v for key, v in entry.items()})
        for entry in entries
    ]
    return [script for script in scripts if kind in ("", script.kind) and only in script.name]
