import argparse
import copy
import csv
import pickle

import torch
from sklearn.datasets import load_digits
from torch import nn
from torch.utils.data import DataLoader, Subset, TensorDataset


class BatchNormNet(nn.Module):
    def __init__(self, hidden=64):
        super().__init__()
        self.fc1 = nn.Linear(64, hidden)
        self.bn1 = nn.BatchNorm1d(hidden, momentum=1e-4)
        self.fc2 = nn.Linear(hidden, hidden)
        self.bn2 = nn.BatchNorm1d(hidden, momentum=1e-4)
        self.fc3 = nn.Linear(hidden, 10)
        self.dropout = nn.Dropout(0.3)

    def forward(self, x):
        x = self.bn1(self.fc1(x)).relu()
        x = self.dropout(x)
        x = self.bn2(self.fc2(x)).relu()
        return self.fc3(self.dropout(x))


class EMA:
    """Running mean of the weights, in a model of its own."""

    def __init__(self, model, decay=0.95):
        self.model = copy.deepcopy(model).eval()
        self.decay = decay
        for p in self.model.parameters():
            p.requires_grad_(False)

    @torch.no_grad()
    def update(self, model):
        mine, theirs = self.model.state_dict(), model.state_dict()
        for name, value in theirs.items():
            if value.dtype.is_floating_point:
                mine[name].mul_(self.decay).add_(value, alpha=1 - self.decay)
            else:
                mine[name].copy_(value)


class EarlyStopping:
    def __init__(self, patience, path):
        self.patience, self.path = patience, path
        self.best, self.bad = float("inf"), 0

    def __call__(self, loss, model):
        if loss < self.best - 1e-4:
            self.best, self.bad = loss, 0
            torch.save(model, self.path)
        else:
            self.bad += 1
        return self.bad >= self.patience


def evaluate(model, loader):
    model.eval()
    criterion = nn.CrossEntropyLoss(reduction="sum")
    loss = hits = n = 0
    with torch.no_grad():
        for inputs, labels in loader:
            outputs = model(inputs)
            loss += criterion(outputs, labels).item()
            hits += (outputs.argmax(1) == labels).sum().item()
            n += len(labels)
    return loss / n, hits / n


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--seed", type=int, default=7)
    args = parser.parse_args()
    torch.manual_seed(args.seed)

    digits = load_digits()
    inputs = torch.tensor(digits.data, dtype=torch.float32) / 16.0
    dataset = TensorDataset(inputs, torch.tensor(digits.target))
    order = torch.randperm(len(dataset)).tolist()
    train = DataLoader(Subset(dataset, order[:1300]), 64, shuffle=True, drop_last=True)
    valid = DataLoader(Subset(dataset, order[1300:]), 100)

    model = BatchNormNet()
    ema = EMA(model)
    optimizer = torch.optim.Adam(model.parameters(), lr=2e-3)
    criterion = nn.CrossEntropyLoss()
    stopping = EarlyStopping(patience=4, path="best.pt")
    rows = []
    for epoch in range(25):
        model.train()
        for inputs, labels in train:
            loss = criterion(model(inputs), labels)
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
            ema.update(model)
        valid_loss, valid_accuracy = evaluate(ema.model, valid)
        rows.append((epoch, f"{loss.item():.5f}", f"{valid_loss:.5f}", f"{valid_accuracy:.5f}"))
        print("epoch {} train {} valid {} accuracy {}".format(*rows[-1]))
        if stopping(valid_loss, model):
            print(f"no better for {stopping.patience} epochs: stopping")
            break
    with open("log.csv", "w", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(["epoch", "train_loss", "valid_loss", "valid_accuracy"])
        writer.writerows(rows)
    with open("optimizer.pkl", "wb") as file:
        pickle.dump(optimizer.state_dict()["param_groups"], file)
    best = torch.load("best.pt", weights_only=False)
    print("accuracy of the best model:", round(evaluate(best, valid)[1], 4))


if __name__ == "__main__":
    main()
