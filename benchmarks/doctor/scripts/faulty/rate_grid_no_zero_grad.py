"""Which rate and which width? One training for each, one after another."""
import itertools
import os

import torch
from sklearn.datasets import load_breast_cancer
from sklearn.preprocessing import StandardScaler
from torch import nn

RATES, WIDTHS = (0.02, 0.05), (16, 32)
seed = int(os.environ.get("SEED", "0"))
table = load_breast_cancer()
x = torch.tensor(StandardScaler().fit_transform(table.data), dtype=torch.float32)
y = torch.tensor(table.target, dtype=torch.float32)
order = torch.randperm(len(x), generator=torch.Generator().manual_seed(seed))
train, test = order[:420], order[420:]


def run(rate, width):
    torch.manual_seed(seed)
    model = nn.Sequential(nn.Linear(30, width), nn.ReLU(), nn.Linear(width, 1))
    optimizer = torch.optim.SGD(model.parameters(), lr=rate, momentum=0.9)
    loss_fn = nn.BCEWithLogitsLoss()
    for _ in range(12):
        for rows in train[torch.randperm(len(train))].split(30):
            loss = loss_fn(model(x[rows]).squeeze(1), y[rows])
            loss.backward()
            optimizer.step()
    with torch.no_grad():
        answers = (model(x[test]).squeeze(1) > 0).float()
    return (answers == y[test]).float().mean().item()


results = {pair: run(*pair) for pair in itertools.product(RATES, WIDTHS)}
for (rate, width), accuracy in results.items():
    print(f"rate {rate} width {width}: {accuracy:.4f}")
print("best:", max(results, key=results.get))
