"""Maps of pixels, and boxes around things."""

from __future__ import annotations

from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from benchmarks.doctor.cases.field.trained import Trained, batches, descend
from benchmarks.doctor.cases.field_faults.pair import Pair, Watch, explained, fit, known, right

SIDE = 16


def spots(count: int, width: int = 5, noise: float = 0.4) -> tuple[Tensor, Tensor]:
    """Pictures [count, 1, 16, 16] with a bright square, and where it is [count, 1, 16, 16]; a
    single bright pixels here and there belong to none.
    """
    top, left = torch.randint(SIDE - width, (2, count, 1, 1))
    down, along = torch.arange(SIDE)[:, None], torch.arange(SIDE)[None]
    inside = (down >= top) & (down < top + width) & (along >= left) & (along < left + width)
    mask = inside[:, None].float()
    stray = (torch.rand(count, 1, SIDE, SIDE) < 0.05).float()
    return torch.maximum(mask, stray) + noise * torch.randn(count, 1, SIDE, SIDE), mask


def mapper(last: nn.Module | None = None) -> nn.Sequential:
    """Three convolutions, the last to one number a pixel."""
    layers = [nn.Conv2d(1, 8, 5, padding=2), nn.ReLU(), nn.Conv2d(8, 8, 3, padding=1), nn.ReLU()]
    return nn.Sequential(*layers, nn.Conv2d(8, 1, 1), *([last] if last else []))


@torch.no_grad()
def overlap(answer: Tensor, mask: Tensor) -> float:
    """Of the pixels in either, the share that is in both."""
    inside, there = answer > 0, mask > 0
    return float((inside & there).sum() / (inside | there).sum().clamp(min=1))


def dice(output: Tensor, mask: Tensor) -> Tensor:
    """1 where the map is the mask, 0 where they do not meet."""
    chance = output.sigmoid().flatten(1)
    both = (chance * mask.flatten(1)).sum(1)
    return ((2 * both + 1) / (chance.sum(1) + mask.flatten(1).sum(1) + 1)).mean()


def dice_brought_down(cured: bool, watch: Watch) -> Trained:
    """The coefficient itself is handed to `backward`, not what it lacks of 1."""
    x, mask = spots(400)
    model = mapper()
    optimizer = torch.optim.Adam(model.parameters(), lr=1e-2)
    with watch(model, optimizer) as watching:
        for chosen in batches(300, 20, 8):
            coefficient = dice(model(x[chosen]), mask[chosen])
            loss = 1 - coefficient if cured else coefficient
            descend(watching, optimizer, loss, mask[chosen])
    return Trained(watching, overlap(model(x[300:]), mask[300:]), known(x, mask, 300))


def masks_up_to_255(cured: bool, watch: Watch) -> Trained:
    """Masks as a picture file holds them: 0 and 255."""
    x, mask = spots(400)
    target = mask if cured else 255 * mask
    model = mapper()
    optimizer = torch.optim.Adam(model.parameters(), lr=1e-2)
    loss_fn = nn.BCEWithLogitsLoss()
    watching = fit(watch, model, optimizer, loss_fn, x[:300], target[:300], 10, 20)
    score = overlap(model(x[300:]), mask[300:])
    return Trained(watching, score, known(x, target, 300, loss_fn))


def maps_against_all_maps(cured: bool, watch: Watch) -> Trained:
    """Heat maps: the output is [B, 1, H, W], the target [B, H, W]."""
    x, mask = spots(400, width=3)
    heat = F.avg_pool2d(mask, 5, 1, 2)
    heat = (heat - heat.mean()) / heat.std()
    target = heat if cured else heat[:, 0]
    model = mapper()
    optimizer = torch.optim.Adam(model.parameters(), lr=1e-2)
    watching = fit(watch, model, optimizer, F.mse_loss, x[:300], target[:300], 12, 20)
    score = explained(model(x[300:])[:, 0], heat[300:, 0])
    return Trained(watching, score, known(x, target, 300, F.mse_loss))


def colours(count: int) -> tuple[Tensor, Tensor]:
    """Pictures [count, 16, 16, 3] as a camera gives them, with a square in one of three colours
    among strokes in all of them, and which.
    """
    x, mask = spots(count, width=6, noise=0.3)
    y = torch.randint(3, (count,))
    pictures = 0.8 * torch.rand(count, SIDE, SIDE, 3) + 0.2 * x[:, 0, :, :, None]
    return pictures + mask[:, 0, :, :, None] * F.one_hot(y, 3)[:, None, None].float(), y


def channels_read_as_rows(cured: bool, watch: Watch) -> Trained:
    """`reshape` to [B, 3, H, W] in place of moving the last axis."""
    pictures, y = colours(700)
    x = pictures.permute(0, 3, 1, 2) if cured else pictures.reshape(700, 3, SIDE, SIDE)
    x = x.contiguous()
    model = nn.Sequential(
        nn.Conv2d(3, 8, 3, padding=1), nn.ReLU(), nn.AdaptiveAvgPool2d(1), nn.Flatten()
    )
    model.append(nn.Linear(8, 3))
    optimizer = torch.optim.Adam(model.parameters(), lr=1e-2)
    watching = fit(watch, model, optimizer, F.cross_entropy, x[:500], y[:500], 10, 25)
    score = right(model(x[500:]), y[500:])
    return Trained(watching, score, known(x, y, 500, F.cross_entropy))


