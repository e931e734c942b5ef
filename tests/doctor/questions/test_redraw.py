"""New weights leave nothing of the training behind, and signals go through them."""

from __future__ import annotations

import pytest
import torch
from torch import nn

from sevensteps.doctor.questions.redraw import redraw

pytestmark = pytest.mark.draws


def test_a_dead_network_answers_again() -> None:
    layers = [nn.Linear(8, 16), nn.BatchNorm1d(16), nn.ReLU(), nn.Linear(16, 3)]
    network = nn.Sequential(*layers).eval()
    with torch.no_grad():
        for parameter in network.parameters():
            parameter.zero_()
        network[1].running_mean.fill_(9)
    x = torch.randn(30, 8)
    assert bool((network(x) == network(x)[:1]).all())
    redraw(network, 0)
    assert float(network(x).std(0).min().detach()) > 0.01
    first = network(x)
    redraw(network, 1)
    assert not torch.equal(network(x), first)


@pytest.mark.parametrize("activation", [nn.ReLU, nn.Tanh, nn.Sigmoid])
@pytest.mark.parametrize("seed", range(3))
def test_signals_go_through_many_layers(activation: type[nn.Module], seed: int) -> None:
    pairs = [part for _ in range(8) for part in (nn.Linear(32, 32), activation())]
    network = nn.Sequential(*pairs, nn.Linear(32, 2)).eval()
    redraw(network, seed)
    answers = network(torch.randn(50, 32)).detach()
    assert float(answers.std(0).mean()) > 1e-4 * float(answers.abs().mean())
