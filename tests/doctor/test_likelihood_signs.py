"""Divergences and densities in the loss, with the right sign and with the wrong one."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor, nn

import sevensteps as ss
from sevensteps.doctor.likelihood_signs import likelihood_sign

pytestmark = pytest.mark.draws

X = torch.randn(300, 6, generator=torch.Generator().manual_seed(0))


class Code(nn.Module):
    """A code of two numbers that are drawn, and what is made of it."""

    def __init__(self) -> None:
        super().__init__()
        self.down, self.up = nn.Linear(6, 4), nn.Linear(2, 6)

    def forward(self, x: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        mean, log_spread = self.down(x).chunk(2, 1)
        code = torch.distributions.Normal(mean, log_spread.exp()).rsample()
        return self.up(code), mean, log_spread


@pytest.mark.parametrize("named", [True, False])
@pytest.mark.parametrize("sign", [1.0, -1.0])
def test_a_divergence_that_pytorch_computes_is_to_be_small(sign: float, named: bool) -> None:
    torch.manual_seed(0)
    network = Code()
    optimizer = torch.optim.Adam(network.parameters(), lr=3e-3)
    with ss.watch(network, optimizer) as watch:
        for rows in torch.randperm(300).repeat(4).split(30):
            again, mean, log_spread = network(X[rows])
            prior = torch.distributions.Normal(0.0, 1.0)
            code = torch.distributions.Normal(mean, log_spread.exp())
            divergence = torch.distributions.kl_divergence(code, prior).sum(1).mean()
            wrong = nn.functional.mse_loss(again, X[rows])
            loss = (wrong if named else (again - X[rows]).square().mean()) + sign * divergence
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
            watch.step(loss)
    finding = likelihood_sign(watch.diagnose().case)
    assert (finding is not None) == (sign < 0)


class Flow(nn.Module):
    """Shifts and stretches one half by what the other says."""

    def __init__(self) -> None:
        super().__init__()
        self.inner = nn.Sequential(nn.Linear(3, 16), nn.ReLU(), nn.Linear(16, 6))

    def forward(self, x: Tensor) -> tuple[Tensor, Tensor]:
        shift, stretch = self.inner(x[:, :3]).chunk(2, 1)
        stretch = stretch.tanh()
        z = torch.cat([x[:, :3], (x[:, 3:] - shift) * stretch.exp()], 1)
        return z, stretch.sum(1)


@pytest.mark.parametrize("by_hand", [True, False])
@pytest.mark.parametrize("sign", [1.0, -1.0])
def test_the_density_of_a_flow_is_to_be_large(sign: float, by_hand: bool) -> None:
    torch.manual_seed(0)
    network = Flow()
    optimizer = torch.optim.Adam(network.parameters(), lr=3e-3)
    with ss.watch(network, optimizer) as watch:
        for rows in torch.randperm(300).repeat(4).split(30):
            z, volume = network(X[rows])
            normal = torch.distributions.Normal(0.0, 1.0)
            base = -0.5 * z.square() if by_hand else normal.log_prob(z)
            loss = sign * (base.sum(1) + volume).mean()
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
            watch.step(loss)
    finding = likelihood_sign(watch.diagnose().case)
    assert (finding is not None) == (sign > 0)
