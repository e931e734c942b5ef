"""Pictures of street signs: their kind, where they point, where they stand and what they cover."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torch.utils.data import DataLoader, TensorDataset

from benchmarks.doctor.cases.field.trained import Trained, accuracy, batches, descend
from benchmarks.doctor.cases.field_faults.pair import Pair, Watch, known, right

SIDE = 12


def arrow(turned: bool) -> Tensor:
    """An arrow to the right, or to the left, of 5×5 pixels."""
    shape = torch.zeros(5, 5)
    shape[2] = 1
    shape[1, 3] = shape[3, 3] = shape[0, 2] = shape[4, 2] = 1
    return shape.flip(1) if turned else shape


def pointing(count: int) -> tuple[Tensor, Tensor]:
    """Signs somewhere in a picture [count, 1, SIDE, SIDE]; 1 where the arrow points to the left."""
    y = torch.randint(2, (count,))
    x = 0.3 * torch.randn(count, 1, SIDE, SIDE)
    places = torch.randint(SIDE - 4, (count, 2))
    for picture, kind, (down, along) in zip(x, y.tolist(), places.tolist(), strict=True):
        picture[0, down : down + 5, along : along + 5] += arrow(kind == 1)
    return x, y


def convolutions(channels: int, outputs: int) -> nn.Sequential:
    """Two convolutions, the largest answer of each channel, and a linear layer."""
    return nn.Sequential(
        nn.Conv2d(channels, 12, 3, padding=1),
        nn.ReLU(),
        nn.Conv2d(12, 24, 3, padding=1),
        nn.ReLU(),
        nn.AdaptiveMaxPool2d(1),
        nn.Flatten(),
        nn.Linear(24, outputs),
    )


def mirrored(cured: bool, watch: Watch) -> Trained:
    """Pictures are mirrored at random to have more of them; their labels say left or right."""
    x, y = pointing(1000)
    net = convolutions(1, 2)
    optimizer = torch.optim.Adam(net.parameters(), lr=5e-3)
    with watch(net, optimizer) as watching:
        for _epoch in range(8):
            net.train()
            for chosen in torch.randperm(800).split(32):
                pictures = x[chosen]
                flip = torch.rand(len(chosen)) < 0.5
                axis = 2 if cured else 3  # an arrow upside down points where it did
                pictures = torch.where(flip[:, None, None, None], pictures.flip(axis), pictures)
                optimizer.zero_grad()
                loss = F.cross_entropy(net(pictures), y[chosen])
                loss.backward()
                optimizer.step()
                watching.step(loss, target=y[chosen])
    score = accuracy(net, x[800:], y[800:])
    return Trained(watching, score, known(x, y, 800, F.cross_entropy))


def outlined(count: int) -> tuple[Tensor, Tensor]:
    """Bright rectangles on a street [count, 1, SIDE, SIDE], and which pixels they cover."""
    x = 0.4 * torch.randn(count, 1, SIDE, SIDE)
    y = torch.zeros_like(x)
    corners = torch.randint(1, 6, (count, 2))
    sizes = torch.randint(3, 7, (count, 2))
    rows = torch.arange(SIDE)
    down = (rows >= corners[:, :1]) & (rows < corners[:, :1] + sizes[:, :1])
    along = (rows >= corners[:, 1:]) & (rows < corners[:, 1:] + sizes[:, 1:])
    y[:, 0] = (down[:, :, None] & along[:, None]).float()
    return x + y, y


def overlap(answer: Tensor, y: Tensor) -> float:
    """Intersection over union of all pixels."""
    here, there = answer > 0.5, y > 0.5
    return float((here & there).sum() / (here | there).sum())


def softmax_of_one_channel(cured: bool, watch: Watch) -> Trained:
    """A softmax over the only channel is 1 everywhere."""
    x, y = outlined(500)
    net = nn.Sequential(
        nn.Conv2d(1, 10, 3, padding=1),
        nn.ReLU(),
        nn.Conv2d(10, 10, 3, padding=1),
        nn.ReLU(),
        nn.Conv2d(10, 1, 1),
        nn.Sigmoid() if cured else nn.Softmax(dim=1),
    )
    optimizer = torch.optim.Adam(net.parameters(), lr=5e-3)
    criterion = nn.BCELoss()
    with watch(net, optimizer) as watching:
        for _ in range(8):
            for signs, masks in DataLoader(TensorDataset(x[:400], y[:400]), 20, shuffle=True):
                loss = criterion(net(signs), masks)
                descend(watching, optimizer, loss, masks)
    with torch.no_grad():
        score = overlap(net(x[400:]), y[400:])
    return Trained(watching, score, known(x, y, 400, criterion))


def coloured(count: int) -> tuple[Tensor, Tensor]:
    """Photographs [count, SIDE, SIDE, 3] as a camera stores them, with a bar that stands or lies
    and is red or blue: four kinds.
    """
    kind = torch.randint(4, (count,))
    x = 0.5 * torch.randn(count, SIDE, SIDE, 3)
    places = torch.randint(1, SIDE - 6, (count, 2))
    for picture, one, (down, along) in zip(x, kind.tolist(), places.tolist(), strict=True):
        height, width = (6, 2) if one % 2 else (2, 6)
        picture[down : down + height, along : along + width, 2 * (one // 2)] += 1.2
    return x, kind


def channels_by_reshape(cured: bool, watch: Watch) -> Trained:
    """The colours, stored last, are brought to the front by a reshape, which tears pictures up."""
    x, y = coloured(1100)
    x = x.permute(0, 3, 1, 2).contiguous() if cured else x.reshape(-1, 3, SIDE, SIDE)
    net = convolutions(3, 4)
    optimizer = torch.optim.SGD(net.parameters(), lr=0.1, momentum=0.9)
    with watch(net, optimizer) as watching:
        for chosen in batches(800, 40, 6):
            loss = F.cross_entropy(net(x[chosen]), y[chosen])
            descend(watching, optimizer, loss, y[chosen])
    with torch.no_grad():
        score = right(net(x[800:]), y[800:])
    return Trained(watching, score, known(x, y, 800, F.cross_entropy))


class KindAndPlace(nn.Module):
    """The kind of a sign, and the pixels where it stands in a photograph of 1000 × 1000."""

    def __init__(self) -> None:
        super().__init__()
        self.body = nn.Sequential(
            nn.Conv2d(1, 12, 3, padding=1), nn.ReLU(), nn.Conv2d(12, 16, 3, padding=1), nn.ReLU()
        )
        self.kind = nn.Linear(16 * 16, 2)
        self.place = nn.Linear(16 * 16, 2)

    def forward(self, x: Tensor) -> tuple[Tensor, Tensor]:
        h = F.adaptive_max_pool2d(self.body(x), 4).flatten(1)
        return self.kind(h), self.place(h)


def place_in_pixels(cured: bool, watch: Watch) -> Trained:
    """The square error of places in pixels is added to the cross-entropy of the kinds."""
    x, kind = pointing(1100)
    weight = torch.linspace(0, 1000, SIDE)
    bright = x[:, 0].clamp(min=0.5) - 0.5
    place = torch.stack([bright.sum(2) @ weight, bright.sum(1) @ weight], 1)
    place = place / bright.sum((1, 2))[:, None]
    scale = 1000.0 if cured else 1.0
    net = KindAndPlace()
    optimizer = torch.optim.Adam(net.parameters(), lr=3e-3)
    with watch(net, optimizer) as watching:
        for _epoch in range(8):
            for chosen in torch.randperm(800).split(32):
                optimizer.zero_grad()
                logits, where = net(x[chosen])
                kinds = F.cross_entropy(logits, kind[chosen])
                places = F.mse_loss(where, place[chosen] / scale)
                loss = kinds + places
                loss.backward()
                optimizer.step()
                watching.step(loss, target=kind[chosen], parts={"kind": kinds, "place": places})
    with torch.no_grad():
        score = right(net(x[800:])[0], kind[800:])
    return Trained(watching, score)


def statistics_not_kept(cured: bool, watch: Watch) -> Trained:
    """A momentum of 0, taken from a model that was converted, leaves batch norm the mean 0 and the
    variance 1 that it began with; the photographs are bright.
    """
    x, y = pointing(1000)
    x = 2 + 0.5 * x
    momentum = 0.1 if cured else 0.0
    net = nn.Sequential(
        nn.Conv2d(1, 12, 3, padding=1, padding_mode="replicate", bias=False),
        nn.BatchNorm2d(12, momentum=momentum),
        nn.ReLU(),
        nn.Conv2d(12, 24, 3, padding=1, bias=False),
        nn.BatchNorm2d(24, momentum=momentum),
        nn.ReLU(),
        nn.AdaptiveMaxPool2d(1),
        nn.Flatten(),
        nn.Linear(24, 2),
    )
    optimizer = torch.optim.Adam(net.parameters(), lr=5e-3)
    with watch(net, optimizer) as watching:
        for _epoch in range(8):
            net.train()
            for chosen in torch.randperm(800).split(32):
                loss = F.cross_entropy(net(x[chosen]), y[chosen])
                descend(watching, optimizer, loss, y[chosen])
            net.eval()
            with torch.no_grad():
                logits = net(x[800:])
            loss = F.cross_entropy(logits, y[800:])
            watching.valid(loss=float(loss), score=right(logits, y[800:]))
    score = accuracy(net, x[800:], y[800:])
    return Trained(watching, score, known(x, y, 800, F.cross_entropy))


PAIRS = [
    Pair(
        "signs: arrows to the left and right, mirrored",
        "signs: arrows to the left and right, turned over",
        ("label_noise", "labels_unrelated"),
        mirrored,
        0.7,
        0.85,
    ),
    Pair(
        "signs: a mask by softmax of one channel",
        "signs: a mask by a sigmoid",
        ("output_loss_mismatch",),
        softmax_of_one_channel,
        0.4,
        0.6,
    ),
    Pair(
        "signs: colours brought forward by a reshape",
        "signs: colours brought forward by a permutation",
        ("inputs_scrambled",),
        channels_by_reshape,
        0.85,
        0.95,
    ),
    Pair(
        "signs: kind, and place in pixels",
        "signs: kind, and place as a share of the width",
        ("loss_terms_unbalanced",),
        place_in_pixels,
        0.7,
        0.85,
    ),
    Pair(
        "signs: batch norm with a momentum of 0",
        "signs: batch norm with a momentum of .1",
        ("mode_mismatch",),
        statistics_not_kept,
        0.9,
        0.95,
    ),
]
