"""The divergence of a code from the normal distribution, in the loss as people write it."""

from __future__ import annotations

from typing import Any

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor, nn

import sevensteps as ss
from sevensteps.doctor.conditions.loss_sign import examine
from sevensteps.doctor.divergence_terms import divergence_terms

pytestmark = pytest.mark.draws

X = torch.randn(200, 6, generator=torch.Generator().manual_seed(0))


class Drawn(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.encoder, self.decoder = nn.Linear(6, 4), nn.Linear(2, 6)

    def forward(self, x: Tensor) -> Any:
        mean, spread = self.encoder(x).chunk(2, 1)
        return self.decoder(mean + (0.5 * spread).exp() * torch.randn_like(mean)), mean, spread


WRITTEN = {
    "the sum": lambda m, s: -0.5 * torch.sum(1 + s - m.pow(2) - s.exp()),
    "means": lambda m, s: 0.5 * (m.pow(2) + s.exp() - s - 1).sum(1).mean(),
    "log sigma": lambda m, s: (0.5 * m**2 + 0.5 * torch.exp(2 * s) - s - 0.5).mean(),
}


def case(divergence: Any, weight: float, **settings: Any) -> Any:
    torch.manual_seed(0)
    network = Drawn()
    optimizer = torch.optim.SGD(network.parameters(), lr=1e-3, **settings)
    with ss.watch(network, optimizer) as watch:
        for rows in torch.randperm(200).repeat(2).split(20):
            output, mean, spread = network(X[rows])
            loss = F.mse_loss(output, X[rows]) + weight * divergence(mean, spread)
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
            watch.step(loss)
    return watch.diagnose().case


@pytest.mark.parametrize("name", WRITTEN)
def test_a_divergence_with_the_wrong_sign_is_named(name: str) -> None:
    right, wrong = case(WRITTEN[name], 0.01), case(WRITTEN[name], -0.01)
    terms = divergence_terms(right.looks[0])
    assert terms is not None
    assert (terms.mean, terms.log_variance) == ("1", "2")
    assert terms.factor > 0
    assert examine(right) is None
    finding = examine(wrong)
    assert finding is not None
    assert "enters the loss with the wrong sign" in finding.explanation
    assert finding.where == {"outputs": ["1", "2"]}


def test_other_terms_of_two_outputs_are_no_divergence() -> None:
    def likelihood(mean: Tensor, spread: Tensor) -> Tensor:
        return (spread + (mean - 1).pow(2) / spread.exp()).mean()

    known = case(likelihood, 0.1)
    assert divergence_terms(known.looks[0]) is None
    assert examine(known) is None
