# Segmentation: find the bright blobs in noise. UNet, BCE + Dice.
import os
import sys

import numpy as np
import torch
import torch.nn as nn
import torch.nn.functional as F
from torch.utils.data import DataLoader, Dataset

SEED = int(sys.argv[1]) if len(sys.argv) > 1 else int(os.environ.get("SEED", 0))
np.random.seed(SEED)
torch.manual_seed(SEED)


def draw(n, size=16):
    yy, xx = np.mgrid[:size, :size]
    images = np.zeros((n, size, size), np.uint8)
    masks = np.zeros((n, size, size), np.uint8)
    for i in range(n):
        cy, cx = np.random.randint(4, size - 4, 2)
        r = np.random.randint(2, 5)
        inside = (yy - cy) ** 2 + (xx - cx) ** 2 <= r * r
        noise = np.random.normal(90, 35, (size, size))
        images[i] = np.clip(noise + 80 * inside, 0, 255).astype(np.uint8)
        masks[i] = 255 * inside
    return images, masks


class Blobs(Dataset):
    def __init__(self, images, masks):
        self.images, self.masks = images, masks

    def __len__(self):
        return len(self.images)

    def __getitem__(self, i):
        img = torch.from_numpy(self.images[i]).float()[None] / 127.5 - 1
        mask = torch.from_numpy(self.masks[i]).float()[None]
        return img, mask


class DoubleConv(nn.Sequential):
    def __init__(self, cin, cout):
        super().__init__(
            nn.Conv2d(cin, cout, 3, padding=1), nn.BatchNorm2d(cout), nn.ReLU(inplace=True),
            nn.Conv2d(cout, cout, 3, padding=1), nn.BatchNorm2d(cout), nn.ReLU(inplace=True))


class UNet(nn.Module):
    def __init__(self, base=8):
        super().__init__()
        self.inc = DoubleConv(1, base)
        self.down = DoubleConv(base, 2 * base)
        self.up = nn.ConvTranspose2d(2 * base, base, 2, stride=2)
        self.conv = DoubleConv(2 * base, base)
        self.outc = nn.Conv2d(base, 1, 1)

    def forward(self, x):
        x1 = self.inc(x)
        x2 = self.down(F.max_pool2d(x1, 2))
        x = torch.cat([x1, self.up(x2)], dim=1)
        return self.outc(self.conv(x))


def dice_coeff(prob, target, eps=1.0):
    inter = (prob * target).sum(dim=(1, 2, 3))
    return ((2 * inter + eps) / (prob.sum((1, 2, 3)) + target.sum((1, 2, 3)) + eps)).mean()


train_loader = DataLoader(Blobs(*draw(384)), batch_size=16, shuffle=True)
val_loader = DataLoader(Blobs(*draw(96)), batch_size=48)
net = UNet()
optimizer = torch.optim.Adam(net.parameters(), lr=4e-3)
bce = nn.BCEWithLogitsLoss()
for epoch in range(5):
    net.train()
    epoch_loss = 0
    for imgs, true_masks in train_loader:
        masks_pred = net(imgs)
        loss = bce(masks_pred, true_masks)
        loss += 1 - dice_coeff(torch.sigmoid(masks_pred), true_masks)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        epoch_loss += loss.item()
    net.eval()
    val_score = 0
    for imgs, true_masks in val_loader:
        with torch.no_grad():
            pred = (torch.sigmoid(net(imgs)) > 0.5).float()
        val_score += dice_coeff(pred, (true_masks > 0.5).float()).item() / len(val_loader)
    print(f'Epoch {epoch + 1} loss {epoch_loss / len(train_loader):.4f} Dice {val_score:.4f}')
    torch.save(net.state_dict(), f'CP_epoch{epoch + 1}.pth')
print('Validation Dice', val_score)
