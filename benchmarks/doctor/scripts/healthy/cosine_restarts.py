"""The rate falls as a cosine and starts again, three times."""
import os

import torch
from sklearn.datasets import load_digits
from torch import nn, optim
from torch.optim.lr_scheduler import CosineAnnealingWarmRestarts
from torch.utils.data import DataLoader, TensorDataset

torch.manual_seed(int(os.environ.get("SEED", "0")))
digits = load_digits()
x, y = torch.tensor(digits.images / 16).float()[:, None], torch.tensor(digits.target)
order = torch.randperm(len(x))
train = DataLoader(TensorDataset(x[order[:1440]], y[order[:1440]]), batch_size=48, shuffle=True)
test = DataLoader(TensorDataset(x[order[1440:]], y[order[1440:]]), batch_size=119)


class Net(nn.Module):
    def __init__(self):
        super().__init__()
        self.features = nn.Sequential(
            nn.Conv2d(1, 8, 3), nn.ReLU(), nn.Conv2d(8, 16, 3, stride=2), nn.ReLU()
        )
        self.classifier = nn.Linear(64, 10)

    def forward(self, x):
        return self.classifier(self.features(x).flatten(1))


net, criterion = Net(), nn.CrossEntropyLoss()
optimizer = optim.SGD(net.parameters(), lr=0.08, momentum=0.9, weight_decay=5e-4)
scheduler = CosineAnnealingWarmRestarts(optimizer, T_0=4, eta_min=1e-3)
for epoch in range(12):
    for i, (images, labels) in enumerate(train):
        optimizer.zero_grad()
        loss = criterion(net(images), labels)
        loss.backward()
        optimizer.step()
        scheduler.step(epoch + i / len(train))
    with torch.no_grad():
        right = sum((net(images).argmax(1) == labels).sum().item() for images, labels in test)
    print(f"{epoch} rate {scheduler.get_last_lr()[0]:.4f} accuracy {right / len(test.dataset):.4f}")
