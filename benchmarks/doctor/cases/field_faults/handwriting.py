"""Digits in pictures, read by small convolutions in loops of one's own."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from sklearn.datasets import load_digits
from torch import Tensor, nn

from benchmarks.doctor.cases.field.trained import Trained, accuracy, batches, descend
from benchmarks.doctor.cases.field_faults.pair import Pair, Watch, fit, known, right


def scans() -> tuple[Tensor, Tensor]:
    """Pixels of 0..1, [N, 1, 8, 8], and digits [N], in an order of chance."""
    images, kinds = load_digits(return_X_y=True)
    order = torch.randperm(len(images))
    x, y = torch.tensor(images).float().view(-1, 1, 8, 8) / 16, torch.tensor(kinds)
    return x[order], y[order]


def coloured_planes(cured: bool, watch: Watch) -> Trained:
    """Colours come last on disk. Training moves them to the front, validation reshapes them."""
    x, y = scans()
    paper = torch.tensor([1.0, 0.6, 0.2])
    rows = x.permute(0, 2, 3, 1) * paper + 0.1 * torch.rand(len(x), 1, 1, 3)  # [N, 8, 8, 3]
    planes = rows.permute(0, 3, 1, 2).contiguous()
    judged = planes[1300:] if cured else rows[1300:].reshape(-1, 3, 8, 8)
    model = nn.Sequential(
        nn.Conv2d(3, 16, 3, padding=1), nn.ReLU(), nn.MaxPool2d(2), nn.Flatten(), nn.Linear(256, 10)
    )
    optimizer = torch.optim.Adam(model.parameters(), lr=3e-3)
    watching = fit(watch, model, optimizer, F.cross_entropy, planes[:1300], y[:1300], 8)
    data = {"train": (planes[:1300], y[:1300]), "valid": (judged, y[1300:])}
    return Trained(watching, accuracy(model, judged, y[1300:]), data)


def statistics_that_lag(cured: bool, watch: Watch) -> Trained:
    """A momentum of 0.99999 from another library, where it is the share of the old value."""
    x, y = scans()
    x = 255 * (1 - x)  # dark ink on white paper
    momentum = 0.1 if cured else 1e-5
    model = nn.Sequential(
        nn.Conv2d(1, 12, 3, padding=1),
        nn.BatchNorm2d(12, momentum=momentum),
        nn.ReLU(),
        nn.MaxPool2d(2),
        nn.Conv2d(12, 24, 3, padding=1),
        nn.BatchNorm2d(24, momentum=momentum),
        nn.ReLU(),
        nn.Flatten(),
        nn.Linear(24 * 16, 10),
    )
    optimizer = torch.optim.Adam(model.parameters(), lr=2e-3)
    watching = fit(watch, model, optimizer, F.cross_entropy, x[:1300], y[:1300], 6, 50)
    return Trained(watching, accuracy(model, x[1300:], y[1300:]), known(x, y, 1300))


def shuffled_by_itself(cured: bool, watch: Watch) -> Trained:
    """Before every epoch the pictures are shuffled in place, and their labels are, or stay."""
    x, y = scans()
    images, labels = x[:1300].clone(), y[:1300].clone()
    model = nn.Sequential(nn.Flatten(), nn.Linear(64, 64), nn.ReLU(), nn.Linear(64, 10))
    optimizer = torch.optim.SGD(model.parameters(), lr=0.05, momentum=0.9)
    with watch(model, optimizer) as watching:
        for _ in range(12):
            order = torch.randperm(1300)
            images = images[order]
            if cured:
                labels = labels[order]
            for start in range(0, 1300, 32):
                batch, target = images[start : start + 32], labels[start : start + 32]
                loss = F.cross_entropy(model(batch), target)
                descend(watching, optimizer, loss, target)
    return Trained(watching, accuracy(model, x[1300:], y[1300:]), known(x, y, 1300))


class Reader(nn.Module):
    """A convolution, eight numbers, ten classes; `.data` was meant to save memory."""

    def __init__(self, cured: bool) -> None:
        super().__init__()
        self.cured = cured
        self.features = nn.Sequential(
            nn.Conv2d(1, 8, 3, stride=2), nn.ReLU(), nn.Flatten(), nn.Linear(72, 5), nn.Tanh()
        )
        self.head = nn.Sequential(nn.Linear(5, 24), nn.ReLU(), nn.Linear(24, 10))

    def forward(self, x: Tensor) -> Tensor:
        h = self.features(x)
        return self.head(h if self.cured else h.data)


def features_by_data(cured: bool, watch: Watch) -> Trained:
    """The head alone learns from five random numbers a picture."""
    x, y = scans()
    model = Reader(cured)
    optimizer = torch.optim.Adam(model.parameters(), lr=5e-3)
    watching = fit(watch, model, optimizer, F.cross_entropy, x[:1300], y[:1300], 14)
    return Trained(watching, accuracy(model, x[1300:], y[1300:]), known(x, y, 1300))


def half_the_bits(cured: bool, watch: Watch) -> Trained:
    """All of the network is bfloat16, and its steps are smaller than what a weight can tell."""
    x, y = scans()
    kind = torch.float32 if cured else torch.bfloat16
    model = nn.Sequential(nn.Flatten(), nn.Linear(64, 128), nn.ReLU(), nn.Linear(128, 10))
    for layer in (model[1], model[3]):
        nn.init.normal_(layer.weight, std=0.3)
    model = model.to(kind)
    optimizer = torch.optim.Adam(model.parameters(), lr=4e-4)
    with watch(model, optimizer) as watching:
        for chosen in batches(1300, 26, 14):
            loss = F.cross_entropy(model(x[chosen].to(kind)).float(), y[chosen])
            descend(watching, optimizer, loss, y[chosen])
    with torch.no_grad():
        score = right(model(x[1300:].to(kind)).float(), y[1300:])
    return Trained(watching, score, known(x.to(kind), y, 1300))


PAIRS = [
    Pair(
        "colours reshaped to the front for validation",
        "colours moved to the front for validation",
        ("train_valid_mismatch", "inputs_scrambled"),
        coloured_planes,
        0.6,
        0.93,
    ),
    Pair(
        "running statistics with a momentum from elsewhere",
        "running statistics with a momentum of 0.1",
        ("mode_mismatch", "train_valid_mismatch"),
        statistics_that_lag,
        0.85,
        0.92,
    ),
    Pair(
        "pictures shuffled in place without their labels",
        "pictures shuffled in place with their labels",
        ("labels_unrelated",),
        shuffled_by_itself,
        0.35,
        0.92,
    ),
    Pair(
        "features handed on by their data",
        "features handed on as they are",
        ("parameters_not_updated",),
        features_by_data,
        0.78,
        0.86,
    ),
    Pair(
        "all weights in bfloat16 with small steps",
        "all weights in float32 with small steps",
        ("updates_rounded_away", "learning_rate_too_low"),
        half_the_bits,
        0.75,
        0.88,
    ),
]
