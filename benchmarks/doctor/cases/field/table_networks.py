"""Networks for tables: codes of categories, columns as tokens, wide beside deep, one way only."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torch.utils.data import DataLoader, TensorDataset

import sevensteps as ss
from benchmarks.doctor.cases.field.trained import Trained, accuracy, healthy, r2


def adults(count: int) -> tuple[Tensor, Tensor, Tensor]:
    """Two columns of categories, five of numbers, and a yes or no."""
    cats = torch.stack([torch.randint(12, (count,)), torch.randint(5, (count,))], 1)
    nums = torch.randn(count, 5)
    effect, other = torch.randn(12), torch.randn(5)
    logit = effect[cats[:, 0]] + other[cats[:, 1]] * nums[:, 0] + nums[:, 1] - 0.5 * nums[:, 2] ** 2
    return cats, nums, (logit + 0.2 * torch.randn(count) > -0.3).long()


def codes_and_one_cycle() -> Trained:
    cats, nums, y = adults(1400)

    class TabularModel(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.embeds = nn.ModuleList([nn.Embedding(12, 6), nn.Embedding(5, 3)])
            self.bn_cont = nn.BatchNorm1d(5)
            self.layers = nn.Sequential(
                nn.Linear(14, 64), nn.ReLU(), nn.BatchNorm1d(64), nn.Dropout(0.1), nn.Linear(64, 2)
            )

        def forward(self, cats: Tensor, nums: Tensor) -> Tensor:
            parts = [e(cats[:, i]) for i, e in enumerate(self.embeds)]
            return self.layers(torch.cat([*parts, self.bn_cont(nums)], 1))

    model = TabularModel()
    loader = DataLoader(TensorDataset(cats[:1000], nums[:1000], y[:1000]), 64, shuffle=True)
    opt = torch.optim.AdamW(model.parameters(), lr=1e-3, weight_decay=1e-2)
    sched = torch.optim.lr_scheduler.OneCycleLR(opt, 1e-2, epochs=8, steps_per_epoch=len(loader))
    loss_func = nn.CrossEntropyLoss(label_smoothing=0.05)
    with ss.watch(model, opt) as watch:
        for _ in range(8):
            model.train()
            for c, n, t in loader:
                loss = loss_func(model(c, n), t)
                opt.zero_grad()
                loss.backward()
                opt.step()
                sched.step()
                watch.step(loss, target=t)
            model.eval()
            with torch.no_grad():
                out = model(cats[1000:], nums[1000:])
                right = (out.argmax(1) == y[1000:]).double().mean()
                watch.valid(loss=float(loss_func(out, y[1000:])), score=float(right))
    return Trained(watch, float(right))


def columns_as_tokens() -> Trained:
    """An FT-Transformer: each number is a token, a class token reads them."""
    x = torch.randn(900, 6)
    y = (x[:, 0] * x[:, 1] + torch.sin(2 * x[:, 2]) + x[:, 3] > 0).long()

    class FT(nn.Module):
        def __init__(self, d: int = 24) -> None:
            super().__init__()
            self.weight, self.bias = (nn.Parameter(torch.randn(6, d) * 0.4) for _ in range(2))
            self.cls = nn.Parameter(torch.randn(1, 1, d) * 0.4)
            layer = nn.TransformerEncoderLayer(
                d, 4, 48, 0.0, F.gelu, batch_first=True, norm_first=True
            )
            self.encoder = nn.TransformerEncoder(layer, 2, enable_nested_tensor=False)
            self.head = nn.Sequential(nn.LayerNorm(d), nn.ReLU(), nn.Linear(d, 2))

        def forward(self, x: Tensor) -> Tensor:
            tokens = x[..., None] * self.weight + self.bias
            tokens = torch.cat([self.cls.expand(len(x), -1, -1), tokens], 1)
            return self.head(self.encoder(tokens)[:, 0])

    model = FT()
    opt = torch.optim.AdamW(model.parameters(), lr=3e-3, weight_decay=1e-5)
    with ss.watch(model, opt) as watch:
        for _ in range(10):
            for rows in torch.randperm(700).split(50):
                loss = F.cross_entropy(model(x[rows]), y[rows])
                opt.zero_grad()
                loss.backward()
                opt.step()
                watch.step(loss, target=y[rows])
    known = {"train": (x[:700], y[:700]), "valid": (x[700:], y[700:]), "loss_fn": F.cross_entropy}
    return Trained(watch, accuracy(model, x[700:], y[700:]), known)


def wide_beside_deep() -> Trained:
    """DeepFM for clicks: single fields, products of pairs, and a network, added up."""
    sizes = (20, 15, 8)
    fields = torch.stack([torch.randint(s, (3000,)) for s in sizes], 1)
    taste = [torch.randn(s, 3) for s in sizes]
    a, b, c = (t[fields[:, i]] for i, t in enumerate(taste))
    y = torch.bernoulli(torch.sigmoid(2 * ((a * b).sum(1) + (b * c).sum(1)) - 0.5))

    class DeepFM(nn.Module):
        def __init__(self, k: int = 8) -> None:
            super().__init__()
            self.register_buffer("offset", torch.tensor([0, 20, 35]))
            self.single, self.embed = nn.Embedding(43, 1), nn.Embedding(43, k)
            nn.init.normal_(self.embed.weight, std=0.3)
            self.deep = nn.Sequential(nn.Linear(3 * k, 32), nn.ReLU(), nn.Linear(32, 1))

        def forward(self, f: Tensor) -> Tensor:
            f = f + self.offset
            v = self.embed(f)
            pairs = 0.5 * (v.sum(1) ** 2 - (v**2).sum(1)).sum(1)
            return self.single(f).sum((1, 2)) + pairs + self.deep(v.flatten(1))[:, 0]

    model = DeepFM()
    opt = torch.optim.Adam(model.parameters(), 1e-2)
    loss_fn = nn.BCEWithLogitsLoss()
    with ss.watch(model, opt) as watch:
        for _ in range(5):
            for rows in torch.randperm(2400).split(64):
                loss = loss_fn(model(fields[rows]), y[rows])
                opt.zero_grad()
                loss.backward()
                opt.step()
                watch.step(loss, target=y[rows])
    with torch.no_grad():
        logit, truth = model(fields[2400:]), y[2400:] > 0.5
        auc = (logit[truth][:, None] > logit[~truth][None]).double().mean()
    known = {"train": (fields[:2400], y[:2400]), "valid": (fields[2400:], y[2400:])}
    return Trained(watch, float(auc), {**known, "loss_fn": loss_fn})


def never_falling() -> Trained:
    """The answer may only rise with the first two columns: weights there are squares."""
    x = torch.rand(900, 4) * 2 - 1
    y = (
        (x[:, 0] + 1).log1p()
        + x[:, 1] ** 3
        + torch.sin(3 * x[:, 2]) * 0.4
        + 0.05 * torch.randn(900)
    )

    class Monotone(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.up = nn.Parameter(torch.randn(2, 32) * 0.7)
            self.free = nn.Linear(2, 32)
            self.last, self.bias = (
                nn.Parameter(torch.randn(32) * 0.3),
                nn.Parameter(torch.zeros(())),
            )
            self.beside = nn.Sequential(nn.Linear(2, 32), nn.Tanh(), nn.Linear(32, 1))

        def forward(self, x: Tensor) -> Tensor:
            h = torch.tanh(x[:, :2] @ self.up**2 + self.free(x[:, 2:]))
            return h @ self.last**2 + self.beside(x[:, 2:])[:, 0] + self.bias

    m = Monotone()
    o = torch.optim.Adam(m.parameters(), 1e-2)
    with ss.watch(m, o) as watch:
        for _ in range(20):
            for i in torch.randperm(700).split(35):
                l = F.mse_loss(m(x[i]), y[i])  # noqa: E741
                o.zero_grad()
                l.backward()
                o.step()
                watch.step(l, target=y[i])
    known = {"train": (x[:700], y[:700]), "valid": (x[700:], y[700:]), "loss_fn": F.mse_loss}
    with torch.no_grad():
        return Trained(watch, r2(m(x[700:]), y[700:]), known)


CASES = [
    healthy("codes of categories, one cycle", codes_and_one_cycle),
    healthy("columns as tokens", columns_as_tokens),
    healthy("products of fields beside a network", wide_beside_deep),
    healthy("an answer that never falls", never_falling),
]
