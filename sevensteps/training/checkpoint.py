"""All that a training needs to go on to the same bits: taken from one, and put back into
another.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from torch import Tensor

from sevensteps.engine import matmul
from sevensteps.engine.distributed.fsdp import full_tensor
from sevensteps.seeds import Isolation
from sevensteps.steps.stop import Progress
from sevensteps.training.state import Checkpoint, Place, Training


def capture(training: Training) -> tuple[dict[str, Tensor], dict[str, Any]]:
    """All that `restore` needs to go on to the same bits: tensors, and what JSON can hold."""
    progress, place, best = training.progress, training.place, training.best
    tensors = dict(trained(training))
    tensors |= {f"generator.{name}": held.get_state() for name, held in training.generators.items()}
    if place.taken and place.order is not None:
        tensors["generator.order"] = place.order
    if isinstance(training.isolated_randomness, Isolation):
        tensors["generator.foreign"] = training.isolated_randomness.inside
    return tensors, {
        "progress": {
            name: getattr(progress, name)
            for name in ("epoch", "step", "samples", "seconds", "loss", "lr")
        },
        "history": progress.history,
        "place": {"taken": place.taken, "seen": place.seen, "weighed": place.weighed},
        "memory": {
            name: str(held.device)
            for name, held in training.stepper.memory.items()
            if isinstance(held, Tensor)
        },
        "best": best and {"epoch": best.epoch, "valid": best.valid},
        "kernels": matmul.decisions(),
    }


def trained(training: Training) -> Iterator[tuple[str, Tensor]]:
    """What training has made, by name. Where the processes of a group hold parts of it, each of
    them asks for it one by one.
    """
    for name, tensor in training.engine.weights().items():
        yield f"network.{name}", full_tensor(tensor)
    for name, held in training.stepper.memory.items():
        if isinstance(held, Tensor):
            yield f"step.{name}", training.engine.gathered(held) if held.ndim else held
    for name, tensor in training.best.weights.items() if training.best is not None else ():
        yield f"best.{name}", full_tensor(tensor)


def restore(training: Training, tensors: dict[str, Tensor], held: dict[str, Any]) -> None:
    """Put a training at its beginning where `capture` found it. Raises `ValueError`, `KeyError`,
    `TypeError` or `RuntimeError` where the state is not of this training."""

    def part(name: str) -> dict[str, Tensor]:
        return {
            key.removeprefix(f"{name}."): tensor
            for key, tensor in tensors.items()
            if key.startswith(f"{name}.")
        }

    device = training.engine.parameters.device
    training.network.load_state_dict(part("network"))
    for name, tensor in part("step").items():
        if tensor.ndim and tensor.shape != (training.engine.size,):
            raise ValueError(f"the memory {name} of the step has shape {list(tensor.shape)}")
        mine = training.engine.part(tensor) if tensor.ndim else tensor
        training.stepper.memory[name] = mine.to(
            device if tensor.ndim else held["memory"][name], copy=True
        )
    states = part("generator")
    if isinstance(training.isolated_randomness, Isolation):
        training.isolated_randomness.inside = states["foreign"]
    for name, drawing in training.generators.items():
        drawing.set_state(states[name])
    training.progress = Progress(
        **{
            name: held["progress"][name]
            for name in ("epoch", "step", "samples", "seconds", "loss", "lr")
        },
        history=held["history"],
    )
    training.place = Place(**{name: held["place"][name] for name in ("taken", "seen", "weighed")})
    if held["best"] is not None:
        training.best = Checkpoint(
            held["best"]["epoch"],
            held["best"]["valid"],
            {name: tensor.to(device) for name, tensor in part("best").items()},
        )
    training.resumed = True
