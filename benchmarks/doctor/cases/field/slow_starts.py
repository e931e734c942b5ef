"""Long warm-ups, batches of a few rows, and bodies that were trained on something else before."""

from __future__ import annotations

import copy

import torch
import torch.nn.functional as F
from sklearn.datasets import load_digits
from torch import Tensor, nn

import sevensteps as ss
from benchmarks.doctor.cases.field.trained import Trained, accuracy, batches, descend, healthy
from benchmarks.doctor.networks import dense


def digits() -> tuple[Tensor, Tensor]:
    """Standardised pixels [N, 64] and digits [N], in an order of chance."""
    images, kinds = load_digits(return_X_y=True)
    order = torch.randperm(len(images))
    x = torch.tensor(images).float()[order]
    return (x - x.mean()) / x.std(), torch.tensor(kinds)[order]


class Patches(nn.Module):
    """Sixteen patches of two by two pixels, a token for the answer, a layer of attention."""

    def __init__(self) -> None:
        super().__init__()
        self.embed = nn.Linear(4, 32)
        self.answer = nn.Parameter(torch.zeros(1, 1, 32))
        self.places = nn.Parameter(0.02 * torch.randn(1, 17, 32))
        layer = nn.TransformerEncoderLayer(
            32, 4, 64, dropout=0.0, batch_first=True, norm_first=True
        )
        self.body = nn.TransformerEncoder(layer, 1, enable_nested_tensor=False)
        self.head = nn.Sequential(nn.LayerNorm(32), nn.Linear(32, 10))

    def forward(self, x: Tensor) -> Tensor:
        patches = F.unfold(x.view(-1, 1, 8, 8), 2, stride=2).transpose(1, 2)
        h = torch.cat([self.answer.expand(len(x), -1, -1), self.embed(patches)], 1)
        return self.head(self.body(h + self.places)[:, 0])


def half_a_warm_up() -> Trained:
    """The rate grows over the first 40 % of the steps and falls along a line after them."""
    x, y = digits()
    model = Patches()
    optimizer = torch.optim.AdamW(model.parameters(), lr=4e-3, weight_decay=0.05)
    steps, warm = 9 * 26, 94
    schedule = torch.optim.lr_scheduler.LambdaLR(
        optimizer, lambda i: min((i + 1) / warm, (steps - i) / (steps - warm))
    )
    with ss.watch(model, optimizer) as watch:
        for _ in range(9):
            model.train()
            for chosen in torch.randperm(1300).split(50):
                loss = F.cross_entropy(model(x[chosen]), y[chosen], label_smoothing=0.1)
                descend(watch, optimizer, loss, y[chosen])
                schedule.step()
            model.eval()
            with torch.no_grad():
                output = model(x[1300:])
            watch.valid(
                loss=F.cross_entropy(output, y[1300:]),
                score=(output.argmax(1) == y[1300:]).float().mean(),
            )
    return Trained(
        watch,
        accuracy(model, x[1300:], y[1300:]),
        {"train": (x[:1300], y[:1300]), "valid": (x[1300:], y[1300:])},
    )


def four_rows_at_a_time() -> Trained:
    """Batches of four, gradients of eight of them added up, group normalisation."""
    x, y = digits()
    model = nn.Sequential(
        nn.Unflatten(1, (1, 8, 8)),
        nn.Conv2d(1, 16, 3, padding=1),
        nn.GroupNorm(4, 16),
        nn.ReLU(),
        nn.MaxPool2d(2),
        nn.Conv2d(16, 24, 3, padding=1),
        nn.GroupNorm(4, 24),
        nn.ReLU(),
        nn.AdaptiveAvgPool2d(2),
        nn.Flatten(),
        nn.Linear(96, 10),
    )
    optimizer = torch.optim.SGD(model.parameters(), lr=0.1, momentum=0.9, nesterov=True)
    with ss.watch(model, optimizer) as watch:
        for _ in range(3):
            order = torch.randperm(1280)
            for rows in order.split(32):
                total = 0.0
                for part in rows.split(4):
                    loss = F.cross_entropy(model(x[part]), y[part]) / 8
                    loss.backward()
                    total += float(loss)
                optimizer.step()
                optimizer.zero_grad(set_to_none=True)
                watch.step(total, target=y[rows])
    return Trained(watch, accuracy(model, x[1300:], y[1300:]))


def rotated_first() -> Trained:
    """A body learns which way up pictures are; frozen first, then freed at a tenth of the rate."""
    x, y = digits()
    body = dense(64, 96, 48, end=nn.ReLU())
    turns = nn.Linear(48, 4)
    early = torch.optim.Adam([*body.parameters(), *turns.parameters()], lr=2e-3)
    for chosen in batches(1300, 64, 8):
        turn = torch.randint(0, 4, (len(chosen),))
        pictures = x[chosen].view(-1, 8, 8)
        turned = torch.stack(
            [torch.rot90(p, int(k), (0, 1)) for p, k in zip(pictures, turn, strict=True)]
        )
        early.zero_grad()
        F.cross_entropy(turns(body(turned.flatten(1))), turn).backward()
        early.step()
    model = nn.Sequential(copy.deepcopy(body), nn.Linear(48, 10))
    optimizer = torch.optim.Adam(
        [
            {"params": model[0].parameters(), "lr": 3e-4},
            {"params": model[1].parameters(), "lr": 3e-3},
        ]
    )
    model[0].requires_grad_(False)
    with ss.watch(model, optimizer) as watch:
        for epoch in range(16):
            if epoch == 5:
                model[0].requires_grad_(True)
            for chosen in torch.randperm(600).split(20):
                loss = F.cross_entropy(model(x[chosen]), y[chosen])
                descend(watch, optimizer, loss, y[chosen])
    return Trained(
        watch,
        accuracy(model, x[1300:], y[1300:]),
        {"train": (x[:600], y[:600]), "valid": (x[1300:], y[1300:])},
    )


CASES = [
    healthy("patches with a warm-up of two fifths", half_a_warm_up),
    healthy("four rows at a time, added up", four_rows_at_a_time),
    healthy("turned pictures first, digits after", rotated_first),
]
