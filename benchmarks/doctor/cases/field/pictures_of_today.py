"""Small pictures by recent networks: a class token, depthwise filters, mixing, larger pictures."""

from __future__ import annotations

import math

import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torch.optim.swa_utils import AveragedModel, get_ema_multi_avg_fn

import sevensteps as ss
from benchmarks.doctor import data
from benchmarks.doctor.cases.field.trained import Trained, accuracy, batches, descend, healthy


def images() -> tuple[tuple[Tensor, Tensor], tuple[Tensor, Tensor]]:
    """The digits as [N, 1, 8, 8], about -1 … 1."""
    (x, y), (xv, yv) = data.digits()
    return (2 * x.view(-1, 1, 8, 8) - 1, y), (2 * xv.view(-1, 1, 8, 8) - 1, yv)


def class_token() -> Trained:
    """A vision transformer with cut-out patches, warm-up and cosine."""
    (x, y), (xv, yv) = images()

    class ViT(nn.Module):
        def __init__(self, d: int = 32) -> None:
            super().__init__()
            self.patch = nn.Conv2d(1, d, 2, 2)
            self.cls = nn.Parameter(torch.zeros(1, 1, d))
            self.pos = nn.Parameter(torch.randn(1, 17, d) * 0.02)
            layer = nn.TransformerEncoderLayer(
                d, 4, 2 * d, dropout=0.0, activation="gelu", batch_first=True, norm_first=True
            )
            self.blocks = nn.TransformerEncoder(layer, 2, enable_nested_tensor=False)
            self.norm, self.head = nn.LayerNorm(d), nn.Linear(d, 10)

        def forward(self, x: Tensor) -> Tensor:
            x = self.patch(x).flatten(2).transpose(1, 2)
            x = torch.cat([self.cls.expand(len(x), -1, -1), x], 1) + self.pos
            return self.head(self.norm(self.blocks(x))[:, 0])

    model = ViT()
    opt = torch.optim.AdamW(model.parameters(), lr=4e-3, weight_decay=0.05)
    total = 8 * 21
    sched = torch.optim.lr_scheduler.LambdaLR(
        opt, lambda s: min(1, (s + 1) / 20) * 0.5 * (1.02 + math.cos(math.pi * s / total))
    )
    with ss.watch(model, opt) as watch:
        for rows in batches(len(x), 64, 8):
            loss = F.cross_entropy(model(x[rows]), y[rows])
            opt.zero_grad()
            loss.backward()
            nn.utils.clip_grad_norm_(model.parameters(), 1.0)
            opt.step()
            sched.step()
            watch.step(loss, target=y[rows])
    known = {"train": (x, y), "valid": (xv, yv), "loss_fn": F.cross_entropy}
    return Trained(watch, accuracy(model, xv, yv), known)


class NeXt(nn.Module):
    """Depthwise filter, norm over channels, two pointwise layers, a small gain, a skip."""

    def __init__(self, d: int):
        super().__init__()
        self.dw = nn.Conv2d(d, d, 5, padding=2, groups=d)
        self.norm = nn.GroupNorm(1, d)
        self.pw1, self.pw2 = nn.Conv2d(d, 2 * d, 1), nn.Conv2d(2 * d, d, 1)
        self.gamma = nn.Parameter(torch.full((d, 1, 1), 0.1))

    def forward(self, x: Tensor) -> Tensor:
        return x + self.gamma * self.pw2(F.gelu(self.pw1(self.norm(self.dw(x)))))


def depthwise() -> Trained:
    """ConvNeXt blocks, a moving average of the weights, and it is the average that is judged."""
    (x, y), (xv, yv) = images()
    net = nn.Sequential(
        nn.Conv2d(1, 24, 2, 2), NeXt(24), NeXt(24), nn.AdaptiveAvgPool2d(2), nn.Flatten(),
        nn.LayerNorm(96), nn.Linear(96, 10),
    )  # fmt: skip
    ema = AveragedModel(net, multi_avg_fn=get_ema_multi_avg_fn(0.95))
    opt = torch.optim.AdamW(net.parameters(), 6e-3, weight_decay=0.02)
    with ss.watch(net, opt) as watch:
        for rows in batches(len(x), 64, 6):
            loss = F.cross_entropy(net(x[rows]), y[rows], label_smoothing=0.1)
            descend(watch, opt, loss, y[rows])
            ema.update_parameters(net)
    known = {"train": (x, y), "valid": (xv, yv), "loss_fn": F.cross_entropy}
    return Trained(watch, accuracy(ema, xv, yv), known)


