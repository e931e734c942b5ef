"""The whole state of a training, from which another one goes on to the same bits."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from torch import Tensor

from sevensteps.engine.distributed.fsdp import full_tensor
from sevensteps.seeds import Isolation
from sevensteps.steps.stop import Progress
from sevensteps.training.state import Checkpoint, EpochPosition, Training

COUNTERS = ("epoch", "step", "samples", "seconds", "loss", "lr")  # of the progress


def state_dict(training: Training) -> tuple[dict[str, Tensor], dict[str, Any]]:
    """The state of `training`: its tensors by name, and the rest as values for JSON.

    `load_state_dict` takes both. Where the processes of a group hold parts of the network, all of
    them must call `trained_tensors` meanwhile.
    """
    progress, position, best = training.progress, training.position, training.best
    tensors = dict(trained_tensors(training))
    tensors |= {f"generator.{name}": g.get_state() for name, g in training.generators.items()}
    if position.steps and position.order is not None:
        tensors["generator.order"] = position.order
    if isinstance(training.isolated_randomness, Isolation):
        tensors["generator.foreign"] = training.isolated_randomness.inside
    return tensors, {
        "progress": {name: getattr(progress, name) for name in COUNTERS},
        "history": progress.history,
        "place": {"taken": position.steps, "seen": position.samples, "weighed": position.loss_sum},
        "memory": {
            name: str(state.device)
            for name, state in training.stepper.memory.items()
            if isinstance(state, Tensor)
        },
        "best": best and {"epoch": best.epoch, "valid": best.valid},
    }


def trained_tensors(training: Training) -> Iterator[tuple[str, Tensor]]:
    """The tensors of the network, of the optimizer's state and of the best network, by name.

    Where the processes of a group hold parts of them, every process must iterate over all.
    """
    for name, tensor in training.engine.weights().items():
        yield f"network.{name}", full_tensor(tensor)
    for name, state in training.stepper.memory.items():
        if isinstance(state, Tensor):
            yield f"step.{name}", training.engine.gathered(state) if state.ndim else state
    for name, tensor in training.best.weights.items() if training.best is not None else ():
        yield f"best.{name}", full_tensor(tensor)


def load_state_dict(
    training: Training, tensors: dict[str, Tensor], metadata: dict[str, Any]
) -> None:
    """Put `training`, which has not begun, into the state that `state_dict` gave.

    Raises `ValueError`, `KeyError`, `TypeError` or `RuntimeError` where the state is not of this
    training.
    """

    def group(prefix: str) -> dict[str, Tensor]:
        return {
            name.removeprefix(f"{prefix}."): tensor
            for name, tensor in tensors.items()
            if name.startswith(f"{prefix}.")
        }

    device = training.engine.parameters.device
    training.network.load_state_dict(group("network"))
    for name, tensor in group("step").items():
        if tensor.ndim and tensor.shape != (training.engine.size,):
            raise ValueError(f"the memory {name} of the step has shape {list(tensor.shape)}")
        state = training.engine.part(tensor) if tensor.ndim else tensor
        where = device if tensor.ndim else metadata["memory"][name]
        training.stepper.memory[name] = state.to(where, copy=True)
    generator_states = group("generator")
    if isinstance(training.isolated_randomness, Isolation):
        training.isolated_randomness.inside = generator_states["foreign"]
    for name, generator in training.generators.items():
        generator.set_state(generator_states[name])
    counters = {name: metadata["progress"][name] for name in COUNTERS}
    training.progress = Progress(**counters, history=metadata["history"])
    position, best = metadata["place"], metadata["best"]
    training.position = EpochPosition(position["taken"], position["seen"], position["weighed"])
    if best is not None:
        weights = {name: tensor.to(device) for name, tensor in group("best").items()}
        training.best = Checkpoint(best["epoch"], best["valid"], weights)
    training.resumed = True
