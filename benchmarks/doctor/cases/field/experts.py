"""Parts of a network that see some of the samples only."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor, nn

import sevensteps as ss
from benchmarks.doctor import data
from benchmarks.doctor.cases.field.trained import Trained, batches, descend, healthy
from benchmarks.doctor.networks import dense


class Experts(nn.Module):
    """A gate, and the best one of four networks for each sample; also how even the load is."""

    def __init__(self, top: int) -> None:
        super().__init__()
        self.top = top
        self.gate = nn.Linear(64, 4)
        self.experts = nn.ModuleList(dense(64, 32, 10) for _ in range(4))

    def forward(self, x: Tensor) -> tuple[Tensor, Tensor]:
        share = self.gate(x).softmax(-1)
        weight, chosen = share.topk(self.top)
        answer = torch.zeros(len(x), 10)
        for index, expert in enumerate(self.experts):
            rows, place = torch.nonzero(chosen == index, as_tuple=True)
            if len(rows):
                own = weight[rows, place, None] * expert(x[rows])
                answer = answer.index_add(0, rows, own)
        load = F.one_hot(chosen, 4).float().mean((0, 1))
        return answer, 4 * (load * share.mean(0)).sum()


def routed(top: int) -> Trained:
    (x, y), (xv, yv) = data.digits()
    model = Experts(top)
    optimizer = torch.optim.Adam(model.parameters(), lr=4e-3)
    with ss.watch(model, optimizer) as watch:
        for chosen in batches(len(x), 50, 10):
            logits, balance = model(x[chosen])
            loss = F.cross_entropy(logits, y[chosen]) + 0.01 * balance
            descend(watch, optimizer, loss, y[chosen])
    with torch.no_grad():
        score = float((model(xv)[0].argmax(1) == yv).double().mean())
    return Trained(watch, score, {"train": (x, y), "valid": (xv, yv)})


def skipped() -> Trained:
    """Residual blocks that are left out by chance."""
    (x, y), (xv, yv) = data.digits()

    class Deep(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.into = nn.Linear(64, 48)
            self.blocks = nn.ModuleList(dense(48, 48, 48) for _ in range(5))
            self.out = nn.Linear(48, 10)

        def forward(self, x: Tensor) -> Tensor:
            h = torch.relu(self.into(x))
            for block in self.blocks:
                if not self.training or float(torch.rand(())) < 0.7:
                    h = h + block(h) * (1.0 if self.training else 0.7)
            answer: Tensor = self.out(h)
            return answer

    model = Deep()
    optimizer = torch.optim.Adam(model.parameters(), lr=2e-3)
    with ss.watch(model, optimizer) as watch:
        for chosen in batches(len(x), 50, 8):
            model.train()
            descend(watch, optimizer, F.cross_entropy(model(x[chosen]), y[chosen]), y[chosen])
    with torch.no_grad():
        score = float((model.eval()(xv).argmax(1) == yv).double().mean())
    known = {"train": (x, y), "valid": (xv, yv), "loss_fn": F.cross_entropy}
    return Trained(watch, score, known)


CASES = [
    healthy("one expert a sample", lambda: routed(1)),
    healthy("two experts a sample", lambda: routed(2)),
    healthy("blocks left out by chance", skipped),
]
