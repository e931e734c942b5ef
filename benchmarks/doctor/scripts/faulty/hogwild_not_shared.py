# Two processes train one network in shared memory without locks.
import argparse

import torch
import torch.multiprocessing as mp
import torch.nn as nn
import torch.nn.functional as F
import torch.optim as optim
from sklearn.datasets import load_digits


class Net(nn.Module):
    def __init__(self):
        super().__init__()
        self.fc1 = nn.Linear(64, 50)
        self.fc2 = nn.Linear(50, 10)

    def forward(self, x):
        return F.log_softmax(self.fc2(F.relu(self.fc1(x))), dim=1)


def load(seed):
    d = load_digits()
    order = torch.randperm(len(d.target), generator=torch.Generator().manual_seed(seed))
    x = torch.tensor(d.data, dtype=torch.float32)[order] / 16
    return x, torch.tensor(d.target)[order]


def train(rank, args, model, x, y):
    torch.set_num_threads(1)
    torch.manual_seed(args.seed + rank)
    optimizer = optim.SGD(model.parameters(), lr=args.lr, momentum=0.5)
    for epoch in range(args.epochs):
        for idx in torch.randperm(len(x)).split(64):
            optimizer.zero_grad()
            loss = F.nll_loss(model(x[idx]), y[idx])
            loss.backward()
            optimizer.step()


def test(model, x, y):
    model.eval()
    with torch.no_grad():
        output = model(x)
    return (output.argmax(1) == y).float().mean().item()


if __name__ == "__main__":
    parser = argparse.ArgumentParser()
    parser.add_argument("--num-processes", type=int, default=2)
    parser.add_argument("--epochs", type=int, default=15)
    parser.add_argument("--lr", type=float, default=0.1)
    parser.add_argument("--seed", type=int, default=1)
    args = parser.parse_args()
    torch.manual_seed(args.seed)
    torch.set_num_threads(1)
    ctx = mp.get_context("fork")
    x, y = load(args.seed)
    model = Net()
    processes = []
    for rank in range(args.num_processes):
        p = ctx.Process(target=train, args=(rank, args, model, x[:1400], y[:1400]))
        p.start()
        processes.append(p)
    for p in processes:
        p.join()
    print(f"Test set: Accuracy: {test(model, x[1400:], y[1400:]):.2f}")
