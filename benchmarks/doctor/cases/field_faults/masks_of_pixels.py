"""Segmentation: masks that were moved apart, classes along the wrong axis, a rare foreground."""

from __future__ import annotations

from collections.abc import Callable

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from benchmarks.doctor.cases.field.trained import Trained, batches, descend
from benchmarks.doctor.cases.field_faults.pair import Pair, Watch, known

SIDE = 16


def scans(count: int, spots: int = 2, size: int = 3) -> tuple[Tensor, Tensor]:
    """Noisy pictures [N, 1, 16, 16] with bright discs, and their masks [N, 1, 16, 16]."""
    rows, columns = torch.arange(SIDE)[:, None], torch.arange(SIDE)[None]
    mask = torch.zeros(count, SIDE, SIDE, dtype=torch.bool)
    for _ in range(spots):
        at = torch.randint(0, SIDE, (count, 2, 1, 1))
        mask |= (rows - at[:, 0]) ** 2 + (columns - at[:, 1]) ** 2 <= size**2
    picture = 1.2 * mask + 0.6 * torch.randn(count, SIDE, SIDE)
    return picture[:, None], mask[:, None].float()


def overlap(logits: Tensor, mask: Tensor) -> float:
    """Intersection over union of all pixels, where the answer is above 0."""
    answer, truth = logits > 0, mask > 0.5
    return float((answer & truth).sum() / (answer | truth).sum().clamp(min=1))


class Encoder(nn.Module):
    """Two scales with a bridge between them."""

    def __init__(self, classes: int = 1, width: int = 8) -> None:
        super().__init__()
        self.down = nn.Sequential(nn.Conv2d(1, width, 3, padding=1), nn.ReLU())
        self.low = nn.Sequential(nn.Conv2d(width, 2 * width, 3, 2, padding=1), nn.ReLU())
        self.up = nn.ConvTranspose2d(2 * width, width, 2, 2)
        self.head = nn.Conv2d(2 * width, classes, 3, padding=1)

    def forward(self, x: Tensor) -> Tensor:
        fine = self.down(x)
        return self.head(torch.cat([fine, F.relu(self.up(self.low(fine)))], 1))


def segment(
    watch: Watch,
    model: nn.Module,
    loss_fn: Callable[[Tensor, Tensor], Tensor],
    x: Tensor,
    y: Tensor,
    epochs: int = 6,
    change: Callable[[Tensor, Tensor], tuple[Tensor, Tensor]] | None = None,
    lr: float = 4e-3,
) -> object:
    """The loop; `change` is what is done to a batch before it is used."""
    optimizer = torch.optim.Adam(model.parameters(), lr=lr)
    with watch(model, optimizer) as watching:
        for chosen in batches(len(x), 16, epochs):
            a, b = x[chosen], y[chosen]
            a, b = change(a, b) if change else (a, b)
            descend(watching, optimizer, loss_fn(model(a), b), b)
    return watching


def turned_apart(cured: bool, watch: Watch) -> Trained:
    """Pictures and masks are flipped and turned by two draws instead of one."""
    x, y = scans(400)

    def draw(picture: Tensor, turns: int, flip: bool) -> Tensor:
        picture = picture.rot90(turns, (2, 3))
        return picture.flip(3) if flip else picture

    def augment(a: Tensor, b: Tensor) -> tuple[Tensor, Tensor]:
        first = int(torch.randint(4, ())), bool(torch.rand(()) < 0.5)
        second = int(torch.randint(4, ())), bool(torch.rand(()) < 0.5)
        return draw(a, *first), draw(b, *(first if cured else second))

    model = Encoder()
    loss_fn = nn.BCEWithLogitsLoss()
    watching = segment(watch, model, loss_fn, x[:300], y[:300], 8, augment)
    with torch.no_grad():
        score = overlap(model(x[300:]), y[300:])
    return Trained(watching, score, known(x, y, 300, loss_fn))


