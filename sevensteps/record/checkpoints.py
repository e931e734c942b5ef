"""`state.safetensors` + `state.json`: what a training needs to go on, written so that at every
moment one whole state can be read.
"""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from sevensteps.errors import DataError, RunError
from sevensteps.metrics import metric_of
from sevensteps.notation import cut
from sevensteps.record.run_folder import inside, read_json, rename, write
from sevensteps.record.tensors import pack, read_weights, shapes
from sevensteps.steps import STEPS
from sevensteps.training.checkpoint import load_state_dict
from sevensteps.training.state import Training

SCHEMA = 1
TENSORS, PLAIN = "state.safetensors", "state.json"
NEXT, PREVIOUS = "next-", "previous-"
WHEN = (NEXT, "", PREVIOUS)
MANY = 1 << 62  # more than any count, and it fits into 64 bits
MOST = 1_000_000_000  # bytes of state.json: it holds the whole history


def save(folder: Path, tensors: dict[str, Tensor], held: dict[str, Any]) -> None:
    """Write a state; the one before it stays, as `previous-state.*`. Raises `RunError` where the
    folder cannot be written.

    `state.json` names the tensors that belong to it by their SHA-256, and holds one of its own.
    However far this comes, two files that belong together are there, and `read` finds them."""
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
        """Put `training`, at its beginning, where it was. Raises `DataError` for other data,
        `RunError` for another training.
        """
        resolved = training.resolved
        if self.plain.get("data") != resolved.data.digest:
            raise DataError(
                f"{resolved.data.source} is not what {self.folder} was trained on: some numbers or "
                "their order differ; give the "
                "same data, or train anew"
            )
        try:
            _check(self.plain, training)
            resolved.recipe.reasons.update(
                {step: str(why) for step, why in self.plain["reasons"].items() if step in STEPS}
            )
            load_state_dict(training, self.tensors, self.plain)
            _check_tensors(training)
        except (ValueError, KeyError, TypeError, AttributeError, RuntimeError) as failure:
            raise RunError(
                f"the state in {self.folder} is not of its recipe: {type(failure).__name__}: "
                f"{cut(str(failure), 300)}"
            ) from None


def read(folder: Path) -> Saved | None:
    """The newest whole state; None where nothing was saved.

    Raises `RunError` where something was saved and nothing of it is whole, or where a newer
    sevensteps wrote it."""
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
            raise RunError(
                f"the state in {folder} has schema {plain['schema']}, written by a newer "
                "sevensteps; this one reads up to "
                f"{SCHEMA}"
            )
    places = {
        _digest(path): path for when in WHEN if (path := folder / f"{when}{TENSORS}").exists()
    }
    for plain in sorted(held, key=lambda plain: -plain["progress"]["step"]):
        if (place := places.get(plain["tensors"])) is not None:
            return Saved(folder, read_weights(place), plain, wrong)
        wrong.append(
            f"the tensors of step {plain['progress']['step']:,} in {folder} are damaged or gone"
        )
    if wrong or (folder / TENSORS).exists():  # else the first state was still being written
        raise RunError(
            f"no state in {folder} is whole, so it cannot go on: "
            f"{'; '.join(wrong) or 'there is no state.json'}"
        )
    return None


def _plain(path: Path) -> dict[str, Any]:
    whole = read_json(path, MOST)
    found = whole.get("state")
    if not isinstance(found, dict) or whole.get("sum") != _sum(found):
        raise RunError(f"{path} is damaged: its sum is not that of its content")
    if not isinstance(progress := found.get("progress"), dict) or not _is_count(
        progress.get("step")
    ):
        raise RunError(f"{path} is damaged: it does not say of which step it is")
    if type(found.get("schema")) is not int or not isinstance(found.get("tensors"), str):
        raise RunError(f"{path} is damaged: it does not say which tensors belong to it")
    return found


def _is_count(held: Any) -> bool:
    return type(held) is int and 0 <= held < MANY


def _check(held: dict[str, Any], training: Training) -> None:
    """Raise `ValueError`, or what missing keys raise, where something is not of its kind: nothing
    must fail later, in the loop.
    """
    measures = {"loss", metric_of(training.output.task.kind)}
    counts = [held["progress"][name] for name in ("epoch", "step", "samples")] + [
        held["place"][name] for name in ("taken", "seen")
    ]
    numbers = [held["progress"][name] for name in ("seconds", "loss", "lr")] + [
        held["place"]["weighed"]
    ]
    for row in held["history"]:
        counts.append(row["step"])
        numbers += [row["seconds"], row["lr"], row["train"]["loss"]]
    for row in [*held["history"], *([held["best"]] if held["best"] is not None else [])]:
        counts.append(row["epoch"])
        numbers += [
            row["valid"]["loss"],
            *(metric for name, metric in row["valid"].items() if name != "by_class"),
        ]
        if not measures <= set(row["valid"]):
            raise ValueError(
                f"a row of its history lacks {' or '.join(sorted(measures - set(row['valid'])))}"
            )
        numbers += row["valid"].get("by_class", {}).values()
    if not isinstance(held["history"], list):
        raise TypeError("its history is no list")
    if not all(map(_is_count, counts)) or not all(
        type(held) is float or (type(held) is int and abs(held) < MANY) for held in numbers
    ):
        raise ValueError("a number in it is none, or larger than any")
    if held["place"]["taken"] > training.per_epoch:
        raise ValueError(
            f"it is {held['place']['taken']:,} steps into an epoch of {training.per_epoch:,}"
        )
    if (held["place"]["taken"] > 0) != (held["place"]["seen"] > 0):
        raise ValueError("it has taken steps and seen no sample, or the other way round")
    if strange := set(held["memory"].values()) - {"cpu", str(training.engine.parameters.device)}:
        raise ValueError(f"the step remembers something on {', '.join(map(str, strange))}")


def _check_tensors(training: Training) -> None:
    """Raise `ValueError` where what was restored would fail at the next step, or where the best
    weights are taken.
    """
    wanted = {name: tensor.shape for name, tensor in training.network.state_dict().items()}
    if (
        training.best is not None
        and {name: tensor.shape for name, tensor in training.best.weights.items()} != wanted
    ):
        raise ValueError("the best weights do not fit the network")
    # What the optimizer remembers is known by letting it take a step with a single parameter.
    probe = training.recipe.step.prepare(*torch.zeros(2, 1, dtype=training.engine.parameters.dtype))
    if training.progress.step:
        probe.update(0.0)
    remembered, expected = (
        {name: (held.ndim, held.dtype) for name, held in memory.items() if isinstance(held, Tensor)}
        for memory in (training.stepper.memory, probe.memory)
    )
    if remembered != expected:
        raise ValueError(
            f"the step remembers {', '.join(remembered) or 'nothing'}, where "
            f"{', '.join(expected) or 'nothing'} belongs"
        )


def _digest(path: Path) -> str:
    """The SHA-256 of a file, "" where its header shows that it is no whole file of tensors: no
    reading through gigabytes of anything.
    """
    inside(path)
    try:
        shapes(path)
        with path.open("rb") as file:
            return hashlib.file_digest(file, "sha256").hexdigest()
    except (OSError, RunError):
        return ""


def _sum(held: dict[str, Any]) -> str:
    """Of the text that JSON makes of it, which is the same after reading: Python writes every float
    so that it reads back equal.
    """
    return hashlib.sha256(json.dumps(held).encode()).hexdigest()
