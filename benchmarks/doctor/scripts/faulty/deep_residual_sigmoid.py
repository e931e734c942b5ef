import argparse

import torch
import torch.nn as nn
from sklearn.datasets import load_digits


class Residual(nn.Module):
    def __init__(self, dim):
        super().__init__()
        self.norm = nn.LayerNorm(dim)
        self.linear = nn.Linear(dim, dim)

    def forward(self, x):
        return torch.sigmoid(self.linear(x))


def make_model(depth, dim=40):
    layers = [nn.Linear(64, dim)]
    layers += [Residual(dim) for _ in range(depth)]
    layers += [nn.LayerNorm(dim), nn.Linear(dim, 10)]
    return nn.Sequential(*layers)


def train(model, data, epochs, lr):
    (x, y), (xv, yv) = data
    opt = torch.optim.AdamW(model.parameters(), lr=lr)
    sched = torch.optim.lr_scheduler.OneCycleLR(
        opt, max_lr=lr, total_steps=epochs * ((len(x) + 63) // 64)
    )
    for epoch in range(epochs):
        for i in torch.randperm(len(x)).split(64):
            loss = nn.functional.cross_entropy(model(x[i]), y[i])
            opt.zero_grad()
            loss.backward()
            opt.step()
            sched.step()
        with torch.no_grad():
            acc = (model(xv).argmax(1) == yv).float().mean().item()
        print(f"epoch {epoch}: loss {loss.item():.3f} val_acc {acc:.3f}")
    return acc


if __name__ == "__main__":
    cli = argparse.ArgumentParser()
    cli.add_argument("--depth", type=int, default=8)
    cli.add_argument("--epochs", type=int, default=8)
    cli.add_argument("--lr", type=float, default=3e-3)
    cli.add_argument("--seed", type=int, default=0)
    a = cli.parse_args()
    torch.manual_seed(a.seed)
    d = load_digits()
    x, y = torch.tensor(d.data).float() / 8 - 1, torch.tensor(d.target)
    p = torch.randperm(len(y))
    x, y = x[p], y[p]
    print("val_acc:", train(make_model(a.depth), ((x[:1440], y[:1440]), (x[1440:], y[1440:])),
                            a.epochs, a.lr))
