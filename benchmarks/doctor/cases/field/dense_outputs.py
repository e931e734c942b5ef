"""An answer for each pixel: targets [B, 1, H, W] and [B, H, W]."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor, nn

import sevensteps as ss
from benchmarks.doctor.cases.field.trained import Trained, batches, descend, healthy

SIDE = 16


def block(inputs: int, outputs: int) -> nn.Sequential:
    return nn.Sequential(
        nn.Conv2d(inputs, outputs, 3, padding=1), nn.BatchNorm2d(outputs), nn.ReLU()
    )


class UNet(nn.Module):
    """Down once, up once, with a bridge."""

    def __init__(self, outputs: int) -> None:
        super().__init__()
        self.into, self.down, self.up = block(1, 8), block(8, 16), block(24, 8)
        self.out = nn.Conv2d(8, outputs, 1)

    def forward(self, x: Tensor) -> Tensor:
        fine = self.into(x)
        coarse = F.interpolate(self.down(F.max_pool2d(fine, 2)), scale_factor=2)
        answer: Tensor = self.out(self.up(torch.cat([fine, coarse], 1)))
        return answer


def scenes(count: int, kinds: int) -> tuple[Tensor, Tensor]:
    """Noise with a bright rectangle; of each pixel the kind of rectangle, 0 for none."""
    x, y = torch.rand(count, 1, SIDE, SIDE), torch.zeros(count, SIDE, SIDE, dtype=torch.long)
    for image, mask in zip(x, y, strict=True):
        kind = int(torch.randint(1, kinds + 1, ()))
        (top, left), (high, wide) = torch.randint(1, 8, (2,)), torch.randint(4, 8, (2,))
        mask[top : top + high, left : left + wide] = kind
        image[0, top : top + high, left : left + wide] += 0.6 * kind
    return x, y


def mask(dice: bool) -> Trained:
    x, y = scenes(400, 1)
    target = y[:, None].float()
    model = UNet(1)
    optimizer = torch.optim.Adam(model.parameters(), lr=5e-3)

    def loss_fn(output: Tensor, truth: Tensor) -> Tensor:
        loss = F.binary_cross_entropy_with_logits(output, truth)
        if dice:
            p = output.sigmoid()
            loss = loss + 1 - (2 * (p * truth).sum() + 1) / (p.sum() + truth.sum() + 1)
        return loss

    with ss.watch(model, optimizer) as watch:
        for chosen in batches(300, 20, 5):
            descend(watch, optimizer, loss_fn(model(x[chosen]), target[chosen]), target[chosen])
    with torch.no_grad():
        answer, truth = model.eval()(x[300:]) > 0, target[300:] > 0
    score = float((answer & truth).sum() / (answer | truth).sum())
    data = {"train": (x[:300], target[:300]), "valid": (x[300:], target[300:]), "loss_fn": loss_fn}
    return Trained(watch, score, data)


def kinds() -> Trained:
    x, y = scenes(400, 2)
    model = UNet(3)
    optimizer = torch.optim.SGD(model.parameters(), lr=0.1, momentum=0.9)
    loss_fn = nn.CrossEntropyLoss()
    with ss.watch(model, optimizer) as watch:
        for chosen in batches(300, 20, 5):
            descend(watch, optimizer, loss_fn(model(x[chosen]), y[chosen]), y[chosen])
    with torch.no_grad():
        score = float((model.eval()(x[300:]).argmax(1) == y[300:]).double().mean())
    data = {"train": (x[:300], y[:300]), "valid": (x[300:], y[300:]), "loss_fn": loss_fn}
    return Trained(watch, score, data)


def denoiser() -> Trained:
    """Images of digits from noisy ones, by what has to be taken away."""
    from benchmarks.doctor import data

    (clean, _), (valid, _) = data.digits()
    clean, valid = clean.view(-1, 1, 8, 8), valid.view(-1, 1, 8, 8)
    model = nn.Sequential(
        nn.Conv2d(1, 24, 3, padding=1),
        nn.ReLU(),
        nn.Conv2d(24, 24, 3, padding=1),
        nn.ReLU(),
        nn.Conv2d(24, 1, 3, padding=1),
    )
    optimizer = torch.optim.Adam(model.parameters(), lr=3e-3)
    with ss.watch(model, optimizer) as watch:
        for chosen in batches(len(clean), 50, 8):
            noisy = clean[chosen] + 0.4 * torch.randn(clean[chosen].shape)
            descend(watch, optimizer, F.mse_loss(model(noisy), clean[chosen]), clean[chosen])
    noisy = valid + 0.4 * torch.randn(valid.shape)
    with torch.no_grad():
        left = float(F.mse_loss(model(noisy), valid) / F.mse_loss(noisy, valid))
    return Trained(watch, 1 - left, {"valid": (noisy, valid), "loss_fn": F.mse_loss})


CASES = [
    healthy("U-Net, one mask", lambda: mask(False)),
    healthy("U-Net, cross-entropy and Dice", lambda: mask(True)),
    healthy("U-Net, kinds of pixels", kinds),
    healthy("denoiser", denoiser),
]