def larger_pictures() -> Trained:
    """Super-resolution: 4×4 to 8×8 by a shuffle of channels, added to a plain enlargement."""
    (x, _), (xv, _) = images()

    class SR(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.body = nn.Sequential(
                nn.Conv2d(1, 24, 3, padding=1), nn.PReLU(),
                nn.Conv2d(24, 24, 3, padding=1), nn.PReLU(),
                nn.Conv2d(24, 4, 3, padding=1), nn.PixelShuffle(2),
            )  # fmt: skip

        def forward(self, x: Tensor) -> Tensor:
            return F.interpolate(x, scale_factor=2, mode="bilinear") + self.body(x)

    small, small_v = F.avg_pool2d(x, 2), F.avg_pool2d(xv, 2)
    model = SR()
    opt = torch.optim.Adam(model.parameters(), 4e-3)
    crit = nn.L1Loss()
    with ss.watch(model, opt) as watch:
        for rows in batches(len(x), 32, 6):
            loss = crit(model(small[rows]), x[rows])
            opt.zero_grad()
            loss.backward()
            opt.step()
            watch.step(loss, target=x[rows])
    with torch.no_grad():
        error = (model(small_v) - xv).pow(2).mean()
        plain = (F.interpolate(small_v, scale_factor=2, mode="bilinear") - xv).pow(2).mean()
    known = {"train": (small, x), "valid": (small_v, xv), "loss_fn": crit}
    return Trained(watch, float(1 - error / plain), known)


def mlp_mixer() -> Trained:
    """Patches and channels are mixed in turn; two pictures are blended, and so are their losses."""
    (x, y), (xv, yv) = images()

    class Mixer(nn.Module):
        def __init__(self, tokens: int = 16, d: int = 32) -> None:
            super().__init__()
            self.embed = nn.Linear(4, d)
            self.tok = nn.ModuleList(
                nn.Sequential(nn.Linear(tokens, 32), nn.GELU(), nn.Linear(32, tokens))
                for _ in range(2)
            )
            self.chan = nn.ModuleList(
                nn.Sequential(nn.Linear(d, 64), nn.GELU(), nn.Linear(64, d)) for _ in range(2)
            )
            self.norms = nn.ModuleList(nn.LayerNorm(d) for _ in range(5))
            self.head = nn.Linear(d, 10)

        def forward(self, x: Tensor) -> Tensor:
            h = self.embed(F.unfold(x, 2, stride=2).transpose(1, 2))
            for i in range(2):
                h = h + self.tok[i](self.norms[2 * i](h).transpose(1, 2)).transpose(1, 2)
                h = h + self.chan[i](self.norms[2 * i + 1](h))
            return self.head(self.norms[4](h).mean(1))

    net = Mixer()
    opt = torch.optim.NAdam(net.parameters(), 4e-3)
    beta = torch.distributions.Beta(0.3, 0.3)
    with ss.watch(net, opt) as watch:
        for rows in batches(len(x), 64, 9):
            lam, other = float(beta.sample()), rows[torch.randperm(len(rows))]
            out = net(lam * x[rows] + (1 - lam) * x[other])
            loss = lam * F.cross_entropy(out, y[rows]) + (1 - lam) * F.cross_entropy(out, y[other])
            opt.zero_grad()
            loss.backward()
            opt.step()
            watch.step(loss)
    known = {"train": (x, y), "valid": (xv, yv), "loss_fn": F.cross_entropy}
    return Trained(watch, accuracy(net, xv, yv), known)


CASES = [
    healthy("a class token over patches", class_token),
    healthy("depthwise filters, averaged weights", depthwise),
    healthy("pictures twice as large", larger_pictures),
    healthy("patches and channels mixed in turn", mlp_mixer),
]
