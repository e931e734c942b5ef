"""RealNVP: a normalizing flow of four coupling layers that learns the density of two circles."""
import sys

import torch
from sklearn.datasets import make_circles
from torch import distributions, nn


class Coupling(nn.Module):
    def __init__(self, mask, hidden=48):
        super().__init__()
        self.register_buffer("mask", mask)
        def net(last):
            return nn.Sequential(
                nn.Linear(2, hidden), nn.LeakyReLU(),
                nn.Linear(hidden, hidden), nn.LeakyReLU(),
                nn.Linear(hidden, 2), *last,
            )
        self.s, self.t = net([nn.Tanh()]), net([])

    def forward(self, x):
        masked = x * self.mask
        s = self.s(masked) * (1 - self.mask)
        t = self.t(masked) * (1 - self.mask)
        return masked + (1 - self.mask) * (x * torch.exp(s) + t), s.sum(1)


class RealNVP(nn.Module):
    def __init__(self, n=6):
        super().__init__()
        masks = [torch.tensor([1.0, 0.0]) if i % 2 else torch.tensor([0.0, 1.0]) for i in range(n)]
        self.layers = nn.ModuleList(Coupling(m) for m in masks)
        self.prior = distributions.MultivariateNormal(torch.zeros(2), torch.eye(2))

    def log_prob(self, x):
        log_det = x.new_zeros(len(x))
        for layer in self.layers:
            x, ld = layer(x)
            log_det += ld
        return self.prior.log_prob(x) - log_det


seed = int(sys.argv[1]) if len(sys.argv) > 1 else 0
torch.manual_seed(seed)
flow = RealNVP()
optimizer = torch.optim.Adam(flow.parameters(), lr=1e-3)


def circles(count, state):
    points, _ = make_circles(count, noise=0.05, factor=0.5, random_state=state)
    return torch.tensor(points, dtype=torch.float32)


held_out = circles(1000, 1999)
for t in range(801):
    samples = circles(128, 2000 * seed + t)
    loss = -flow.log_prob(samples).mean()
    optimizer.zero_grad()
    loss.backward()
    optimizer.step()
    if t % 200 == 0:
        with torch.no_grad():
            other = -flow.log_prob(held_out).mean().item()
        print(f"iter {t}: loss {loss.item():.3f}, held out {other:.3f}")
