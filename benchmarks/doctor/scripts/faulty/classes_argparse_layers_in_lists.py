"""Train a classifier on the digits that come with scikit-learn."""
import argparse
import logging
import sys

import torch
from sklearn.datasets import load_digits
from sklearn.model_selection import train_test_split
from torch import nn
from torch.nn import functional as F

logger = logging.getLogger("train")


class Net(nn.Module):
    def __init__(self, in_dim, width, depth, out_dim):
        super().__init__()
        sizes = [in_dim] + [width] * (depth + 1) + [out_dim]
        self.layers = [nn.Linear(a, b) for a, b in zip(sizes, sizes[1:])]

    def forward(self, x):
        for layer in self.layers[:-1]:
            x = torch.tanh(layer(x))
        return self.layers[-1](x)


class Trainer:
    def __init__(self, net, args):
        self.net = net
        self.args = args
        self.optim = torch.optim.Adam(net.parameters(), lr=args.lr)
        self.step_count = 0

    def fit_epoch(self, x, y):
        self.net.train()
        total = 0.0
        for idx in torch.randperm(len(x)).split(self.args.batch_size):
            loss = F.cross_entropy(self.net(x[idx]), y[idx])
            self.optim.zero_grad(set_to_none=True)
            loss.backward()
            self.optim.step()
            self.step_count += 1
            total += loss.item() * len(idx)
        return total / len(x)

    @torch.no_grad()
    def evaluate(self, x, y):
        self.net.eval()
        logits = self.net(x)
        return F.cross_entropy(logits, y).item(), (logits.argmax(-1) == y).float().mean().item()


def parse_args(argv=None):
    p = argparse.ArgumentParser(description=__doc__)
    p.add_argument("--lr", type=float, default=2e-3)
    p.add_argument("--batch-size", type=int, default=64)
    p.add_argument("--epochs", type=int, default=12)
    p.add_argument("--width", type=int, default=48)
    p.add_argument("--depth", type=int, default=2)
    p.add_argument("--seed", type=int, default=0)
    p.add_argument("--quiet", action="store_true")
    return p.parse_args(argv)


def main():
    args = parse_args()
    logging.basicConfig(
        level=logging.WARNING if args.quiet else logging.INFO,
        format="%(levelname)s %(name)s: %(message)s",
        stream=sys.stdout,
    )
    torch.manual_seed(args.seed)
    data = load_digits()
    mean, std = data.data.mean(), data.data.std()
    x = torch.from_numpy((data.data - mean) / std).float()
    y = torch.from_numpy(data.target).long()
    tr, va = train_test_split(
        range(len(y)), test_size=0.2, random_state=args.seed, stratify=data.target
    )
    net = Net(x.shape[1], args.width, args.depth, 10)
    logger.info("parameters: %d", sum(p.numel() for p in net.parameters()))
    trainer = Trainer(net, args)
    best = 0.0
    for epoch in range(args.epochs):
        train_loss = trainer.fit_epoch(x[tr], y[tr])
        val_loss, val_acc = trainer.evaluate(x[va], y[va])
        best = max(best, val_acc)
        logger.info("epoch %02d train %.4f val %.4f acc %.3f", epoch, train_loss, val_loss, val_acc)
    print(f"best_acc={best:.4f} steps={trainer.step_count}")
    print(f"final_acc: {val_acc:.4f}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
