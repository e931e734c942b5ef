"""Pumps: which part is about to fail, and how many hours are left? One trunk, two answers."""

import os

import numpy as np
import torch
from torch import nn
from torch.utils.data import DataLoader, TensorDataset

SEED = int(os.environ.get("SEED", "0"))
torch.manual_seed(SEED)
rng = np.random.default_rng(SEED)

# sensors: eight of them, mixed from what nobody measures
N = 3000
part = rng.integers(0, 3, N)  # bearing, seal, motor
wear = rng.uniform(0, 1, N)
signature = rng.normal(0, 1, (3, 8))
sensors = signature[part] * (0.5 + wear[:, None]) + 0.25 * rng.normal(0, 1, (N, 8))
hours = 900 * (1 - wear) + 120 * part + rng.normal(0, 20, N)

cut = 2400
sensors = (sensors - sensors[:cut].mean(0)) / sensors[:cut].std(0)
hours = (hours - hours[:cut].mean()) / hours[:cut].std()
x = torch.tensor(sensors, dtype=torch.float32)
y_part = torch.tensor(part)
y_hours = torch.tensor(hours, dtype=torch.float32)
train_loader = DataLoader(
    TensorDataset(x[:cut], y_part[:cut], y_hours[:cut]), batch_size=64, shuffle=True
)


class PumpNet(nn.Module):
    def __init__(self):
        super().__init__()
        self.trunk = nn.Sequential(nn.Linear(8, 64), nn.ReLU(), nn.Linear(64, 64), nn.ReLU())
        self.part_head = nn.Linear(64, 3)
        self.hours_head = nn.Sequential(nn.Linear(64, 32), nn.ReLU(), nn.Linear(32, 1))

    def forward(self, x):
        h = self.trunk(x)
        return self.part_head(h), self.hours_head(h).squeeze(1)


net = PumpNet()
opt = torch.optim.Adam(net.parameters(), lr=2e-3)
ce, mse = nn.CrossEntropyLoss(), nn.MSELoss()
for epoch in range(1, 21):
    net.train()
    sums = [0.0, 0.0]
    for xb, pb, hb in train_loader:
        part_logits, hours_pred = net(xb)
        part_loss, hours_loss = ce(part_logits, pb), mse(hours_pred, hb)
        opt.zero_grad()
        (part_loss + hours_loss).backward()
        opt.step()
        sums[0] += part_loss.item()
        sums[1] += hours_loss.item()
    if epoch % 5 == 0:
        a, b = (s / len(train_loader) for s in sums)
        print(f"epoch {epoch:2d}  part {a:.3f}  hours {b:.3f}")

net.eval()
with torch.no_grad():
    part_logits, hours_pred = net(x[cut:])
acc = (part_logits.argmax(1) == y_part[cut:]).float().mean().item()
r2 = 1 - ((hours_pred - y_hours[cut:]) ** 2).mean() / y_hours[cut:].var(unbiased=False)
print(f"accuracy of the part {acc:.3f}, R2 of the hours {r2.item():.3f}")
