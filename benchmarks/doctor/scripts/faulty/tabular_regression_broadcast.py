"""House prices (made up): a regression on a table, with a scheduler that watches the plateau."""
import csv
import logging
import os
import sys

import numpy as np
import torch
from torch import nn
from torch.utils.data import DataLoader, TensorDataset

logging.basicConfig(stream=sys.stdout, level=logging.INFO, format="%(message)s")
log = logging.getLogger(__name__)


def make_houses(rng, n=1600):
    area = rng.gamma(6, 20, n)
    rooms = np.clip(np.round(area / 28 + rng.normal(0, 0.8, n)), 1, 9)
    age = rng.uniform(0, 90, n)
    distance = rng.exponential(6, n)
    garden = rng.integers(0, 2, n)
    price = 2.1 * area + 9 * rooms - 0.5 * age + 20 * garden + 160 * np.exp(-distance / 5)
    price += rng.normal(0, 18, n)
    return np.stack([area, rooms, age, distance, garden], 1), price


class PriceModel(nn.Module):
    def __init__(self, n_in):
        super().__init__()
        self.net = nn.Sequential(
            nn.Linear(n_in, 40), nn.ELU(), nn.Linear(40, 20), nn.ELU(), nn.Linear(20, 1)
        )

    def forward(self, x):
        return self.net(x)


def main():
    seed = int(os.environ.get("SEED", 11))
    rng = np.random.default_rng(seed)
    torch.manual_seed(seed)
    table, price = make_houses(rng)
    table = (table - table.mean(0)) / table.std(0)
    mean, std = price.mean(), price.std()
    x = torch.tensor(table, dtype=torch.float32)
    y = torch.tensor((price - mean) / std, dtype=torch.float32)
    train = DataLoader(TensorDataset(x[:1280], y[:1280]), batch_size=64, shuffle=True)
    x_val, y_val = x[1280:], y[1280:]

    model = PriceModel(x.shape[1])
    optimizer = torch.optim.RMSprop(model.parameters(), lr=2e-3)
    plateau = torch.optim.lr_scheduler.ReduceLROnPlateau(optimizer, factor=0.5, patience=2)
    mse = nn.MSELoss()
    with open("epochs.csv", "w") as f:
        out = csv.DictWriter(f, ["epoch", "train", "valid", "lr"])
        out.writeheader()
        for epoch in range(18):
            total = 0.0
            for xb, yb in train:
                prediction = model(xb)
                loss = mse(prediction, yb)
                optimizer.zero_grad()
                loss.backward()
                optimizer.step()
                total += loss.item() * len(xb)
            with torch.no_grad():
                valid = mse(model(x_val).squeeze(1), y_val).item()
            plateau.step(valid)
            lr = optimizer.param_groups[0]["lr"]
            out.writerow(dict(epoch=epoch, train=total / 1280, valid=valid, lr=lr))
            log.info("epoch %2d  train %.4f  valid %.4f  lr %g", epoch, total / 1280, valid, lr)
    log.info("R2 on validation: %.4f", 1 - valid / y_val.var().item())


main()
