"""Measurements arrive one after another; nobody knows how many there will be."""
import os

import torch
from torch import nn
from torch.utils.data import DataLoader, IterableDataset

SEED = int(os.environ.get("SEED", "0"))


def measure(generator):
    x = torch.rand(3, generator=generator) * 2 - 1
    noise = 0.05 * torch.randn((), generator=generator)
    return x, torch.sin(3 * x[0]) + x[1] * x[2] + noise


class Stream(IterableDataset):
    def __init__(self, seed, count):
        self.generator = torch.Generator().manual_seed(seed)
        self.count = count

    def __iter__(self):
        for _ in range(self.count):
            yield measure(self.generator)


torch.manual_seed(SEED)
train = DataLoader(Stream(SEED, 3200), batch_size=64)
valid = DataLoader(Stream(SEED + 77, 640), batch_size=64)
net = nn.Sequential(nn.Linear(3, 48), nn.Tanh(), nn.Linear(48, 48), nn.Tanh(), nn.Linear(48, 1))
optimizer = torch.optim.Adam(net.parameters(), lr=3e-3)
loss_fn = nn.MSELoss()
for part in range(8):
    for x, y in train:
        optimizer.zero_grad()
        loss = loss_fn(net(x), y)
        loss.backward()
        optimizer.step()
    with torch.no_grad():
        losses = [loss_fn(net(x).squeeze(1), y).item() for x, y in valid]
    print(f"part {part}: {sum(losses) / len(losses):.5f}")
