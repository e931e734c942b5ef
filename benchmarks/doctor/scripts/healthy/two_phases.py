"""An autoencoder learns to draw digits again; then its encoder learns what they are."""
import os

import torch
from sklearn.datasets import load_digits
from torch import nn
from torch.utils.data import DataLoader, TensorDataset, random_split

torch.manual_seed(int(os.environ.get("SEED", "0")))
digits = load_digits()
images = torch.tensor(digits.images, dtype=torch.float32).flatten(1) / 16
data = TensorDataset(images, torch.tensor(digits.target))
train_set, test_set = random_split(data, [1437, 360])
train_loader = DataLoader(train_set, batch_size=48, shuffle=True)
test_loader = DataLoader(test_set, batch_size=120)

encoder = nn.Sequential(nn.Linear(64, 48), nn.ReLU(), nn.Linear(48, 24), nn.ReLU())
decoder = nn.Sequential(nn.Linear(24, 48), nn.ReLU(), nn.Linear(48, 64))


def pretrain(epochs):
    both = [*encoder.parameters(), *decoder.parameters()]
    optimizer = torch.optim.Adam(both, lr=2e-3)
    for epoch in range(epochs):
        total = 0.0
        for x, _ in train_loader:
            optimizer.zero_grad()
            loss = nn.functional.mse_loss(decoder(encoder(x)), x)
            loss.backward()
            optimizer.step()
            total += loss.item() * len(x)
        print(f"pretraining {epoch}: {total / len(train_set):.5f}")


def finetune(epochs):
    model = nn.Sequential(encoder, nn.Dropout(0.1), nn.Linear(24, 10))
    optimizer = torch.optim.Adam(model.parameters(), lr=2e-3)
    for epoch in range(epochs):
        model.train()
        for x, y in train_loader:
            optimizer.zero_grad()
            loss = nn.functional.cross_entropy(model(x), y)
            loss.backward()
            optimizer.step()
        model.eval()
        right = 0
        with torch.no_grad():
            for x, y in test_loader:
                right += (model(x).argmax(1) == y).sum().item()
        print(f"fine-tuning {epoch}: {right / len(test_set):.4f}")


pretrain(25)
finetune(10)
