"""Inputs of another scale are an error; a few outliers are a remark."""

from __future__ import annotations

import pytest
import torch
from torch import nn

from sevensteps.doctor.case import Case
from sevensteps.doctor.conditions.train_valid_mismatch import examine
from sevensteps.observe.network_facts import network_facts
from sevensteps.observe.observation import Observation
from tests.doctor.test_copied_samples import found


def test_a_few_outliers_are_a_remark_and_another_scale_an_error() -> None:
    generator = torch.Generator().manual_seed(0)
    table = torch.randn(1000, 6, generator=generator)
    odd = table[700:].clone()
    odd[:4] *= 100
    remark = found(table[:700], odd)
    assert remark is not None
    assert remark.severity == "info"
    scaled = found(table[:700], 10 * table[700:])
    assert scaled is not None
    assert scaled.severity == "error"


@pytest.mark.draws
@pytest.mark.parametrize("scaled", [False, True])
def test_dear_houses_whose_prices_are_told_as_closely_are_no_error(scaled: bool) -> None:
    """Their prices vary less, so that as large an error leaves less of them explained."""
    generator = torch.Generator().manual_seed(1)
    network = nn.Linear(3, 1)
    size = torch.randn(900, 1, generator=generator)
    size[600:] = 2 + 0.3 * size[600:]
    rooms = size + 0.1 * torch.randn(900, 3, generator=generator)
    with torch.no_grad():
        network.weight.fill_(1 / 3)
        network.bias.zero_()
        price = network(rooms) + 0.15 * torch.randn(900, 1, generator=generator)
    dear = (rooms[600:] - 2) / 0.3 if scaled else rooms[600:]
    pairs = {"train": (rooms[:600], price[:600]), "valid": (dear + scaled * 3, price[600:])}
    case = Case(Observation(network_facts(network)), network, **pairs)
    assert case.scores["train"] - case.scores["valid"] > 0.1
    finding = examine(case)
    assert finding is not None
    assert finding.severity == ("error" if scaled else "info")
