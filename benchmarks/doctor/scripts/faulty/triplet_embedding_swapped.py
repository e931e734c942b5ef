"""Metric learning with triplets; judged by the nearest neighbour in the training part."""
import argparse

import numpy as np
import torch
import torch.nn as nn
import torch.nn.functional as F
from sklearn.datasets import load_digits

MARGIN = 0.4


def distance(a, b):
    return ((a - b).pow(2).sum(dim=1) + 1e-8).sqrt()


def triplet_loss(anchor, positive, negative):
    return F.relu(distance(anchor, negative) - distance(anchor, positive) + MARGIN).mean()


class Embedder(nn.Module):
    def __init__(self, dim=12):
        super().__init__()
        self.body = nn.Sequential(nn.Linear(64, 64), nn.ReLU(), nn.Linear(64, dim))

    def forward(self, x):
        return F.normalize(self.body(x), dim=1)


class TripletSampler:
    def __init__(self, labels, rng):
        self.labels, self.rng = labels, rng
        self.by_class = [np.flatnonzero(labels == c) for c in range(10)]

    def __call__(self, n):
        a = self.rng.integers(len(self.labels), size=n)
        p = np.array([self.rng.choice(self.by_class[c]) for c in self.labels[a]])
        other = (self.labels[a] + self.rng.integers(1, 10, size=n)) % 10
        q = np.array([self.rng.choice(self.by_class[c]) for c in other])
        return a, p, q


def nearest_neighbour_accuracy(model, x, y, x_new, y_new):
    model.eval()
    with torch.no_grad():
        d = torch.cdist(model(x_new), model(x))
    return (y[d.argmin(1)] == y_new).float().mean().item()


def main(seed, steps):
    rng = np.random.default_rng(seed)
    torch.manual_seed(seed)
    data, target = load_digits(return_X_y=True)
    order = rng.permutation(len(target))
    data = (data - data[order[:600]].mean(0)) / (data[order[:600]].std() + 1e-6)
    data = torch.as_tensor(data, dtype=torch.float32)
    tr, te = order[:600], order[600:1100]
    sample = TripletSampler(target[tr], rng)
    x_tr, y_tr = data[tr], torch.as_tensor(target[tr])
    model = Embedder()
    opt = torch.optim.Adam(model.parameters(), lr=1e-3)
    for step in range(steps):
        model.train()
        a, p, n = sample(64)
        loss = triplet_loss(model(x_tr[a]), model(x_tr[p]), model(x_tr[n]))
        opt.zero_grad()
        loss.backward()
        opt.step()
        if step % 100 == 0:
            print(f"step {step:4d}  triplet loss {loss.item():.4f}")
    acc = nearest_neighbour_accuracy(model, x_tr, y_tr, data[te], torch.as_tensor(target[te]))
    np.savetxt("embedding.csv", model(data[te[:20]]).detach().numpy(), fmt="%.4f", delimiter=",")
    print(f"recall@1 = {acc:.4f}")


if __name__ == "__main__":
    ap = argparse.ArgumentParser()
    ap.add_argument("--seed", type=int, default=0)
    ap.add_argument("--steps", type=int, default=500)
    main(**vars(ap.parse_args()))
