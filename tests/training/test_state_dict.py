"""The state of a training goes into another one, which then ends in the same bits."""

from __future__ import annotations

import json
from typing import Any

import pytest
import torch

from sevensteps.training import loop, state
from sevensteps.training.observer import Observer
from sevensteps.training.recipe import Recipe
from sevensteps.training.resolve import resolve
from sevensteps.training.state import Training
from sevensteps.training.state_dict import load_state_dict, state_dict, trained_tensors

STEPS: dict[str, Any] = {
    "predict": "mlp(5, dropout=0.2)",
    "step": "adam(lr=0.01)",
    "repeat": "batches(30)",
    "stop": "epochs(2)",
}


def begin() -> Training:
    return state.start(resolve(Recipe("xor", **STEPS, threads=1)))


class StateAt(Observer):
    """The state after one step, as JSON and tensors of its own."""

    def __init__(self, step: int) -> None:
        self.step = step

    def stepped(self, training: Training) -> None:
        if training.progress.step == self.step:
            tensors, plain = state_dict(training)
            self.tensors = {name: tensor.clone() for name, tensor in tensors.items()}
            self.plain = json.loads(json.dumps(plain))


def test_a_training_that_goes_on_ends_in_the_same_bits() -> None:
    whole, middle = begin(), StateAt(7)
    loop.train(whole, [middle])
    resumed = begin()
    load_state_dict(resumed, middle.tensors, middle.plain)
    assert (resumed.progress.step, resumed.resumed) == (7, True)
    assert resumed.network.state_dict().keys() == whole.network.state_dict().keys()
    loop.train(resumed, [])
    assert resumed.progress.step == whole.progress.step > 7
    for name, tensor in whole.network.state_dict().items():
        assert torch.equal(tensor, resumed.network.state_dict()[name])
    assert [row["valid"] for row in resumed.progress.history] == [
        row["valid"] for row in whole.progress.history
    ]


def test_tensors_are_named_by_what_they_belong_to() -> None:
    training = begin()
    loop.train(training, [])
    tensors = dict(trained_tensors(training))
    parameters = {f"network.{name}" for name in training.network.state_dict()}
    assert parameters <= set(tensors)
    assert {name.partition(".")[0] for name in tensors} == {"network", "step", "best"}
    size = sum(p.numel() for p in training.network.parameters())
    assert {tensor.shape for name, tensor in tensors.items() if name.startswith("step.")} <= {
        torch.Size([size]),
        torch.Size([]),
    }


@pytest.mark.parametrize("damage", ["missing", "shape", "memory"])
def test_a_state_of_another_training_is_refused(damage: str) -> None:
    training, at = begin(), StateAt(3)
    loop.train(training, [at])
    if damage == "missing":
        del at.tensors[next(name for name in at.tensors if name.startswith("network."))]
    elif damage == "shape":
        name = next(name for name in at.tensors if name.startswith("network."))
        at.tensors[name] = at.tensors[name][..., :1]
    else:
        name = next(n for n, t in at.tensors.items() if n.startswith("step.") and t.ndim)
        at.tensors[name] = at.tensors[name][:-1]
    with pytest.raises((ValueError, KeyError, RuntimeError)):
        load_state_dict(begin(), at.tensors, at.plain)
