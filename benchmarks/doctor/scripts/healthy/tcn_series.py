"""Next-day load forecast with a temporal convolutional network."""

import os

import numpy as np
import torch
from torch import nn
from torch.utils.data import DataLoader, Dataset

SEED = int(os.environ.get("SEED", "0"))
WINDOW, HORIZON = 48, 4


def make_series(n, rng):
    t = np.arange(n)
    daily = np.sin(2 * np.pi * t / 24)
    weekly = 0.6 * np.cos(2 * np.pi * t / 168)
    wobble = np.zeros(n)
    for i in range(1, n):
        wobble[i] = 0.9 * wobble[i - 1] + 0.08 * rng.standard_normal()
    return 50 + 12 * (daily + weekly * daily + wobble)


class Windows(Dataset):
    def __init__(self, series):
        self.series = torch.as_tensor(series, dtype=torch.float32)

    def __len__(self):
        return len(self.series) - WINDOW - HORIZON + 1

    def __getitem__(self, i):
        past = self.series[i : i + WINDOW]
        future = self.series[i + WINDOW : i + WINDOW + HORIZON]
        return past.unsqueeze(0), future


class CausalBlock(nn.Module):
    def __init__(self, c_in, c_out, dilation):
        super().__init__()
        self.pad = nn.ConstantPad1d((2 * dilation, 0), 0.0)
        self.conv1 = nn.Conv1d(c_in, c_out, 3, dilation=dilation)
        self.conv2 = nn.Conv1d(c_out, c_out, 3, dilation=dilation)
        self.skip = nn.Conv1d(c_in, c_out, 1) if c_in != c_out else nn.Identity()

    def forward(self, x):
        h = torch.relu(self.conv1(self.pad(x)))
        h = torch.relu(self.conv2(self.pad(h)))
        return torch.relu(h + self.skip(x))


class TCN(nn.Module):
    def __init__(self, channels=(16, 16, 16, 16)):
        super().__init__()
        sizes = [1, *channels]
        self.blocks = nn.Sequential(
            *[CausalBlock(sizes[k], sizes[k + 1], 2**k) for k in range(len(channels))]
        )
        self.readout = nn.Linear(channels[-1], HORIZON)
        self.apply(self.init_weights)

    @staticmethod
    def init_weights(m):
        if isinstance(m, (nn.Conv1d, nn.Linear)):
            nn.init.normal_(m.weight, std=0.1)
            nn.init.zeros_(m.bias)

    def forward(self, x):
        return self.readout(self.blocks(x)[:, :, -1])


torch.manual_seed(SEED)
series = make_series(2400, np.random.default_rng(SEED))
mean, std = series[:1900].mean(), series[:1900].std()
series = (series - mean) / std
train_loader = DataLoader(Windows(series[:1900]), batch_size=64, shuffle=True)
test_loader = DataLoader(Windows(series[1900:]), batch_size=256)

model = TCN()
opt = torch.optim.Adam(model.parameters(), lr=2e-3)
for epoch in range(1, 9):
    model.train()
    total = 0.0
    for past, future in train_loader:
        opt.zero_grad()
        loss = nn.functional.mse_loss(model(past), future)
        loss.backward()
        opt.step()
        total += loss.item() * len(past)
    print(f"epoch {epoch}: train mse {total / len(train_loader.dataset):.4f}")

model.eval()
with torch.no_grad():
    pairs = [(model(past), future) for past, future in test_loader]
guess = torch.cat([p for p, _ in pairs])
truth = torch.cat([f for _, f in pairs])
mae = (guess - truth).abs().mean().item() * std
r2 = 1 - ((guess - truth) ** 2).sum() / ((truth - truth.mean()) ** 2).sum()
print(f"test MAE {mae:.2f} MW, R2 {r2.item():.3f}")
