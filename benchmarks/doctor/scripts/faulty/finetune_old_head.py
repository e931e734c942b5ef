"""Learn the digits 0-6, then keep the body and learn 7-9 with a new head."""
import argparse

import torch
import torch.nn as nn
from sklearn.datasets import load_digits


class Classifier(nn.Module):
    def __init__(self, n_classes):
        super().__init__()
        self.backbone = nn.Sequential(
            nn.Linear(64, 80), nn.ReLU(), nn.Linear(80, 40), nn.ReLU()
        )
        self.head = nn.Linear(40, n_classes)

    def forward(self, x):
        return self.head(self.backbone(x))


def get_split(x, y, classes, g):
    rows = torch.nonzero((y >= classes.start) & (y < classes.stop)).squeeze(1)
    rows = rows[torch.randperm(len(rows), generator=g)]
    cut = int(0.8 * len(rows))
    return [(x[r], y[r] - classes.start) for r in (rows[:cut], rows[cut:])]


def fit(model, optimizer, train, valid, epochs, tag):
    x, y = train
    loss_fn = nn.CrossEntropyLoss()
    for epoch in range(epochs):
        model.train()
        for i in torch.randperm(len(x)).split(32):
            optimizer.zero_grad()
            loss = loss_fn(model(x[i]), y[i])
            loss.backward()
            optimizer.step()
        model.eval()
        with torch.no_grad():
            acc = (model(valid[0]).argmax(1) == valid[1]).float().mean().item()
        print(f"{tag} epoch {epoch} loss {loss.item():.4f} acc {acc:.4f}")
    return acc


def main():
    ap = argparse.ArgumentParser()
    ap.add_argument("--seed", type=int, default=0)
    args = ap.parse_args()
    torch.manual_seed(args.seed)
    g = torch.Generator().manual_seed(args.seed)
    d = load_digits()
    x, y = torch.tensor(d.data, dtype=torch.float32) / 16, torch.tensor(d.target)

    model = Classifier(7)
    optimizer = torch.optim.Adam(model.parameters(), lr=3e-3)
    fit(model, optimizer, *get_split(x, y, range(7), g), epochs=10, tag="pretrain")
    torch.save(model.state_dict(), "pretrained.pt")

    model = Classifier(7)
    model.load_state_dict(torch.load("pretrained.pt"))
    for p in model.backbone.parameters():
        p.requires_grad = False
    trainable = [p for p in model.parameters() if p.requires_grad]
    optimizer = torch.optim.Adam(trainable, lr=0.01)
    model.head = nn.Linear(40, 3)
    acc = fit(model, optimizer, *get_split(x, y, range(7, 10), g), epochs=25, tag="finetune")
    print(f"accuracy after fine-tuning {acc:.4f}")


if __name__ == "__main__":
    main()
