"""What answers depend on, of networks in which it is known."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from torch import Tensor, nn

from sevensteps.doctor.case import Case
from sevensteps.doctor.questions.another_input import AnotherInput, another_input, input_name
from sevensteps.observe.network_facts import network_facts
from sevensteps.observe.observation import Observation
from sevensteps.observe.samples import Inputs

pytestmark = pytest.mark.draws

X = torch.randn(40, 8, 3, generator=torch.Generator().manual_seed(0))


class Net(nn.Module):
    def __init__(self, function: Any, *layers: nn.Module) -> None:
        super().__init__()
        self.layers, self.function = nn.ModuleList(layers), function

    def forward(self, *args: Any, **named: Any) -> Any:
        return self.function(*self.layers, *args, **named)


def answers(network: nn.Module, x: Any = X) -> AnotherInput | None:
    known = Case(Observation(network_facts(network)), network, train=(x, torch.zeros(40)))
    given = another_input(known)
    assert known.not_judged == []
    return given


def test_answers_that_follow_their_inputs() -> None:
    given = answers(nn.Sequential(nn.Flatten(), nn.Linear(24, 2)))
    assert given is not None
    assert given.spread > 0.1
    assert given.unused == ()
    assert given.parts == ("",)
    assert given.length == 8
    assert set(given.places.values()) == {True}


def test_a_structure_that_loses_its_input_is_told_from_a_dead_network() -> None:
    def lose(first: nn.Module, last: nn.Module, x: Tensor) -> Any:
        return last(first(x.flatten(1)) * 0)

    lost = answers(Net(lose, nn.Linear(24, 4), nn.Linear(4, 2)))
    assert lost is not None
    assert max(lost.spread, lost.redrawn) == 0
    dead = nn.Sequential(nn.Flatten(), nn.Linear(24, 9), nn.ReLU(), nn.Linear(9, 2))
    with torch.no_grad():
        dead[1].bias.fill_(-100)
    given = answers(dead)
    assert given is not None
    assert given.spread < 1e-6
    assert given.redrawn > 0.01
    assert given.layer == "2"


class FirstOnly(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.out = nn.Linear(24, 2)

    def forward(self, a: Tensor, shift: Tensor, mask: Tensor) -> Any:
        return self.out(a.flatten(1))


def test_of_several_inputs_the_unused_is_named() -> None:
    shift, mask = torch.randn(40, 2), torch.ones(40, 8)
    given = answers(FirstOnly(), Inputs((X, shift), {"mask": mask}))
    assert given is not None
    assert given.parts == ("args.0", "args.1")  # the mask is the same for all
    assert given.unused == ("args.1",)
    named = answers(FirstOnly(), {"a": X, "shift": shift, "mask": mask})
    assert named is not None
    assert named.unused == ("shift",)


def test_an_input_with_a_weight_of_0_is_no_unused_one() -> None:
    add = Net(lambda a, b, x, z: a(x.flatten(1)) + b(z), nn.Linear(24, 2), nn.Linear(4, 2))
    with torch.no_grad():
        add.layers[1].weight.zero_()
    given = answers(add, (X, torch.randn(40, 4)))
    assert given is not None
    assert given.unused == ()


@pytest.mark.parametrize("words", [False, True])
def test_steps_that_move_no_answer_are_known(words: bool) -> None:
    def first_step(embed: nn.Module, gru: nn.Module, out: nn.Module, x: Tensor) -> Any:
        return out(gru(embed(x))[0][:, 0])

    embed: nn.Module = nn.Embedding(9, 3) if words else nn.Linear(3, 3)
    network = Net(first_step, embed, nn.GRU(3, 5, batch_first=True), nn.Linear(5, 2))
    x = torch.randint(0, 9, (40, 8)) if words else X
    given = answers(network, x)
    assert given is not None
    assert [at for at, moves in given.places.items() if moves] == [(0, 0)]
    assert len(given.places) == given.length == 8


def test_a_table_has_no_steps_and_one_sample_no_others() -> None:
    table = answers(nn.Linear(3, 2), X[:, 0])
    assert table is not None
    assert (table.length, table.places) == (0, {})
    assert answers(nn.Linear(3, 2), torch.ones(40, 3)) is None


def test_inputs_have_names_or_places() -> None:
    assert input_name("args.1") == "input 2"
    assert input_name("kwargs.mask") == "the input mask"
