"""Weights that a network computes with and that no optimizer could be given."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor, nn

from sevensteps.doctor.case import Case
from sevensteps.doctor.questions.weights_outside import parameters_of_one_forward, tensors_as_drawn
from sevensteps.observe.network_facts import network_facts
from sevensteps.observe.observation import Observation

pytestmark = pytest.mark.draws
HEAD = nn.Linear(4, 1)  # of the loop, not of the network


class Made(nn.Module):
    def __init__(self, anew: bool) -> None:
        super().__init__()
        self.anew, self.hidden = anew, nn.Linear(3, 4)

    def forward(self, x: Tensor) -> Tensor:
        answer: Tensor = (nn.Linear(4, 1) if self.anew else HEAD)(self.hidden(x))
        return answer


def case_of(network: nn.Module) -> Case:
    return Case(Observation(network_facts(network)), network, train=(torch.randn(20, 3),) * 2)


def test_parameters_of_one_answer_alone_were_made_for_it() -> None:
    assert sorted(parameters_of_one_forward(case_of(Made(True)))) == [(1,), (1, 4)]
    assert parameters_of_one_forward(case_of(Made(False))) == []
    assert parameters_of_one_forward(case_of(nn.Linear(2, 1))) == []  # does not take the samples


def test_tensors_in_the_place_of_weights_are_told_from_tables() -> None:
    torch.manual_seed(0)
    network = nn.Linear(2, 1)
    network.drawn, network.large = torch.randn(6, 8), torch.randn(40, 40)
    network.register_buffer("buffer", torch.randn(6, 8))
    angles = torch.arange(8.0)[:, None] / 10 ** torch.arange(4.0)
    network.places = torch.cat([angles.sin(), angles.cos()], 1)
    network.mask, network.grid = torch.ones(6, 6).tril(), torch.linspace(-1, 1, 48).view(6, 8)
    assert set(tensors_as_drawn(case_of(network))) == {"drawn", "large"}