def channels_viewed(cured: bool, watch: Watch) -> Trained:
    """[B, C, H, W] is made [pixels, C] by `view`, which does not move the axis of the classes."""
    x, mask = scans(400)
    other = scans(400, 1, 4)[1]
    y = (mask + 2 * other).clamp(max=2).long()[:, 0]
    x = x + 1.2 * (y == 2)[:, None] * (torch.arange(SIDE) % 2)
    model = Encoder(3)

    def loss_fn(logits: Tensor, target: Tensor) -> Tensor:
        rows = logits.permute(0, 2, 3, 1) if cured else logits
        return F.cross_entropy(rows.reshape(-1, 3), target.reshape(-1))

    watching = segment(watch, model, loss_fn, x[:300], y[:300], 8)
    with torch.no_grad():
        answer = model(x[300:]).argmax(1)
    shares = [(answer[y[300:] == c] == c).double().mean() for c in range(3)]
    return Trained(watching, float(torch.stack(shares).mean()), known(x, y, 300, loss_fn))


def faint_foreground(cured: bool, watch: Watch) -> Trained:
    """One pixel of 250 is foreground, and nothing weighs it."""
    x, y = scans(400, 1, 0)
    weight = torch.tensor(100.0) if cured else None
    loss_fn = nn.BCEWithLogitsLoss(pos_weight=weight)
    model = Encoder(width=4)
    watching = segment(watch, model, loss_fn, x[:300], y[:300], 8, lr=6e-3)
    with torch.no_grad():
        answer, truth = model(x[300:]) > 0, y[300:] > 0.5
    caught, spared = (answer & truth).sum() / truth.sum(), (~answer & ~truth).sum() / (~truth).sum()
    return Trained(watching, float((caught + spared) / 2), known(x, y, 300, loss_fn))


def softmax_of_one_channel(cured: bool, watch: Watch) -> Trained:
    """Softmax over a channel axis of size one is 1 everywhere."""
    x, y = scans(400)

    class Ended(Encoder):
        def forward(self, x: Tensor) -> Tensor:
            logits = super().forward(x)
            return torch.sigmoid(logits) if cured else logits.softmax(1)

    model, loss_fn = Ended(), nn.BCELoss()
    watching = segment(watch, model, loss_fn, x[:300], y[:300])
    with torch.no_grad():
        score = overlap(model(x[300:]) - 0.5, y[300:])
    return Trained(watching, score, known(x, y, 300, loss_fn))


def overlap_goes_down(cured: bool, watch: Watch) -> Trained:
    """The Dice coefficient itself is descended, not one minus it."""
    x, y = scans(400)

    def loss_fn(logits: Tensor, mask: Tensor) -> Tensor:
        chance = logits.sigmoid()
        dice = (2 * (chance * mask).sum() + 1) / (chance.sum() + mask.sum() + 1)
        return 1 - dice if cured else dice

    model = Encoder()
    watching = segment(watch, model, loss_fn, x[:300], y[:300])
    with torch.no_grad():
        score = overlap(model(x[300:]), y[300:])
    return Trained(watching, score, known(x, y, 300, loss_fn))


PAIRS = [
    Pair(
        "masks turned by another draw",
        "masks turned with their pictures",
        ("labels_unrelated",),
        turned_apart,
        0.4,
        0.5,
    ),
    Pair(
        "channels of classes viewed as pixels",
        "channels of classes moved to the end",
        ("output_loss_mismatch", "inputs_scrambled", "target_shape_mismatch"),
        channels_viewed,
        0.5,
        0.7,
    ),
    Pair(
        "a pixel of foreground in 250",
        "a pixel of foreground, weighed",
        ("class_imbalance",),
        faint_foreground,
        0.6,
        0.68,
    ),
    Pair(
        "a mask by softmax of its one channel",
        "a mask by sigmoid",
        ("output_loss_mismatch",),
        softmax_of_one_channel,
        0.4,
        0.5,
    ),
    Pair(
        "overlap that is descended",
        "overlap that is raised",
        ("loss_sign",),
        overlap_goes_down,
        0.3,
        0.5,
    ),
]
