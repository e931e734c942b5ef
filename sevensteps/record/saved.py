"""`state.safetensors` + `state.json`: what a training needs to go on, written so that at every moment one whole state can be read."""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from torch import Tensor

from sevensteps.errors import DataError, RunError
from sevensteps.record.folder import read_json, rename, write
from sevensteps.record.weights import pack, read_weights
from sevensteps.state import Training, restore
from sevensteps.steps import STEPS

SCHEMA = 1
TENSORS, PLAIN = "state.safetensors", "state.json"
NEXT, PREVIOUS = "next-", "previous-"
WHEN = (NEXT, "", PREVIOUS)
MOST = 1_000_000_000  # bytes of state.json: it holds the whole history


def save(folder: Path, tensors: dict[str, Tensor], held: dict[str, Any]) -> None:
    """Write a state; the one before it stays, as `previous-state.*`. Raises `RunError` where the folder cannot be written.

    `state.json` names the tensors that belong to it by their SHA-256, and holds one of its own. However far this comes, two files that
    belong together are there, and `read` finds them.
    """
    content = pack(tensors)
    plain = {"schema": SCHEMA, **held, "tensors": hashlib.sha256(content).hexdigest()}
    write(folder / f"{NEXT}{TENSORS}", content)
    write(folder / f"{NEXT}{PLAIN}", json.dumps({"sum": _sum(plain), "state": plain}).encode())
    for name in (TENSORS, PLAIN):
        rename(folder / name, folder / f"{PREVIOUS}{name}", missing_ok=True)
        rename(folder / f"{NEXT}{name}", folder / name)


@dataclass(frozen=True, eq=False)
class Saved:
    """A state as it was read: tensors, the rest, and what is wrong with newer ones."""

    folder: Path
    tensors: dict[str, Tensor]
    plain: dict[str, Any]
    wrong: list[str]

    @property
    def step(self) -> int:
        """The steps that had been taken."""
        step: int = self.plain["progress"]["step"]
        return step

    @property
    def kernels(self) -> dict[str, str]:
        """By which kernel each product was computed."""
        held = self.plain.get("kernels")
        return {str(name): str(way) for name, way in held.items()} if isinstance(held, dict) else {}

    def restore(self, training: Training) -> None:
        """Put `training`, at its beginning, where it was. Raises `DataError` for other data, `RunError` for another training."""
        settled = training.settled
        if self.plain.get("data") != settled.data.digest:
            raise DataError(f"{settled.data.source} is not what {self.folder} was trained on: some numbers or their order differ; give the "
                            "same data, or train anew")
        try:
            settled.recipe.reasons.update({str(step): str(why) for step, why in self.plain["reasons"].items() if step in STEPS})
            _check(self.plain)
            restore(training, self.tensors, self.plain)
        except (ValueError, KeyError, TypeError, AttributeError, RuntimeError) as failure:
            raise RunError(f"the state in {self.folder} is not of its recipe: {type(failure).__name__}: {failure}") from None


def read(folder: Path) -> Saved | None:
    """The newest whole state; None where nothing was saved.

    Raises `RunError` where something was saved and nothing of it is whole, or where a newer sevensteps wrote it.
    """
    wrong: list[str] = []
    held = []
    for path in (folder / f"{when}{PLAIN}" for when in WHEN):
        if path.exists():
            try:
                held.append(_plain(path))
            except RunError as failure:
                wrong.append(str(failure))
    for plain in held:
        if plain["schema"] > SCHEMA:
            raise RunError(f"the state in {folder} has schema {plain['schema']}, written by a newer sevensteps; this one reads up to "
                           f"{SCHEMA}")
    places = {_digest(path): path for when in WHEN if (path := folder / f"{when}{TENSORS}").exists()}
    for plain in sorted(held, key=lambda plain: -plain["progress"]["step"]):
        if plain["tensors"] in places:
            return Saved(folder, read_weights(places[plain["tensors"]]), plain, wrong)
        wrong.append(f"the tensors of step {plain['progress']['step']:,} in {folder} are damaged or gone")
    if wrong or (folder / TENSORS).exists():  # else the first state was still being written
        raise RunError(f"no state in {folder} is whole, so it cannot go on: {'; '.join(wrong) or 'there is no state.json'}")
    return None


def _plain(path: Path) -> dict[str, Any]:
    whole = read_json(path, MOST)
    found = whole.get("state")
    if not isinstance(found, dict) or whole.get("sum") != _sum(found):
        raise RunError(f"{path} is damaged: its sum is not that of its content")
    if not isinstance(progress := found.get("progress"), dict) or not isinstance(progress.get("step"), int):
        raise RunError(f"{path} is damaged: it does not say of which step it is")
    return found


def _check(held: dict[str, Any]) -> None:
    """Raise `ValueError`, or what missing keys raise, where something is not of its kind: nothing must fail later, in the loop."""
    counts = [held["progress"][name] for name in ("epoch", "step", "samples")] + [held["place"][name] for name in ("taken", "seen")]
    numbers = [held["progress"][name] for name in ("seconds", "loss", "lr")] + [held["place"]["weighed"]]
    for row in held["history"]:
        counts.append(row["step"])
        numbers += [row["seconds"], row["lr"], row["train"]["loss"]]
    for row in [*held["history"], *([held["best"]] if held["best"] is not None else [])]:
        counts.append(row["epoch"])
        numbers += [row["valid"]["loss"], *(metric for name, metric in row["valid"].items() if name != "by_class")]
    if not all(type(count) is int and count >= 0 for count in counts) or not all(type(number) in (int, float) for number in numbers):
        raise ValueError("what should be a number is none")


def _digest(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _sum(held: dict[str, Any]) -> str:
    """Of the text that JSON makes of it, which is the same after reading: Python writes every float so that it reads back equal."""
    return hashlib.sha256(json.dumps(held).encode()).hexdigest()
