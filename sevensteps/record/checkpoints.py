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
from sevensteps.record.tensors import read_shapes, read_tensors, to_safetensors
from sevensteps.steps import STEPS
from sevensteps.training.state import Training
from sevensteps.training.state_dict import load_state_dict

SCHEMA = 1
TENSORS, PLAIN = "state.safetensors", "state.json"
NEXT, PREVIOUS = "next-", "previous-"
WHEN = (NEXT, "", PREVIOUS)
MANY = 1 << 62  # more than any count, and it fits into 64 bits
MOST = 1_000_000_000  # bytes of state.json: it holds the whole history


def save(folder: Path, tensors: dict[str, Tensor], metadata: dict[str, Any]) -> None:
    """Write a state; the one before it stays, as `previous-state.*`. Raises `RunError` where the
    folder cannot be written.

    `state.json` names the tensors that belong to it by their SHA-256, and holds one of its own.
    However far this comes, two files that belong together are there, and `read` finds them."""
    content = to_safetensors(tensors)
    document = {"schema": SCHEMA, **metadata, "tensors": hashlib.sha256(content).hexdigest()}
    write(folder / f"{NEXT}{TENSORS}", content)
    write(
        folder / f"{NEXT}{PLAIN}", json.dumps({"sum": _sum(document), "state": document}).encode()
    )
    for name in (TENSORS, PLAIN):
        rename(folder / name, folder / f"{PREVIOUS}{name}", missing_ok=True)
        rename(folder / f"{NEXT}{name}", folder / name)


@dataclass(frozen=True, eq=False)
class SavedState:
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
                {
                    name: str(why)
                    for name, why in self.plain["reasons"].items()
                    if name in (*STEPS, "threads")
                }
            )
            load_state_dict(training, self.tensors, self.plain)
            _check_tensors(training)
        except (ValueError, KeyError, TypeError, AttributeError, RuntimeError) as failure:
            raise RunError(
                f"the state in {self.folder} is not of its recipe: {type(failure).__name__}: "
                f"{cut(str(failure), 300)}"
            ) from None


def read(folder: Path) -> SavedState | None:
    """The newest whole state; None where nothing was saved.

    Raises `RunError` where something was saved and nothing of it is whole, or where a newer
    sevensteps wrote it."""
    problems: list[str] = []
    states = []
    for path in (folder / f"{when}{PLAIN}" for when in WHEN):
        if path.exists():
            try:
                states.append(_plain(path))
            except RunError as failure:
                problems.append(str(failure))
    for state in states:
        if state["schema"] > SCHEMA:
            raise RunError(
                f"the state in {folder} has schema {state['schema']}, written by a newer "
                "sevensteps; this one reads up to "
                f"{SCHEMA}"
            )
    tensor_files = {
        _digest(path): path for when in WHEN if (path := folder / f"{when}{TENSORS}").exists()
    }
    for state in sorted(states, key=lambda state: -state["progress"]["step"]):
        if (file := tensor_files.get(state["tensors"])) is not None:
            return SavedState(folder, read_tensors(file), state, problems)
        problems.append(
            f"the tensors of step {state['progress']['step']:,} in {folder} are damaged or gone"
        )
    if problems or (folder / TENSORS).exists():  # else the first state was still being written
        raise RunError(
            f"no state in {folder} is whole, so it cannot go on: "
            f"{'; '.join(problems) or 'there is no state.json'}"
        )
    return None


def _plain(path: Path) -> dict[str, Any]:
    document = read_json(path, MOST)
    state = document.get("state")
    if not isinstance(state, dict) or document.get("sum") != _sum(state):
        raise RunError(f"{path} is damaged: its sum is not that of its content")
    if not isinstance(progress := state.get("progress"), dict) or not _is_count(
        progress.get("step")
    ):
        raise RunError(f"{path} is damaged: it does not say of which step it is")
    if type(state.get("schema")) is not int or not isinstance(state.get("tensors"), str):
        raise RunError(f"{path} is damaged: it does not say which tensors belong to it")
    return state


def _is_count(number: Any) -> bool:
    return type(number) is int and 0 <= number < MANY


def _check(state: dict[str, Any], training: Training) -> None:
    """Raise `ValueError`, or what missing keys raise, where something is not of its kind: nothing
    must fail later, in the loop.
    """
    measures = {"loss", metric_of(training.output.task.kind)}
    counts = [state["progress"][name] for name in ("epoch", "step", "samples")] + [
        state["place"][name] for name in ("taken", "seen")
    ]
    numbers = [state["progress"][name] for name in ("seconds", "loss", "lr")] + [
        state["place"]["weighed"]
    ]
    for row in state["history"]:
        counts.append(row["step"])
        numbers += [row["seconds"], row["lr"], row["train"]["loss"]]
    for row in [*state["history"], *([state["best"]] if state["best"] is not None else [])]:
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
    if not isinstance(state["history"], list):
        raise TypeError("its history is no list")
    if not all(map(_is_count, counts)) or not all(
        type(number) is float or (type(number) is int and abs(number) < MANY) for number in numbers
    ):
        raise ValueError("a number in it is none, or larger than any")
    if state["place"]["taken"] > training.per_epoch:
        raise ValueError(
            f"it is {state['place']['taken']:,} steps into an epoch of {training.per_epoch:,}"
        )
    if (state["place"]["taken"] > 0) != (state["place"]["seen"] > 0):
        raise ValueError("it has taken steps and seen no sample, or the other way round")
    if strange := set(state["memory"].values()) - {"cpu", str(training.engine.parameters.device)}:
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
        {
            name: (state.ndim, state.dtype)
            for name, state in memory.items()
            if isinstance(state, Tensor)
        }
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
        read_shapes(path)
        with path.open("rb") as file:
            return hashlib.file_digest(file, "sha256").hexdigest()
    except (OSError, RunError):
        return ""


def _sum(state: dict[str, Any]) -> str:
    """Of the text that JSON makes of it, which is the same after reading: Python writes every float
    so that it reads back equal.
    """
    return hashlib.sha256(json.dumps(state).encode()).hexdigest()
