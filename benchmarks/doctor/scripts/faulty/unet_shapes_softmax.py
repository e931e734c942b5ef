"""A small U-Net that says of each pixel: background, disc or square."""
import sys

import numpy as np
import torch
from torch import nn
from torch.utils.data import DataLoader, TensorDataset


def draw_scene(rng, size=24):
    image = rng.normal(0, 0.15, (size, size)).astype(np.float32)
    mask = np.zeros((size, size), dtype=np.int64)
    yy, xx = np.mgrid[:size, :size]
    for kind in rng.permutation([1, 2]):
        cy, cx = rng.integers(5, size - 5, 2)
        r = rng.integers(3, 5)
        inside = (
            (yy - cy) ** 2 + (xx - cx) ** 2 <= r * r
            if kind == 1
            else (abs(yy - cy) < r) & (abs(xx - cx) < r)
        )
        image[inside] += 0.9
        mask[inside] = kind
    return image, mask


def double_conv(i, o):
    return nn.Sequential(
        nn.Conv2d(i, o, 3, padding=1), nn.BatchNorm2d(o), nn.ReLU(inplace=True),
        nn.Conv2d(o, o, 3, padding=1), nn.BatchNorm2d(o), nn.ReLU(inplace=True),
    )


class UNet(nn.Module):
    def __init__(self, n_classes=3, width=8):
        super().__init__()
        self.down1 = double_conv(1, width)
        self.down2 = double_conv(width, 2 * width)
        self.bottom = double_conv(2 * width, 4 * width)
        self.up2 = nn.ConvTranspose2d(4 * width, 2 * width, 2, stride=2)
        self.dec2 = double_conv(4 * width, 2 * width)
        self.up1 = nn.ConvTranspose2d(2 * width, width, 2, stride=2)
        self.dec1 = double_conv(2 * width, width)
        self.head = nn.Conv2d(width, n_classes, 1)
        self.pool = nn.MaxPool2d(2)

    def forward(self, x):
        a = self.down1(x)
        b = self.down2(self.pool(a))
        c = self.bottom(self.pool(b))
        d = self.dec2(torch.cat([self.up2(c), b], 1))
        e = self.dec1(torch.cat([self.up1(d), a], 1))
        return torch.softmax(self.head(e), dim=1)


def mean_iou(pred, mask, n_classes=3):
    ious = []
    for c in range(n_classes):
        inter = ((pred == c) & (mask == c)).sum().item()
        union = ((pred == c) | (mask == c)).sum().item()
        ious.append(inter / max(union, 1))
    return sum(ious) / n_classes


def main(epochs=5, seed=0):
    torch.manual_seed(seed)
    rng = np.random.default_rng(seed)
    scenes = [draw_scene(rng) for _ in range(360)]
    images = torch.from_numpy(np.stack([s[0] for s in scenes])).unsqueeze(1)
    masks = torch.from_numpy(np.stack([s[1] for s in scenes]))
    train = DataLoader(TensorDataset(images[:300], masks[:300]), batch_size=20, shuffle=True)
    model = UNet()
    criterion = nn.CrossEntropyLoss()
    optimizer = torch.optim.Adam(model.parameters(), lr=5e-3)
    scheduler = torch.optim.lr_scheduler.StepLR(optimizer, step_size=3, gamma=0.3)
    for epoch in range(epochs):
        model.train()
        for image, mask in train:
            logits = model(image)
            loss = criterion(logits, mask)
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
        scheduler.step()
        model.eval()
        with torch.no_grad():
            pred = model(images[300:]).argmax(1)
        iou = mean_iou(pred, masks[300:])
        print(f"Epoch {epoch + 1}/{epochs}  loss {loss.item():.4f}  mIoU {iou:.4f}")


if __name__ == "__main__":
    main(seed=int(sys.argv[1]) if len(sys.argv) > 1 else 0)
