"""Learned without labels, and judged by neighbours: twins, redundancy, a teacher, masks."""

from __future__ import annotations

import copy

import torch
import torch.nn.functional as F
from torch import Tensor, nn

import sevensteps as ss
from benchmarks.doctor import data
from benchmarks.doctor.cases.field.trained import Trained, batches, healthy


def view(x: Tensor) -> Tensor:
    """Some pixels are lost, the rest is louder or fainter, with noise."""
    x = x * (torch.rand_like(x) > 0.2) * (0.7 + 0.6 * torch.rand(len(x), 1))
    return x + 0.05 * torch.randn_like(x)


@torch.no_grad()
def nearest_of_its_kind(encoder: nn.Module) -> float:
    """The share of unseen views whose nearest known sample, by codes, is of their class. Codes of a
    network as it was drawn reach .54.
    """
    (x, y), (xv, yv) = data.digits()
    encoder.eval()
    known, seen = encoder(x), encoder(view(xv))
    spread = known.std(0) + 1e-5
    return float((y[torch.cdist(seen / spread, known / spread).argmin(1)] == yv).double().mean())


def encoder(width: int = 64) -> nn.Sequential:
    return nn.Sequential(
        nn.Linear(64, 128), nn.BatchNorm1d(128), nn.ReLU(), nn.Linear(128, width), nn.ReLU()
    )


def redundancy() -> Trained:
    """Barlow Twins: the correlations of two views' codes are to be the identity."""
    (x, _), _ = data.digits()
    enc, head = encoder(), nn.Sequential(nn.Linear(64, 64), nn.ReLU(), nn.Linear(64, 32))
    net = nn.Sequential(enc, head)
    opt = torch.optim.Adam(net.parameters(), 2e-3, weight_decay=1e-6)
    off = ~torch.eye(32, dtype=torch.bool)
    with ss.watch(net, opt) as watch:
        for rows in batches(len(x), 128, 30):
            a, b = net(view(x[rows])), net(view(x[rows]))
            a, b = ((z - z.mean(0)) / (z.std(0) + 1e-5) for z in (a, b))
            c = a.T @ b / len(rows)
            loss = (c.diagonal() - 1).pow(2).sum() + 0.01 * c[off].pow(2).sum()
            opt.zero_grad()
            loss.backward()
            opt.step()
            watch.step(loss)
    return Trained(watch, nearest_of_its_kind(enc))


def twin_that_is_not_asked() -> Trained:
    """SimSiam: a predictor on one side, no gradient on the other."""
    (x, _), _ = data.digits()
    enc = encoder()
    projector = nn.Sequential(nn.Linear(64, 64), nn.BatchNorm1d(64, affine=False))
    predictor = nn.Sequential(nn.Linear(64, 24), nn.BatchNorm1d(24), nn.ReLU(), nn.Linear(24, 64))
    net = nn.ModuleDict({"enc": enc, "proj": projector, "pred": predictor})
    opt = torch.optim.SGD(net.parameters(), lr=0.05, momentum=0.9, weight_decay=1e-4)

    def side(p: Tensor, z: Tensor) -> Tensor:
        return -F.cosine_similarity(p, z.detach(), dim=1).mean()

    with ss.watch(net, opt) as watch:
        for rows in batches(len(x), 128, 30):
            z1, z2 = (projector(enc(view(x[rows]))) for _ in range(2))
            p1, p2 = predictor(z1), predictor(z2)
            loss = (side(p1, z2) + side(p2, z1)) / 2
            opt.zero_grad()
            loss.backward()
            opt.step()
            watch.step(loss)
    return Trained(watch, nearest_of_its_kind(enc))


def slow_teacher() -> Trained:
    """DINO in small: a slow teacher, centred and sharpened, is followed by its student."""
    (x, _), _ = data.digits()
    enc, head = encoder(), nn.Linear(64, 32, bias=False)
    student = nn.Sequential(enc, head)
    teacher = copy.deepcopy(student).requires_grad_(False)
    opt = torch.optim.AdamW(student.parameters(), 1e-3, weight_decay=0.04)
    center = torch.zeros(32)
    with ss.watch(student, opt) as watch:
        for rows in batches(len(x), 100, 25):
            with torch.no_grad():
                t = teacher(view(x[rows]))
                goal = ((t - center) / 0.05).softmax(1)
                center = 0.9 * center + 0.1 * t.mean(0)
            logp = F.log_softmax(student(view(x[rows])) / 0.1, dim=1)
            loss = -(goal * logp).sum(1).mean()
            opt.zero_grad()
            loss.backward()
            opt.step()
            with torch.no_grad():
                for ps, pt in zip(student.parameters(), teacher.parameters(), strict=True):
                    pt.mul_(0.98).add_(ps, alpha=0.02)
            watch.step(loss)
    return Trained(watch, nearest_of_its_kind(enc))


def rows_masked() -> Trained:
    """A masked autoencoder: half of the rows are left out, and the loss counts those alone."""
    (x, _), _ = data.digits()

    class Masked(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.patch, self.pos = nn.Linear(8, 32), nn.Parameter(0.02 * torch.randn(8, 32))
            self.gap = nn.Parameter(torch.zeros(32))
            layer = nn.TransformerEncoderLayer(32, 4, 64, 0.0, batch_first=True, norm_first=True)
            self.body, self.out = (
                nn.TransformerEncoder(layer, 1, enable_nested_tensor=False),
                nn.Linear(32, 8),
            )

        def forward(self, x: Tensor, mask: Tensor) -> Tensor:
            h = self.patch(x.view(-1, 8, 8))
            h = torch.where(mask[..., None], self.gap, h) + self.pos
            return self.out(self.body(h))

    net = Masked()
    opt = torch.optim.AdamW(net.parameters(), 4e-3, betas=(0.9, 0.95))
    with ss.watch(net, opt) as watch:
        for rows in batches(len(x), 64, 16):
            mask = torch.rand(len(rows), 8).argsort(1) < 4
            error = (net(x[rows], mask) - x[rows].view(-1, 8, 8)).pow(2).mean(-1)
            loss = error[mask].mean()
            opt.zero_grad()
            loss.backward()
            opt.step()
            watch.step(loss)
    (_, _), (xv, _) = data.digits()
    net.eval()
    with torch.no_grad():
        mask = torch.arange(8) % 2 == 0
        truth = xv.view(-1, 8, 8)
        error = (net(xv, mask.expand(len(xv), -1)) - truth)[:, mask].pow(2).mean()
    return Trained(watch, float(1 - error / (truth - truth.mean(0))[:, mask].pow(2).mean()))


CASES = [
    healthy("codes without redundancy", redundancy),
    healthy("a twin without gradient", twin_that_is_not_asked),
    healthy("a slow teacher, centred", slow_teacher),
    healthy("half of the rows left out", rows_masked),
]
