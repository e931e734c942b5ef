import argparse

import numpy as np
import torch
import torch.nn as nn
import torch.nn.functional as F

# grades 0..4 from a table of eight columns, by cumulative logits:
# one score per row, and a threshold for each "is the grade above k?"

NUM_GRADES = 5


def make_table(n, seed):
    rng = np.random.RandomState(seed)
    x = rng.normal(size=(n, 8)).astype("float32")
    quality = 1.2 * x[:, 0] - x[:, 1] + 0.8 * np.tanh(2 * x[:, 2]) * x[:, 3] + 0.5 * x[:, 4] ** 2
    quality = quality + 0.3 * rng.normal(size=n)
    cuts = np.quantile(quality, [0.2, 0.4, 0.6, 0.8])
    return torch.from_numpy(x), torch.from_numpy(np.digitize(quality, cuts))


def to_levels(grade):
    return (grade[:, None] > torch.arange(NUM_GRADES - 1)).float()


class OrdinalNet(nn.Module):
    def __init__(self, n_features, hidden):
        super().__init__()
        self.score = nn.Sequential(
            nn.Linear(n_features, hidden),
            nn.ReLU(),
            nn.Linear(hidden, hidden),
            nn.ReLU(),
            nn.Linear(hidden, 1, bias=False),
        )
        self.thresholds = nn.Parameter(torch.zeros(NUM_GRADES - 1))

    def forward(self, x):
        return self.score(x) + self.thresholds

    def predict(self, x):
        return (torch.sigmoid(self(x)) > 0.5).sum(dim=1)


def evaluate(net, x, y):
    net.eval()
    with torch.no_grad():
        grade = net.predict(x)
    net.train()
    return (grade == y).float().mean().item(), (grade - y).abs().float().mean().item()


def main(args):
    torch.manual_seed(args.seed)
    x, y = make_table(3000, args.seed)
    x_train, y_train, x_val, y_val = x[:2400], y[:2400], x[2400:], y[2400:]

    net = OrdinalNet(x.shape[1], args.hidden)
    optimizer = torch.optim.Adam(net.parameters(), lr=args.lr)

    for epoch in range(args.epochs):
        perm = torch.randperm(len(x_train))
        losses = []
        for start in range(0, len(perm), args.batch):
            rows = perm[start : start + args.batch]
            logits = net(x_train[rows])
            loss = F.binary_cross_entropy_with_logits(logits, to_levels(y_train[rows]))
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
            losses.append(loss.item())
        if epoch % 4 == 3:
            acc, mae = evaluate(net, x_val, y_val)
            print(f"[{epoch + 1:02d}] loss={np.mean(losses):.4f} acc={acc:.3f} mae={mae:.3f}")

    acc, mae = evaluate(net, x_val, y_val)
    print(f"final accuracy {acc:.3f}, off by {mae:.3f} grades")


if __name__ == "__main__":
    p = argparse.ArgumentParser()
    p.add_argument("--seed", type=int, default=0)
    p.add_argument("--hidden", type=int, default=32)
    p.add_argument("--lr", type=float, default=5e-3)
    p.add_argument("--batch", type=int, default=64)
    p.add_argument("--epochs", type=int, default=24)
    main(p.parse_args())
