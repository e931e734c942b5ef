"""Representations without labels: two views of a sample are alike, those of others are not."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor, nn

import sevensteps as ss
from benchmarks.doctor import data
from benchmarks.doctor.cases.field.metric_learning import nearest_neighbour
from benchmarks.doctor.cases.field.trained import Trained, batches, descend, healthy
from benchmarks.doctor.networks import dense


def two_views(x: Tensor) -> tuple[Tensor, Tensor]:
    def view(x: Tensor) -> Tensor:
        return x * (torch.rand(x.shape) > 0.2) + 0.1 * torch.randn(x.shape)

    return view(x), view(x)


def info_nce() -> Trained:
    (x, _), _ = data.digits()
    model = dense(64, 96, 32)
    optimizer = torch.optim.Adam(model.parameters(), lr=1e-3)
    with ss.watch(model, optimizer) as watch:
        for chosen in batches(len(x), 100, 20):
            first, second = (F.normalize(model(view)) for view in two_views(x[chosen]))
            logits = first @ second.T / 0.2
            loss = F.cross_entropy(logits, torch.arange(len(chosen)))
            descend(watch, optimizer, loss)
    return Trained(watch, nearest_neighbour(model))


def pictures_and_texts() -> Trained:
    """Two encoders, and a temperature that is learned."""
    (x, y), (xv, yv) = data.digits()
    picture, text = dense(64, 64, 16), nn.Embedding(10, 16)

    class Both(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.picture, self.text = picture, text
            self.log_scale = nn.Parameter(torch.tensor(1.5))

        def forward(self, x: Tensor, word: Tensor) -> tuple[Tensor, Tensor]:
            return F.normalize(self.picture(x)), F.normalize(self.text(word))

    model = Both()
    optimizer = torch.optim.AdamW(model.parameters(), lr=3e-3)
    with ss.watch(model, optimizer) as watch:
        for chosen in batches(len(x), 50, 15):
            a, b = model(x[chosen], y[chosen])
            same = (y[chosen][:, None] == y[chosen]).float()
            logits = a @ b.T * model.log_scale.exp()
            truth = same / same.sum(1, keepdim=True)
            loss = (F.cross_entropy(logits, truth) + F.cross_entropy(logits.T, truth)) / 2
            descend(watch, optimizer, loss)
    with torch.no_grad():
        a, b = model(xv, torch.arange(10))
        score = float(((a @ b.T).argmax(1) == yv).double().mean())
    return Trained(watch, score)


CASES = [
    healthy("InfoNCE", info_nce),
    healthy("two encoders", pictures_and_texts),
]
