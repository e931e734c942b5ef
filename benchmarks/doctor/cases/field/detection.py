"""Where things are: boxes with their classes, pixels that do not count, places as hills."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor, nn

import sevensteps as ss
from benchmarks.doctor.cases.field.trained import Trained, batches, descend, healthy, r2

SIDE, VOID = 16, 255


def boxes(count: int) -> tuple[Tensor, Tensor, Tensor]:
    """Images [N, 1, 16, 16] of one rectangle, bright or dark; its kind, and its box (middle and
    size) as shares [N, 4].
    """
    x = 0.5 + 0.1 * torch.randn(count, 1, SIDE, SIDE)
    kind = torch.randint(0, 2, (count,))
    size, corner = torch.randint(4, 9, (count, 2)), torch.randint(0, 8, (count, 2))
    for image, k, (high, wide), (top, left) in zip(x, kind, size, corner, strict=True):
        image[0, top : top + high, left : left + wide] += 0.5 if k else -0.5
    size = torch.minimum(size, SIDE - corner)
    return x, kind, torch.cat([corner + size / 2, size], 1).float() / SIDE


class Detector(nn.Module):
    """A small convolutional body, a head for the kind, and one for the box."""

    def __init__(self) -> None:
        super().__init__()
        self.body = nn.Sequential(
            nn.Conv2d(1, 12, 3, stride=2, padding=1),
            nn.ReLU(),
            nn.Conv2d(12, 24, 3, stride=2, padding=1),
            nn.ReLU(),
            nn.Flatten(),
        )
        self.kind, self.box = nn.Linear(24 * 16, 2), nn.Linear(24 * 16, 4)

    def forward(self, x: Tensor) -> tuple[Tensor, Tensor]:
        h = self.body(x)
        return self.kind(h), self.box(h).sigmoid()


def detect(weight: float, reported: str) -> Trained:
    """One rectangle an image; the loop reports the classes, the boxes, or both."""
    x, kind, box = boxes(900)
    model = Detector()
    optimizer = torch.optim.Adam(model.parameters(), lr=3e-3)
    with ss.watch(model, optimizer) as watch:
        for chosen in batches(750, 50, 14):
            logits, place = model(x[chosen])
            loss = F.cross_entropy(logits, kind[chosen])
            loss = loss + weight * F.smooth_l1_loss(place, box[chosen], beta=0.1)
            targets = {"kind": kind[chosen], "box": box[chosen]}
            descend(watch, optimizer, loss, targets if reported == "both" else targets[reported])
    with torch.no_grad():
        logits, place = model(x[750:])
    right = float((logits.argmax(1) == kind[750:]).double().mean())
    data = {}
    if reported != "both":
        y = kind if reported == "kind" else box
        data = {"train": (x[:750], y[:750]), "valid": (x[750:], y[750:])}
    return Trained(watch, (right + r2(place, box[750:])) / 2, data)


def void() -> Trained:
    """Three kinds of pixels, and a margin between them that nobody labelled: 255."""
    x = torch.rand(300, 1, SIDE, SIDE)
    y = torch.zeros(300, SIDE, SIDE, dtype=torch.long)
    for image, mask in zip(x, y, strict=True):
        cut, level = int(torch.randint(5, 11, ())), int(torch.randint(1, 3, ()))
        mask[:, cut:] = level
        image[0, :, cut:] += 0.5 * level
        mask[:, cut - 1 : cut + 1] = VOID
    model = nn.Sequential(
        nn.Conv2d(1, 12, 5, padding=2),
        nn.BatchNorm2d(12),
        nn.ReLU(),
        nn.Conv2d(12, 3, 5, padding=2),
    )
    optimizer = torch.optim.SGD(model.parameters(), lr=0.1, momentum=0.9)
    loss_fn = nn.CrossEntropyLoss(ignore_index=VOID)
    with ss.watch(model, optimizer) as watch:
        for chosen in batches(240, 12, 5):
            model.train()
            descend(watch, optimizer, loss_fn(model(x[chosen]), y[chosen]), y[chosen])
    with torch.no_grad():
        right = model.eval()(x[240:]).argmax(1) == y[240:]
    data = {"train": (x[:240], y[:240]), "valid": (x[240:], y[240:]), "loss_fn": loss_fn}
    return Trained(watch, float(right[y[240:] != VOID].double().mean()), data)


def hills() -> Trained:
    """The middle of a blob, as a hill [B, 1, H, W] that is nearly 0 nearly everywhere."""
    place = torch.randint(3, SIDE - 3, (500, 2)).float()
    rows, columns = torch.meshgrid(torch.arange(SIDE), torch.arange(SIDE), indexing="ij")
    far = (rows - place[:, :1, None]).square() + (columns - place[:, 1:, None]).square()
    x = (torch.exp(-far / 6) + 0.2 * torch.randn(far.shape))[:, None]
    y = torch.exp(-far / 2)[:, None]
    model = nn.Sequential(
        nn.Conv2d(1, 12, 5, padding=2), nn.ReLU(), nn.Conv2d(12, 12, 5, padding=2), nn.ReLU(),
        nn.Conv2d(12, 1, 3, padding=1),
    )  # fmt: skip
    optimizer = torch.optim.Adam(model.parameters(), lr=3e-3)
    with ss.watch(model, optimizer) as watch:
        for chosen in batches(400, 20, 8):
            descend(watch, optimizer, F.mse_loss(model(x[chosen]), y[chosen]), y[chosen])
    with torch.no_grad():
        best = model(x[400:]).flatten(1).argmax(1)
    answer = torch.stack([best // SIDE, best % SIDE], 1).float()
    data = {"train": (x[:400], y[:400]), "valid": (x[400:], y[400:]), "loss_fn": F.mse_loss}
    return Trained(watch, r2(answer, place[400:]), data)


CASES = [
    healthy("a box and its kind, the kind reported", lambda: detect(10.0, "kind")),
    healthy("a box and its kind, the box reported", lambda: detect(10.0, "box")),
    healthy("a box and its kind, both reported", lambda: detect(1.0, "both")),
    healthy("pixels that do not count", void),
    healthy("places as hills", hills),
]
