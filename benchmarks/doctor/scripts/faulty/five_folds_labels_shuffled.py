"""Five folds, a fresh network for each; a function trains and gives back its score."""
import os

import numpy as np
import torch
from sklearn.datasets import load_wine
from sklearn.model_selection import StratifiedKFold
from torch import nn
from torch.utils.data import DataLoader, Subset, TensorDataset

SEED = int(os.environ.get("SEED", "0"))


def build():
    return nn.Sequential(nn.Linear(13, 24), nn.ReLU(), nn.Linear(24, 3))


def train_fold(dataset, shuffled, train_rows, valid_rows):
    model = build()
    optimizer = torch.optim.Adam(model.parameters(), lr=5e-3)
    loader = DataLoader(Subset(shuffled, train_rows), batch_size=16, shuffle=True)
    for _ in range(20):
        for x, y in loader:
            optimizer.zero_grad()
            loss = nn.functional.cross_entropy(model(x), y)
            loss.backward()
            optimizer.step()
    model.eval()
    with torch.no_grad():
        x, y = next(iter(DataLoader(Subset(dataset, valid_rows), batch_size=len(valid_rows))))
        return (model(x).argmax(1) == y).float().mean().item()


torch.manual_seed(SEED)
x, y = load_wine(return_X_y=True)
x = (x - x.mean(0)) / x.std(0)
dataset = TensorDataset(torch.tensor(x, dtype=torch.float32), torch.tensor(y))
shuffled = TensorDataset(dataset.tensors[0], dataset.tensors[1][torch.randperm(len(y))])
folds = StratifiedKFold(5, shuffle=True, random_state=SEED).split(x, y)
scores = [train_fold(dataset, shuffled, train.tolist(), valid.tolist()) for train, valid in folds]
print("folds:", [round(score, 4) for score in scores], "mean", round(float(np.mean(scores)), 4))
