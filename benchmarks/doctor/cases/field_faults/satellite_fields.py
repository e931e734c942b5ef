"""Fields from above: which pixels are water, wheat or road, and what grows on a parcel."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from benchmarks.doctor.cases.field.trained import Trained, accuracy, batches, descend
from benchmarks.doctor.cases.field_faults.pair import Pair, Watch, known, right

SIDE = 16


def discs(count: int, radius: float) -> Tensor:
    """A disc at a random place in each: [N, SIDE, SIDE] of True and False"""
    middle = torch.rand(count, 2, 1, 1) * (SIDE - 6) + 3
    line = torch.arange(SIDE).float()
    row, column = line[None, :, None], line[None, None, :]
    return (row - middle[:, 0]) ** 2 + (column - middle[:, 1]) ** 2 <= radius**2


def overlap(model: nn.Module, x: Tensor, mask: Tensor) -> float:
    """Intersection over union of what has a logit above 0, in evaluation mode."""
    model.eval()
    with torch.no_grad():
        predicted = model(x) > 0
    both, either = (predicted & (mask > 0.5)).sum(), (predicted | (mask > 0.5)).sum()
    return float(both / either.clamp(min=1))


def ponds(cured: bool, watch: Watch) -> Trained:
    """One pixel of a hundred is a pond, and is easily mistaken for shade."""
    mask = discs(500, 1.0).float()[:, None]
    mask[torch.rand(500) < 0.5] = 0
    shade = discs(500, 1.0).float()[:, None]
    bands = torch.randn(500, 2, SIDE, SIDE)
    bands[:, :1] += 1.6 * (mask + shade)
    bands[:, 1:] += 1.6 * (mask - shade)
    model = nn.Sequential(nn.Conv2d(2, 12, 3, padding=1), nn.ReLU(), nn.Conv2d(12, 1, 3, padding=1))
    optimizer = torch.optim.Adam(model.parameters(), lr=3e-3)
    weight = (1 - mask[:400]).sum() / mask[:400].sum() if cured else None
    criterion = nn.BCEWithLogitsLoss(pos_weight=weight)
    with watch(model, optimizer) as watching:
        for chosen in batches(400, 16, 10):
            descend(
                watching, optimizer, criterion(model(bands[chosen]), mask[chosen]), mask[chosen]
            )
    with torch.no_grad():
        wet = model(bands[400:])[mask[400:] > 0.5] > 0
    return Trained(watching, float(wet.float().mean()), known(bands, mask, 400, criterion))


def crops(count: int) -> tuple[Tensor, Tensor]:
    """Three bands and the crop of each pixel, 0..2: [N, 3, SIDE, SIDE], [N, SIDE, SIDE]"""
    kind = discs(count, 4).long()
    kind[discs(count, 3)] = 2
    place = F.one_hot(kind, 3).permute(0, 3, 1, 2).float()
    return 1.5 * place - 0.5 + 0.4 * torch.randn(count, 3, SIDE, SIDE), kind


class Pixels(nn.Module):
    def __init__(self, bands: int = 3, kinds: int = 3) -> None:
        super().__init__()
        self.body = nn.Sequential(
            nn.Conv2d(bands, 16, 3, padding=1), nn.ReLU(), nn.Conv2d(16, 16, 3, padding=1)
        )
        self.head = nn.Conv2d(16, kinds, 1)

    def forward(self, x: Tensor) -> Tensor:
        out: Tensor = self.head(torch.relu(self.body(x)))
        return out


def rows_of_pixels(cured: bool, watch: Watch) -> Trained:
    """[B, C, H, W] is flattened to a row for each pixel, without the classes moved to the end."""
    x, y = crops(420)
    model = Pixels()
    optimizer = torch.optim.Adam(model.parameters(), lr=5e-3)

    def pixelwise(output: Tensor, target: Tensor) -> Tensor:
        rows = output.permute(0, 2, 3, 1).reshape(-1, 3) if cured else output.reshape(-1, 3)
        return F.cross_entropy(rows, target.reshape(-1))

    with watch(model, optimizer) as watching:
        for chosen in batches(340, 20, 12):
            descend(watching, optimizer, pixelwise(model(x[chosen]), y[chosen]), y[chosen])
    with torch.no_grad():
        score = right(model(x[340:]).permute(0, 2, 3, 1), y[340:])
    return Trained(watching, score, known(x, y, 340, pixelwise))


class Parcel(nn.Module):
    """What grows on a parcel, from four bands: [B, 4, 12, 12] -> [B, 4]"""

    def __init__(self, axis: int | None = None) -> None:
        super().__init__()
        self.conv1 = nn.Conv2d(4, 12, 3, padding=1)
        self.bn1 = nn.BatchNorm2d(12)
        self.conv2 = nn.Conv2d(12, 24, 3, padding=1)
        self.bn2 = nn.BatchNorm2d(24)
        self.fc = nn.Linear(24, 4)
        self.axis = axis

    def forward(self, x: Tensor) -> Tensor:
        x = F.max_pool2d(torch.relu(self.bn1(self.conv1(x))), 2)
        x = torch.relu(self.bn2(self.conv2(x))).mean((2, 3))
        out: Tensor = self.fc(x)
        return out if self.axis is None else F.log_softmax(out, dim=self.axis)


def parcels(count: int) -> tuple[Tensor, Tensor]:
    """Stripes along or across, near or wide: [N, 4, 12, 12], [N]"""
    kind = torch.randint(4, (count,))
    line = torch.arange(12.0)
    speed = torch.where(kind % 2 == 0, 0.9, 1.9)[:, None] * line + 6.28 * torch.rand(count, 1)
    wave = torch.sin(speed)
    along = wave[:, :, None].expand(-1, 12, 12)
    across = wave[:, None, :].expand(-1, 12, 12)
    stripes = torch.where((kind < 2)[:, None, None], along, across)
    bands = stripes[:, None] * torch.tensor([1.0, 0.7, -0.5, 0.3])[None, :, None, None]
    return bands + 0.5 * torch.randn(count, 4, 12, 12), kind


def folder_by_folder(cured: bool, watch: Watch) -> Trained:
    """Validated crop by crop as the folders lie, by a network that still normalizes each batch."""
    x, y = parcels(700)
    model = Parcel()
    optimizer = torch.optim.Adam(model.parameters(), lr=5e-3)
    criterion = nn.CrossEntropyLoss()
    score = 0.0
    with watch(model, optimizer) as watching:
        for _epoch in range(10):
            model.train()
            for chosen in torch.randperm(550).split(25):
                descend(watching, optimizer, criterion(model(x[chosen]), y[chosen]), y[chosen])
            if cured:
                model.eval()
            losses, hits = 0.0, 0.0
            with torch.no_grad():
                for crop in range(4):
                    folder = 550 + (y[550:] == crop).nonzero()[:, 0]
                    output = model(x[folder])
                    losses += float(criterion(output, y[folder])) * len(folder)
                    hits += right(output, y[folder]) * len(folder)
            score = hits / 150
            watching.valid(loss=losses / 150, score=score)
    return Trained(watching, score, known(x, y, 550, criterion))


def softmax_over_parcels(cured: bool, watch: Watch) -> Trained:
    """Logarithms of shares that sum to 1 over the batch."""
    x, y = parcels(700)
    model = Parcel(axis=1 if cured else 0)
    optimizer = torch.optim.Adam(model.parameters(), lr=5e-3)
    nll = nn.NLLLoss()
    with watch(model, optimizer) as watching:
        for chosen in batches(550, 25, 10):
            descend(watching, optimizer, nll(model(x[chosen]), y[chosen]), y[chosen])
    score = sum(accuracy(model, x[i : i + 1], y[i : i + 1]) for i in range(550, 700)) / 150
    return Trained(watching, score, known(x, y, 550, nll))


def turned_images(cured: bool, watch: Watch) -> Trained:
    """Images are turned and mirrored at random for more of them; are their masks, too?"""
    mask = discs(420, 3).float()[:, None]
    image = torch.randn(420, 2, SIDE, SIDE) * 0.5
    image[:, :1] += mask
    model = nn.Sequential(
        nn.Conv2d(2, 16, 3, padding=1),
        nn.ReLU(),
        nn.Conv2d(16, 16, 3, padding=1),
        nn.ReLU(),
        nn.Conv2d(16, 1, 1),
    )
    optimizer = torch.optim.Adam(model.parameters(), lr=5e-3)
    criterion = nn.BCEWithLogitsLoss()
    with watch(model, optimizer) as watching:
        for chosen in batches(340, 20, 12):
            view, truth = image[chosen], mask[chosen]
            turns = int(torch.randint(1, 4, ()))
            view = torch.rot90(view, turns, (2, 3))
            if cured:
                truth = torch.rot90(truth, turns, (2, 3))
            descend(watching, optimizer, criterion(model(view), truth), truth)
    score = overlap(model, image[340:], mask[340:])
    return Trained(watching, score, known(image, mask, 340, criterion))


PAIRS = [
    Pair(
        "ponds, one pixel of a hundred",
        "ponds that weigh as much as the land",
        ("class_imbalance",),
        ponds,
        0.35,
        0.75,
    ),
    Pair(
        "classes of pixels flattened as they lie",
        "classes of pixels moved to the end first",
        ("inputs_scrambled", "output_loss_mismatch", "labels_unrelated", "samples_mixed"),
        rows_of_pixels,
        0.85,
        0.95,
    ),
    Pair(
        "parcels judged crop by crop in training mode",
        "parcels judged crop by crop in evaluation mode",
        ("mode_mismatch", "samples_mixed"),
        folder_by_folder,
        0.6,
        0.9,
    ),
    Pair(
        "shares of crops over the parcels of a batch",
        "shares of crops over the crops",
        ("output_loss_mismatch", "samples_mixed"),
        softmax_over_parcels,
        0.7,
        0.9,
    ),
    Pair(
        "images turned and masks not",
        "images turned with their masks",
        ("labels_unrelated", "label_noise"),
        turned_images,
        0.3,
        0.75,
    ),
]
