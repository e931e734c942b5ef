"""torch.compile; the backend can be chosen: eager needs no compiler."""
import os

import torch
import torch.nn.functional as F
from sklearn.datasets import load_digits
from sklearn.preprocessing import StandardScaler
from torch import nn

SEED = int(os.environ.get("SEED", "0"))
BACKEND = os.environ.get("BACKEND", "eager")


class Tabular(nn.Module):
    def __init__(self, n_features, n_classes, width=32, p=0.5):
        super().__init__()
        self.p = p
        self.inp = nn.Linear(n_features, width)
        self.mid = nn.Linear(width, width)
        self.out = nn.Linear(width, n_classes)

    def forward(self, x):
        x = F.dropout(F.silu(self.inp(x)), self.p, training=self.training)
        x = F.dropout(F.silu(self.mid(x)), self.p, training=self.training)
        return self.out(x)


def main() -> None:
    torch.manual_seed(SEED)
    table = load_digits()
    order = torch.randperm(len(table.target)).numpy()
    tr, te = order[:1437], order[1437:]
    scaler = StandardScaler().fit(table.data[tr])
    x = torch.tensor(scaler.transform(table.data), dtype=torch.float32)
    y = torch.tensor(table.target)

    model = Tabular(x.shape[1], int(y.max()) + 1)
    step_model = torch.compile(model, backend=BACKEND)
    opt = torch.optim.Adam(model.parameters(), lr=3e-3, weight_decay=1e-4)
    for epoch in range(15):
        model.train()
        shuffled = tr[torch.randperm(len(tr)).numpy()]
        total = 0.0
        for start in range(0, 1408, 64):  # whole batches only: one graph
            rows = shuffled[start : start + 64]
            opt.zero_grad()
            loss = F.cross_entropy(step_model(x[rows]), y[rows])
            loss.backward()
            opt.step()
            total += loss.item()
        if epoch % 5 == 4:
            print(f"epoch {epoch + 1:>2} | loss {total / 22:.4f}")

    model.eval()
    with torch.no_grad():
        answer = model(x[te]).argmax(dim=1)
    print(f"accuracy={(answer == y[te]).float().mean().item():.4f}")


if __name__ == "__main__":
    main()
