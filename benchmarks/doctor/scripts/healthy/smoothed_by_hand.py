"""Label smoothing, written out, as one did before PyTorch had it."""
import os

import torch
from sklearn.datasets import load_digits
from torch import nn

torch.manual_seed(int(os.environ.get("SEED", "0")))


class SmoothedLoss(nn.Module):
    def __init__(self, classes, smoothing=0.1):
        super().__init__()
        self.classes, self.smoothing = classes, smoothing

    def forward(self, logits, target):
        log_p = logits.log_softmax(dim=-1)
        with torch.no_grad():
            wanted = torch.full_like(log_p, self.smoothing / (self.classes - 1))
            wanted.scatter_(1, target[:, None], 1 - self.smoothing)
        return (-wanted * log_p).sum(dim=-1).mean()


digits = load_digits()
x, y = torch.tensor(digits.data / 16).float(), torch.tensor(digits.target)
order = torch.randperm(len(x))
train, test = order[:1400], order[1400:]
model = nn.Sequential(nn.Linear(64, 96), nn.ReLU(), nn.Linear(96, 10))
optimizer = torch.optim.Adam(model.parameters(), lr=2e-3)
criterion = SmoothedLoss(10)
for epoch in range(12):
    for rows in train[torch.randperm(len(train))].split(64):
        optimizer.zero_grad()
        loss = criterion(model(x[rows]), y[rows])
        loss.backward()
        optimizer.step()
    with torch.no_grad():
        accuracy = (model(x[test]).argmax(1) == y[test]).float().mean().item()
    print(f"{epoch}: {loss.item():.4f} {accuracy:.4f}")