class Detector(nn.Module):
    """Which of four things is in the picture, and the middle of it."""

    def __init__(self) -> None:
        super().__init__()
        self.body = nn.Sequential(
            nn.Conv2d(1, 8, 3, padding=1), nn.ReLU(), nn.MaxPool2d(4), nn.Flatten()
        )
        self.body.extend([nn.Linear(128, 32), nn.ReLU()])
        self.kind, self.middle = nn.Linear(32, 4), nn.Linear(32, 2)

    def forward(self, x: Tensor) -> tuple[Tensor, Tensor]:
        h = self.body(x)
        return self.kind(h), self.middle(h)


def things(count: int) -> tuple[Tensor, Tensor, Tensor]:
    """Pictures of a lying or standing bar, a cross or a ring, what it is, and where from 0 to 1."""
    shapes = torch.zeros(4, 5, 5)
    shapes[0, 2], shapes[1, :, 2] = 1, 1
    shapes[2] = torch.eye(5).maximum(torch.eye(5).flip(0))
    shapes[3, [0, -1]], shapes[3, :, [0, -1]] = 1, 1
    kinds = torch.randint(4, (count,))
    corner = torch.randint(SIDE - 5, (count, 2))
    x = 0.2 * torch.randn(count, 1, SIDE, SIDE)
    for picture, kind, (top, left) in zip(x, kinds.tolist(), corner.tolist(), strict=True):
        picture[0, top : top + 5, left : left + 5] += shapes[kind]
    return x, kinds, (corner + 2.5) / SIDE


def boxes_in_pixels(cured: bool, watch: Watch) -> Trained:
    """The place is learnt in pixels of the large photograph, 1,000 wide, or in widths of it."""
    x, kinds, middles = things(800)
    where = middles if cured else 1000 * middles
    model = Detector()
    optimizer = torch.optim.SGD(model.parameters(), lr=0.1, momentum=0.9)
    with watch(model, optimizer) as watching:
        for chosen in batches(600, 25, 14):
            scores, places = model(x[chosen])
            kind = F.cross_entropy(scores, kinds[chosen])
            place = F.smooth_l1_loss(places, where[chosen])
            optimizer.zero_grad()
            (kind + place).backward()
            nn.utils.clip_grad_norm_(model.parameters(), 1.0)
            optimizer.step()
            target = (kinds[chosen], where[chosen])
            watching.step(kind + place, target=target, parts={"kind": kind, "place": place})
    score = right(model(x[600:])[0], kinds[600:])
    halves: dict[str, Any] = {
        "train": (x[:600], (kinds[:600], where[:600])),
        "valid": (x[600:], (kinds[600:], where[600:])),
    }
    return Trained(watching, score, halves)


def specks(cured: bool, watch: Watch) -> Trained:
    """One pixel in 60 is inside; the loss weighs all alike, or those more."""
    x, mask = spots(300, width=2, noise=0.5)
    weight = torch.tensor(12.0 if cured else 1.0)
    loss_fn = nn.BCEWithLogitsLoss(pos_weight=weight)
    model = mapper()
    optimizer = torch.optim.SGD(model.parameters(), lr=0.1, momentum=0.9)
    watching = fit(watch, model, optimizer, loss_fn, x[:240], mask[:240], 10, 20)
    answer, there = model(x[240:]) > 0, mask[240:] > 0
    score = float((answer & there).sum() / there.sum())  # of what is inside, how much it finds
    return Trained(watching, score, known(x, mask, 240, loss_fn))


PAIRS = [
    Pair(
        "dice coefficient brought down",
        "dice coefficient brought up",
        ("loss_sign",),
        dice_brought_down,
        0.1,
        0.4,
    ),
    Pair(
        "masks of 0 and 255 by binary cross-entropy",
        "masks of 0 and 1 by binary cross-entropy",
        ("target_out_of_range",),
        masks_up_to_255,
        0.3,
        0.5,
    ),
    Pair(
        "heat maps against those of the whole batch",
        "heat maps against their own",
        ("target_shape_mismatch",),
        maps_against_all_maps,
        0.2,
        0.5,
    ),
    Pair(
        "colours of a picture read as its rows",
        "colours of a picture moved to the front",
        ("inputs_scrambled",),
        channels_read_as_rows,
        0.6,
        0.8,
    ),
    Pair(
        "things whose place is learnt in pixels",
        "things whose place is learnt in widths",
        ("loss_terms_unbalanced", "targets_unscaled"),
        boxes_in_pixels,
        0.5,
        0.75,
    ),
    Pair(
        "specks weighed as the background",
        "specks weighed more than the background",
        ("class_imbalance",),
        specks,
        0.3,
        0.6,
    ),
]
