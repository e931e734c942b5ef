"""Where things are in a picture: cells of a grid, heat, overlaps, queries that are matched."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from scipy.optimize import linear_sum_assignment
from torch import Tensor, nn

import sevensteps as ss
from benchmarks.doctor.cases.field.trained import Trained, batches, healthy

S = 16


def squares(count: int) -> tuple[Tensor, Tensor, Tensor]:
    """Pictures [N, 1, 16, 16] with one bar, its box (cx, cy, w, h) in 0 … 1, its kind."""
    size = torch.randint(4, 8, (count, 2))
    kind = torch.randint(2, (count,))
    corner = (torch.rand(count, 2) * (S - size)).long()
    r = torch.arange(S)
    inside_x = (r >= corner[:, :1]) & (r < corner[:, :1] + size[:, :1])
    inside_y = (r >= corner[:, 1:]) & (r < corner[:, 1:] + size[:, 1:])
    shape = (inside_y[:, :, None] & inside_x[:, None, :]).float()
    stripes = torch.where(kind[:, None, None] == 1, (r % 2).float()[None, None], torch.ones(()))
    x = shape * stripes + 0.15 * torch.randn(count, S, S)
    box = torch.cat([(corner + size / 2) / S, size / S], 1)
    return x[:, None], box, kind


def trunk(width: int = 12) -> nn.Sequential:
    return nn.Sequential(
        nn.Conv2d(1, width, 3, 2, 1), nn.BatchNorm2d(width), nn.ReLU(),
        nn.Conv2d(width, 2 * width, 3, 2, 1), nn.BatchNorm2d(2 * width), nn.ReLU(),
    )  # fmt: skip


def corners(b: Tensor) -> Tensor:
    return torch.cat([b[:, :2] - b[:, 2:] / 2, b[:, :2] + b[:, 2:] / 2], 1)


def iou(a: Tensor, b: Tensor) -> Tensor:
    """Of boxes row by row."""
    a, b = corners(a), corners(b)
    inter = (torch.min(a[:, 2:], b[:, 2:]) - torch.max(a[:, :2], b[:, :2])).clamp(min=0).prod(1)
    area = (a[:, 2:] - a[:, :2]).prod(1) + (b[:, 2:] - b[:, :2]).prod(1)
    return inter / (area - inter + 1e-7)


def cells_of_a_grid() -> Trained:
    """YOLO in small: is there one here, where in the cell, how large, of which kind."""
    x, box, kind = squares(500)

    net = nn.Sequential(trunk(), nn.Conv2d(24, 32, 3, padding=1), nn.ReLU(), nn.Conv2d(32, 7, 1))
    opt = torch.optim.AdamW(net.parameters(), 5e-3)
    n = torch.arange(500)
    col, row = ((box[:, i] * 4).long().clamp(max=3) for i in (0, 1))
    with ss.watch(net, opt) as watch:
        for i in batches(400, 25, 9):
            net.train()
            out = net(x[i])
            here = torch.zeros(len(i), 4, 4)
            here[n[: len(i)], row[i], col[i]] = 1
            p = out[n[: len(i)], :, row[i], col[i]]
            inside = torch.stack([box[i, 0] * 4 - col[i], box[i, 1] * 4 - row[i]], 1)
            obj = F.binary_cross_entropy_with_logits(out[:, 0], here, pos_weight=torch.tensor(3.0))
            xy, wh = (
                F.mse_loss(p[:, 1:3].sigmoid(), inside),
                F.mse_loss(p[:, 3:5].exp() / 4, box[i, 2:]),
            )
            cls = F.cross_entropy(p[:, 5:], kind[i])
            loss = obj + 5 * xy + 5 * wh + cls
            opt.zero_grad()
            loss.backward()
            opt.step()
            watch.step(loss)
    net.eval()
    with torch.no_grad():
        out = net(x[400:])
        best = out[:, 0].flatten(1).argmax(1)
        p = out.flatten(2)[n[:100], :, best]
        cell = torch.stack([best % 4, best // 4], 1)
        guess = torch.cat([(cell + p[:, 1:3].sigmoid()) / 4, p[:, 3:5].exp() / 4], 1)
    return Trained(watch, float(iou(guess, box[400:]).mean()))


def overlap_as_loss() -> Trained:
    """One box a picture, by what it does not overlap (and how far the middles are)."""
    x, box, _ = squares(500)
    model = nn.Sequential(
        trunk(), nn.Flatten(), nn.Linear(24 * 16, 48), nn.ReLU(), nn.Linear(48, 4), nn.Sigmoid()
    )
    optimizer = torch.optim.SGD(model.parameters(), lr=0.05, momentum=0.9, weight_decay=1e-4)
    scheduler = torch.optim.lr_scheduler.MultiStepLR(optimizer, [9], gamma=0.2)

    def diou_loss(pred: Tensor, true: Tensor) -> Tensor:
        far = (pred[:, :2] - true[:, :2]).pow(2).sum(1)
        return (1 - iou(pred, true) + 2 * far).mean()

    with ss.watch(model, optimizer) as watch:
        for _ in range(12):
            model.train()
            for i in torch.randperm(400).split(20):
                loss = diou_loss(model(x[i]), box[i])
                optimizer.zero_grad()
                loss.backward()
                optimizer.step()
                watch.step(loss, target=box[i])
            scheduler.step()
    model.eval()
    with torch.no_grad():
        score = float(iou(model(x[400:]), box[400:]).mean())
    known = {"train": (x[:400], box[:400]), "valid": (x[400:], box[400:]), "loss_fn": diou_loss}
    return Trained(watch, score, known)


def places_by_soft_maximum() -> Trained:
    """A key point is the mean place under a softmax of heat."""
    x, box, _ = squares(500)
    point = box[:, :2] * 2 - 1

    class KeyPoint(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.net = nn.Sequential(
                nn.Conv2d(1, 12, 5, padding=2), nn.ReLU(),
                nn.Conv2d(12, 12, 5, padding=2), nn.ReLU(),
                nn.Conv2d(12, 1, 5, padding=2),
            )  # fmt: skip
            line = (torch.arange(S) + 0.5) / S * 2 - 1
            self.register_buffer("line", line)

        def forward(self, x: Tensor) -> Tensor:
            heat = self.net(x).flatten(1).softmax(1).view(-1, S, S)
            return torch.stack(
                [(heat.sum(1) * self.line).sum(1), (heat.sum(2) * self.line).sum(1)], 1
            )

    net = KeyPoint()
    opt = torch.optim.Adam(net.parameters(), 5e-3)
    crit = nn.SmoothL1Loss(beta=0.1)
    with ss.watch(net, opt) as watch:
        for i in batches(400, 20, 6):
            loss = crit(net(x[i]), point[i])
            opt.zero_grad()
            loss.backward()
            opt.step()
            watch.step(loss, target=point[i])
    with torch.no_grad():
        away = (net(x[400:]) - point[400:]).norm(dim=1).mean()
    known = {"train": (x[:400], point[:400]), "valid": (x[400:], point[400:]), "loss_fn": crit}
    return Trained(watch, float(1 - away), known)


def queries_that_are_matched() -> Trained:
    """DETR on a line: four queries, and which one stands for which mark is found by matching."""
    places = torch.rand(600, 2).sort(1).values
    r = torch.linspace(0, 1, 24)
    signal = torch.exp(-((r - places[..., None]) ** 2) / 0.002).sum(1) + 0.05 * torch.randn(600, 24)

    class Matcher(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.enc = nn.Sequential(nn.Linear(24, 64), nn.ReLU(), nn.Linear(64, 64), nn.ReLU())
            self.query = nn.Parameter(torch.randn(4, 64) * 0.5)
            self.mix = nn.Sequential(nn.Linear(64, 64), nn.ReLU(), nn.Linear(64, 2))

        def forward(self, x: Tensor) -> tuple[Tensor, Tensor]:
            out = self.mix(self.enc(x)[:, None] + self.query)
            return out[..., 0], out[..., 1].sigmoid()

    model = Matcher()
    opt = torch.optim.AdamW(model.parameters(), 4e-3, weight_decay=1e-4)
    with ss.watch(model, opt) as watch:
        for i in batches(500, 25, 10):
            logit, place = model(signal[i])
            cost = (
                place.detach()[:, :, None] - places[i][:, None]
            ).abs() - logit.detach().sigmoid()[..., None] * 0.2
            truth, near = torch.zeros_like(logit), torch.zeros(())
            for b, c in enumerate(cost.numpy()):
                q, k = linear_sum_assignment(c)
                truth[b, q] = 1
                near = near + (place[b, q] - places[i[b], k]).abs().sum()
            loss = F.binary_cross_entropy_with_logits(logit, truth) + 5 * near / (2 * len(i))
            opt.zero_grad()
            loss.backward()
            nn.utils.clip_grad_norm_(model.parameters(), 1.0)
            opt.step()
            watch.step(loss)
    with torch.no_grad():
        logit, place = model(signal[500:])
        best = place.gather(1, logit.topk(2).indices).sort(1).values
    return Trained(watch, float(1 - 3 * (best - places[500:]).abs().mean()))


CASES = [
    healthy("cells of a grid", cells_of_a_grid),
    healthy("one box by its overlap", overlap_as_loss),
    healthy("a place by a soft maximum", places_by_soft_maximum),
    healthy("queries that are matched", queries_that_are_matched),
]
