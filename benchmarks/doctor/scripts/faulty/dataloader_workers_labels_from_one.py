import argparse
import json
import os

import numpy as np
import torch
from sklearn.datasets import load_digits
from torch import nn, optim
from torch.utils.data import DataLoader, Dataset, random_split


class DigitFiles(Dataset):
    """As if each item were read from disk: one row is made ready at a time."""

    def __init__(self, transform=None):
        bunch = load_digits()
        self.pixels = bunch.data.astype(np.float32)
        self.labels = bunch.target.astype(np.int64)
        self.transform = transform

    def __len__(self):
        return len(self.labels)

    def __getitem__(self, index):
        item = self.pixels[index]
        if self.transform is not None:
            item = self.transform(item)
        return {"image": torch.from_numpy(item), "label": int(self.labels[index]) + 1}


class Scale:
    def __init__(self, low, high):
        self.low, self.high = low, high

    def __call__(self, item):
        return (item - self.low) / (self.high - self.low)


def seed_worker(worker_id):
    np.random.seed(torch.initial_seed() % 2**32)


def accuracy(model, loader, device):
    model.eval()
    n = right = 0
    with torch.inference_mode():
        for batch in loader:
            answer = model(batch["image"].to(device)).argmax(dim=1).cpu()
            right += int((answer == batch["label"]).sum())
            n += len(answer)
    model.train()
    return right / n


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--epochs", type=int, default=8)
    parser.add_argument("--workers", type=int, default=2)
    opts = parser.parse_args()
    torch.manual_seed(opts.seed)
    device = torch.device("cuda" if torch.cuda.is_available() else "cpu")

    dataset = DigitFiles(transform=Scale(0.0, 16.0))
    generator = torch.Generator().manual_seed(opts.seed)
    train_set, test_set = random_split(dataset, [0.8, 0.2], generator=generator)
    common = dict(num_workers=opts.workers, worker_init_fn=seed_worker)
    train_loader = DataLoader(
        train_set,
        batch_size=32,
        shuffle=True,
        drop_last=True,
        generator=generator,
        persistent_workers=opts.workers > 0,
        **common,
    )
    test_loader = DataLoader(test_set, batch_size=180)

    model = nn.Sequential(nn.Linear(64, 96), nn.GELU(), nn.Dropout(0.1), nn.Linear(96, 10))
    model.to(device)
    optimizer = optim.AdamW(model.parameters(), lr=3e-3, weight_decay=0.01)
    loss_fn = nn.CrossEntropyLoss()
    history = []
    for epoch in range(1, opts.epochs + 1):
        losses = []
        for batch in train_loader:
            image, label = batch["image"].to(device), batch["label"].to(device)
            loss = loss_fn(model(image), label)
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
            losses.append(loss.item())
        history.append({"epoch": epoch, "loss": float(np.mean(losses)),
                        "acc": accuracy(model, test_loader, device)})
        print(json.dumps(history[-1]))
    with open("history.json", "w") as f:
        json.dump(history, f, indent=2)
    torch.save(model.state_dict(), os.path.join(".", "weights.pt"))
    print("test acc", history[-1]["acc"])


if __name__ == "__main__":
    main()
