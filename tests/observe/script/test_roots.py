"""Which modules a script trains, what it calls them, and where."""

from __future__ import annotations

import pytest
import torch
from torch import nn

from sevensteps.observe.script.roots import (
    PlainTensors,
    holders,
    is_called_from_outside,
    leaves,
    name_of,
    place_of_call,
)


class Holder(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.encoder, self.decoder = nn.Linear(2, 3), nn.Linear(3, 2)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        output: torch.Tensor = self.decoder(self.encoder(x))
        return output


@pytest.mark.draws
def test_the_outermost_holder_is_found() -> None:
    holder = Holder()
    assert holders(holder.encoder.parameters()) == [holder]
    alone = nn.Linear(2, 2)
    assert holders([alone.weight]) == [alone]
    assert holders([torch.ones(2)]) == []


@pytest.mark.draws
def test_a_layer_is_called_by_its_network_or_from_outside() -> None:
    holder, outside = Holder(), []
    holder.encoder.register_forward_pre_hook(lambda *_: outside.append(is_called_from_outside()))
    holder(torch.ones(1, 2))
    assert outside == [False]
    assert is_called_from_outside()


@pytest.mark.draws
def test_leaves_are_what_the_loss_depends_on() -> None:
    holder = Holder()
    scale = torch.ones(1, requires_grad=True)
    loss = (holder(torch.ones(1, 2)) * scale).sum()
    assert {id(leaf) for leaf in leaves(loss)} == {
        id(tensor) for tensor in (*holder.parameters(), scale)
    }


def test_a_name_is_a_variable_or_an_attribute() -> None:
    value = object()

    class Trainer:
        def __init__(self) -> None:
            self.model = value

        def train(self) -> str:
            return name_of(self.model)

    class Other:
        def train(self, given: object) -> str:
            return name_of(given)

    assert name_of(value) == "value"
    assert name_of(object()) == ""
    assert Other().train(value) == "given"
    trainer = Trainer()
    del value
    assert trainer.train() in ("model", "value")


def test_the_place_is_a_line_of_the_script() -> None:
    name, line = place_of_call().split(":")
    assert name == "test_roots.py"
    assert int(line) > 60


def test_plain_tensors_look_like_a_module_and_stay_what_they_are() -> None:
    weight = torch.ones(3, requires_grad=True)
    plain = PlainTensors({"w": weight})
    assert [(name, p is weight) for name, p in plain.named_parameters()] == [("w", True)]
    assert list(plain.parameters()) == [weight]
    assert type(weight) is torch.Tensor
