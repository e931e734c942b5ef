"""Three folds with the same module, set anew for each; the model computes its own loss."""
import os

import numpy as np
import torch
import torch.nn.functional as F
from sklearn.datasets import load_digits
from sklearn.metrics import accuracy_score
from sklearn.model_selection import KFold
from torch import nn
from torch.utils.data import DataLoader, Subset, TensorDataset

seed = int(os.environ.get("SEED", 0))
torch.manual_seed(seed)


class Digits(nn.Module):
    def __init__(self):
        super().__init__()
        self.body = nn.Sequential(nn.Linear(64, 64), nn.ReLU(), nn.Linear(64, 10))

    def forward(self, x):
        return self.body(x)

    def loss(self, x, y):
        return F.cross_entropy(self(x), y)


def reset(module):
    if hasattr(module, "reset_parameters"):
        module.reset_parameters()


bunch = load_digits()
data = TensorDataset(torch.tensor(bunch.data).float() / 16, torch.tensor(bunch.target))
model, scores = Digits(), []
for fold, (train, valid) in enumerate(KFold(3, shuffle=True, random_state=seed).split(bunch.data)):
    model.apply(reset)
    optimizer = torch.optim.Adam(model.parameters(), lr=2e-3)
    loader = DataLoader(Subset(data, train), batch_size=64, shuffle=True)
    for epoch in range(10):
        for x, y in loader:
            optimizer.zero_grad()
            model.loss(x, y).backward()
            optimizer.step()
    answers, labels = [], []
    with torch.no_grad():
        for x, y in DataLoader(Subset(data, valid), batch_size=100):
            answers.append(model(x).argmax(1).numpy())
            labels.append(y.numpy())
    scores.append(accuracy_score(np.concatenate(labels), np.concatenate(answers)))
    print("fold", fold, "accuracy", round(scores[-1], 4))
print("mean accuracy", round(float(np.mean(scores)), 4))
