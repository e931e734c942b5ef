#!/usr/bin/env python
# A convolutional autoencoder learns what a zero looks like; whatever it
# cannot redraw is an anomaly (here: a print with a flaw).
import sys

import torch
import torch.nn as nn
from sklearn.datasets import load_digits
from sklearn.metrics import roc_auc_score
from torch.utils.data import DataLoader, TensorDataset

seed = int(sys.argv[1]) if len(sys.argv) > 1 else 0
torch.manual_seed(seed)

NORMAL = 0
EPOCHS = 36

digits = load_digits()
images = torch.tensor(digits.images, dtype=torch.float32).unsqueeze(1)
is_normal = torch.tensor(digits.target == NORMAL)

normal = images[is_normal]
normal = normal[torch.randperm(len(normal))]
train_set = TensorDataset(normal[:110] / 16.0)
good = normal[110:]

# the flaw: a block of two by two pixels is inverted, somewhere
strange = good.clone()
for image in strange:
    row, col = torch.randint(1, 6, (2,)).tolist()
    image[:, row : row + 2, col : col + 2] = 16 - image[:, row : row + 2, col : col + 2]

test_images = torch.cat([good, strange])
test_labels = [0] * len(good) + [1] * len(strange)


class AutoEncoder(nn.Module):
    def __init__(self):
        super().__init__()
        self.encoder = nn.Sequential(
            nn.Conv2d(1, 16, 3, stride=2, padding=1),
            nn.BatchNorm2d(16),
            nn.ReLU(),
            nn.Conv2d(16, 32, 3, stride=2, padding=1),
            nn.BatchNorm2d(32),
            nn.ReLU(),
            nn.Flatten(),
            nn.Dropout(0.2),
            nn.Linear(32 * 2 * 2, 8),
        )
        self.decoder = nn.Sequential(
            nn.Linear(8, 32 * 2 * 2),
            nn.ReLU(),
            nn.Unflatten(1, (32, 2, 2)),
            nn.ConvTranspose2d(32, 16, 2, stride=2),
            nn.BatchNorm2d(16),
            nn.ReLU(),
            nn.ConvTranspose2d(16, 1, 2, stride=2),
            nn.Sigmoid(),
        )

    def forward(self, x):
        return self.decoder(self.encoder(x))


autoencoder = AutoEncoder()
criterion = nn.MSELoss()
optimizer = torch.optim.AdamW(autoencoder.parameters(), lr=3e-3)
loader = DataLoader(train_set, batch_size=16, shuffle=True, drop_last=True)

autoencoder.train()
for epoch in range(EPOCHS):
    running = 0.0
    for (batch,) in loader:
        optimizer.zero_grad()
        reconstruction = autoencoder(batch)
        loss = criterion(reconstruction, batch)
        loss.backward()
        optimizer.step()
        running += loss.item()
    if (epoch + 1) % 9 == 0:
        print("Epoch %d  reconstruction error %.4f" % (epoch + 1, running / len(loader)))

# one image at a time, as they come from the camera
autoencoder.eval()
errors = []
with torch.no_grad():
    for image in test_images:
        image = image.unsqueeze(0) / 16.0
        errors.append(criterion(autoencoder(image), image).item())

n = len(good)
print("mean error, normal %.4f" % (sum(errors[:n]) / n))
print("mean error, flawed %.4f" % (sum(errors[n:]) / len(errors[n:])))
print("AUC %.3f" % roc_auc_score(test_labels, errors))
