import os

import torch
from torch import nn


class Router(nn.Module):
    """How much each expert has to say about each sample."""

    def __init__(self, in_features, num_experts):
        super().__init__()
        self.net = nn.Sequential(
            nn.Linear(in_features, 24), nn.Tanh(), nn.Linear(24, num_experts)
        )

    def forward(self, x):
        return self.net(x).softmax(dim=-1)


class MixtureOfExperts(nn.Module):
    def __init__(self, in_features=2, num_experts=6):
        super().__init__()
        self.router = Router(in_features, num_experts)
        self.experts = nn.ModuleList(nn.Linear(in_features, 1) for _ in range(num_experts))

    def forward(self, x):
        weights = self.router(x)
        answers = torch.cat([expert(x) for expert in self.experts], dim=1)
        return (weights * answers).sum(dim=1), weights


def balance(weights):
    share = weights.mean(dim=0)
    return len(share) * (share**2).sum() - 1


def terrain(n, generator):
    """Four slopes that meet at edges: a line for each quarter of the plane."""
    x = torch.rand(n, 2, generator=generator) * 2 - 1
    slopes = torch.tensor([[2.0, 1.0], [-3.0, 0.5], [1.0, -2.5], [-1.0, 3.0]])
    quarter = (x[:, 0] > 0).long() + 2 * (x[:, 1] > 0).long()
    y = (slopes[quarter] * x).sum(dim=1) + 0.05 * torch.randn(n, generator=generator)
    return x, (y - y.mean()) / y.std()


def r_squared(model, x, y):
    with torch.no_grad():
        prediction, _ = model(x)
    return 1 - ((prediction - y) ** 2).mean().item() / y.var().item()


def fit(model, x, y, steps=1500, batch_size=128):
    optimizer = torch.optim.Adam(model.parameters(), lr=1e-2)
    schedule = torch.optim.lr_scheduler.CosineAnnealingLR(optimizer, steps)
    for step in range(1, steps + 1):
        pick = torch.randint(len(x), (batch_size,))
        prediction, weights = model(x[pick])
        error = nn.functional.mse_loss(prediction, y[pick])
        loss = error + 0.01 * balance(weights)
        optimizer.zero_grad(set_to_none=True)
        loss.backward()
        optimizer.step()
        schedule.step()
        if step % 300 == 0:
            print(f"step {step:5d} | mse {error.item():.4f}")


if __name__ == "__main__":
    seed = int(os.environ.get("SEED", 0))
    torch.manual_seed(seed)
    source = torch.Generator().manual_seed(seed + 100)
    x, y = terrain(4000, source)
    model = MixtureOfExperts()
    fit(model, x[:3200], y[:3200])
    print(f"held-out R^2: {r_squared(model, x[3200:], y[3200:]):.3f}")
