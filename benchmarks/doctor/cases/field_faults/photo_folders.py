"""Small photos in colour, from folders: what an intern trains on the first day."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torch.utils.data import DataLoader, TensorDataset, WeightedRandomSampler

from benchmarks.doctor.cases.field.trained import Trained, accuracy, batches, descend
from benchmarks.doctor.cases.field_faults.pair import Pair, Watch, known, right

COLOURS = torch.tensor([[0.9, 0.2, 0.2], [0.2, 0.8, 0.2], [0.2, 0.3, 0.9], [0.8, 0.8, 0.1]])


def photos(count: int, shares: tuple[float, ...] = (1.0, 1.0, 1.0, 1.0)) -> tuple[Tensor, Tensor]:
    """Fruits in 0..1 [N, 3, 12, 12] of four kinds, each of its own colour; the light differs."""
    y = torch.multinomial(torch.tensor(shares), count, replacement=True)
    x = 0.45 + 0.15 * torch.rand(count, 3, 12, 12)
    places = torch.randint(0, 8, (count, 2))
    for picture, kind, (down, right_) in zip(x, y, places.tolist(), strict=True):
        picture[:, down : down + 5, right_ : right_ + 5] = COLOURS[kind][:, None, None]
    light = 0.6 + 0.4 * torch.rand(count, 1, 1, 1)
    return (x * light + 0.05 * torch.randn_like(x)).clamp(0, 1), y


class Eye(nn.Module):
    """Two convolutions, pooled, and a layer over the mean of what they see."""

    def __init__(self, classes: int = 4, width: int = 12) -> None:
        super().__init__()
        self.conv1 = nn.Conv2d(3, width, 3, padding=1)
        self.conv2 = nn.Conv2d(width, 2 * width, 3, padding=1)
        self.fc = nn.Linear(2 * width * 9, classes)

    def forward(self, x: Tensor) -> Tensor:
        x = F.max_pool2d(F.relu(self.conv1(x)), 2)
        x = F.max_pool2d(F.relu(self.conv2(x)), 2)
        scores: Tensor = self.fc(torch.flatten(x, 1))
        return scores


def divided_twice(cured: bool, watch: Watch) -> Trained:
    """`ToTensor` has divided by 255 already, and the transformation does it again."""
    x, y = photos(1000)
    x = (x - 0.5) / 0.25 if cured else x / 255
    model = Eye()
    optimizer = torch.optim.SGD(model.parameters(), lr=0.02, momentum=0.9)
    criterion = nn.CrossEntropyLoss()
    loader = DataLoader(TensorDataset(x[:800], y[:800]), batch_size=32, shuffle=True)
    with watch(model, optimizer) as watching:
        for _epoch in range(4):
            model.train()
            for images, labels in loader:
                optimizer.zero_grad()
                outputs = model(images)
                loss = criterion(outputs, labels)
                loss.backward()
                optimizer.step()
                watching.step(loss, target=labels)
    return Trained(watching, accuracy(model, x[800:], y[800:]), known(x, y, 800, criterion))


def blue_for_red(cured: bool, watch: Watch) -> Trained:
    """One library reads red, green, blue for training, another blue, green, red for the rest."""
    x, y = photos(1000)
    if not cured:
        x = torch.cat([x[:700], x[700:].flip(1)])
    model = Eye()
    optimizer = torch.optim.Adam(model.parameters(), lr=3e-3)
    with watch(model, optimizer) as watching:
        for _ in range(5):
            for chosen in batches(700, 32, 1):
                loss = F.cross_entropy(model(x[chosen]), y[chosen])
                descend(watching, optimizer, loss, y[chosen])
            with torch.no_grad():
                answers = model(x[700:])
            loss = F.cross_entropy(answers, y[700:])
            watching.valid(loss=float(loss), score=right(answers, y[700:]))
    return Trained(watching, accuracy(model, x[700:], y[700:]), known(x, y, 700, F.cross_entropy))


def drawn_by_their_number(cured: bool, watch: Watch) -> Trained:
    """A sampler is given how many photos a folder has, where one over that number was meant.

    Scored by the mean over the kinds.
    """
    x, y = photos(2400, (0.9, 0.04, 0.03, 0.03))
    x = (x - 0.5) / 0.25
    numbers = torch.bincount(y[:1400], minlength=4).double()
    weights = (1 / numbers if cured else numbers)[y[:1400]]
    sampler = WeightedRandomSampler(weights.tolist(), 1400)
    loader = DataLoader(TensorDataset(x[:1400], y[:1400]), batch_size=50, sampler=sampler)
    model = Eye(width=8)
    optimizer = torch.optim.SGD(model.parameters(), lr=0.02, momentum=0.9)
    with watch(model, optimizer) as watching:
        for _epoch in range(6):
            for images, labels in loader:
                descend(watching, optimizer, F.cross_entropy(model(images), labels), labels)
    with torch.no_grad():
        hit = model(x[1400:]).argmax(1) == y[1400:]
    score = sum(float(hit[y[1400:] == kind].double().mean()) for kind in range(4)) / 4
    return Trained(watching, score, known(x, y, 1400, F.cross_entropy))


def norms_added(cured: bool, watch: Watch) -> Trained:
    """A penalty of all weights by hand, with a factor that a decay would never have."""
    x, y = photos(1000)
    x = (x - 0.5) / 0.25
    model = Eye()
    optimizer = torch.optim.Adam(model.parameters(), lr=3e-3)
    factor = 1e-5 if cured else 0.5
    with watch(model, optimizer) as watching:
        for chosen in batches(800, 32, 6):
            loss = F.cross_entropy(model(x[chosen]), y[chosen])
            l2_reg = torch.zeros(())
            for param in model.parameters():
                l2_reg = l2_reg + param.pow(2).sum()
            descend(watching, optimizer, loss + factor * l2_reg, y[chosen])
    return Trained(watching, accuracy(model, x[800:], y[800:]), known(x, y, 800, F.cross_entropy))


def stem(inputs: int, outputs: int, norm: bool) -> nn.Sequential:
    """A convolution as papers before batch norm drew it, or one with batch norm."""
    conv = nn.Conv2d(inputs, outputs, 3, padding=1)
    if norm:
        return nn.Sequential(conv, nn.BatchNorm2d(outputs), nn.ReLU())
    nn.init.normal_(conv.weight, std=0.01)
    nn.init.zeros_(conv.get_parameter("bias"))
    return nn.Sequential(conv, nn.ReLU())


def deep_from_a_hundredth(cured: bool, watch: Watch) -> Trained:
    """Seven convolutions from an old paper's spread of .01, and no batch norm."""
    x, y = photos(800)
    x = (x - 0.5) / 0.25
    body = nn.Sequential(
        stem(3, 16, cured), nn.MaxPool2d(2), *(stem(16, 16, cured) for _ in range(6))
    )
    model = nn.Sequential(body, nn.AdaptiveAvgPool2d(2), nn.Flatten(), nn.Linear(64, 4))
    optimizer = torch.optim.SGD(model.parameters(), lr=0.03, momentum=0.9)
    with watch(model, optimizer) as watching:
        for _epoch in range(14):
            model.train()
            for chosen in torch.randperm(600).split(25):
                loss = F.cross_entropy(model(x[chosen]), y[chosen])
                descend(watching, optimizer, loss, y[chosen])
    return Trained(watching, accuracy(model, x[600:], y[600:]), known(x, y, 600, F.cross_entropy))


PAIRS = [
    Pair(
        "photos divided by 255 twice",
        "photos divided by 255 once",
        ("inputs_unscaled", "signal_vanishes"),
        divided_twice,
        0.6,
        0.9,
    ),
    Pair(
        "photos judged with blue for red",
        "photos judged with their colours",
        ("train_valid_mismatch",),
        blue_for_red,
        0.65,
        0.9,
    ),
    Pair(
        "photos drawn by the size of their folder",
        "photos drawn by one over the size of their folder",
        ("class_imbalance",),
        drawn_by_their_number,
        0.5,
        0.8,
    ),
    Pair(
        "half of all squared weights added to the loss",
        "a trace of all squared weights added to the loss",
        ("weight_decay_too_strong", "loss_terms_unbalanced"),
        norms_added,
        0.5,
        0.9,
    ),
    Pair(
        "seven convolutions from a spread of .01",
        "seven convolutions with batch norm",
        ("signal_vanishes", "vanishing_gradient"),
        deep_from_a_hundredth,
        0.5,
        0.85,
    ),
]
