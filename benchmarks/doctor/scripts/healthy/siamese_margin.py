"""Are two handwritten digits the same? A siamese network with the contrastive loss of Hadsell."""
import argparse
import random

import numpy as np
import torch
import torch.nn as nn
import torch.nn.functional as F
import torch.optim as optim
from sklearn.datasets import load_digits
from torch.utils.data import DataLoader, Dataset


class PairDataset(Dataset):
    def __init__(self, images, labels, n_pairs, seed):
        self.images, self.labels = images, labels
        rng = random.Random(seed)
        by_class = {c: np.flatnonzero(labels == c).tolist() for c in range(10)}
        self.pairs = []
        for k in range(n_pairs):
            i = rng.randrange(len(labels))
            if k % 2:
                j = rng.choice(by_class[int(labels[i])])
            else:
                j = rng.choice(by_class[(int(labels[i]) + rng.randint(1, 9)) % 10])
            self.pairs.append((i, j))

    def __len__(self):
        return len(self.pairs)

    def __getitem__(self, index):
        i, j = self.pairs[index]
        same = 1.0 if self.labels[i] == self.labels[j] else 0.0
        return self.images[i], self.images[j], torch.tensor(same)


class SiameseNetwork(nn.Module):
    def __init__(self):
        super().__init__()
        self.cnn = nn.Sequential(
            nn.Conv2d(1, 8, 3, padding=1), nn.ReLU(inplace=True),
            nn.MaxPool2d(2),
            nn.Conv2d(8, 16, 3, padding=1), nn.ReLU(inplace=True),
        )
        self.fc = nn.Sequential(nn.Linear(16 * 16, 64), nn.ReLU(inplace=True), nn.Linear(64, 8))

    def forward_once(self, x):
        return self.fc(self.cnn(x).flatten(1))

    def forward(self, a, b):
        return self.forward_once(a), self.forward_once(b)


class ContrastiveLoss(nn.Module):
    def __init__(self, margin=1.0):
        super().__init__()
        self.margin = margin

    def forward(self, out1, out2, same):
        distance = F.pairwise_distance(out1, out2)
        return torch.mean(
            same * distance.pow(2) + (1 - same) * torch.clamp(self.margin - distance, min=0).pow(2)
        )


if __name__ == "__main__":
    parser = argparse.ArgumentParser()
    parser.add_argument("--epochs", type=int, default=6)
    parser.add_argument("--seed", type=int, default=0)
    args = parser.parse_args()
    torch.manual_seed(args.seed)
    digits = load_digits()
    images = torch.tensor(digits.images[:, None] / 16.0, dtype=torch.float32)
    train = PairDataset(images[:1300], digits.target[:1300], 3000, args.seed)
    test = PairDataset(images[1300:], digits.target[1300:], 600, args.seed + 1)
    train_loader = DataLoader(train, batch_size=50, shuffle=True)
    test_loader = DataLoader(test, batch_size=100)

    net = SiameseNetwork()
    criterion = ContrastiveLoss()
    optimizer = optim.Adam(net.parameters(), lr=1e-3)
    for epoch in range(args.epochs):
        net.train()
        total = 0.0
        for img0, img1, label in train_loader:
            optimizer.zero_grad()
            output1, output2 = net(img0, img1)
            loss = criterion(output1, output2, label)
            loss.backward()
            optimizer.step()
            total += loss.item()
        net.eval()
        correct = 0
        with torch.no_grad():
            for img0, img1, label in test_loader:
                d = F.pairwise_distance(*net(img0, img1))
                correct += ((d < 0.5).float() == label).sum().item()
        print(f"epoch {epoch}: loss {total / len(train_loader):.4f}", end=", ")
        print(f"accuracy {correct / len(test):.3f}")
