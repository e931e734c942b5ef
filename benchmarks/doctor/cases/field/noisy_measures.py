"""Data whose errors stay large however well they are learnt."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from sklearn.datasets import load_diabetes
from torch import Tensor, nn

import sevensteps as ss
from benchmarks.doctor.cases.field.trained import Trained, batches, descend, healthy, r2
from benchmarks.doctor.networks import dense


def progress_of_a_disease() -> Trained:
    """A table of 442 patients; a good answer explains about half of the variance."""
    table, goal = load_diabetes(return_X_y=True, scaled=False)
    order = torch.randperm(442)
    x, y = torch.tensor(table).float()[order], torch.tensor(goal).float()[order, None]
    x = (x - x[:340].mean(0)) / x[:340].std(0)
    y = (y - y[:340].mean()) / y[:340].std()
    model = nn.Sequential(
        nn.Linear(10, 32),
        nn.ReLU(),
        nn.Dropout(0.2),
        nn.Linear(32, 16),
        nn.ReLU(),
        nn.Linear(16, 1),
    )
    optimizer = torch.optim.AdamW(model.parameters(), lr=3e-3, weight_decay=0.05)
    with ss.watch(model, optimizer) as watch:
        for _ in range(30):
            model.train()
            for chosen in torch.randperm(340).split(34):
                descend(watch, optimizer, F.mse_loss(model(x[chosen]), y[chosen]), y[chosen])
            model.eval()
            with torch.no_grad():
                watch.valid(loss=F.mse_loss(model(x[340:]), y[340:]))
    return Trained(
        watch,
        r2(model(x[340:]), y[340:]),
        {"train": (x[:340], y[:340]), "valid": (x[340:], y[340:]), "loss_fn": F.mse_loss},
    )


def a_fifth_of_labels_wrong() -> Trained:
    """Raters disagree: generalised cross-entropy, and a score by labels that are right."""
    count = 2400
    true = torch.randint(0, 5, (count,))
    x = torch.randn(count, 12) + 1.4 * torch.randn(5, 12)[true]
    wrong = torch.rand(count) < 0.2
    y = torch.where(wrong, torch.randint(0, 5, (count,)), true)
    model = dense(12, 64, 5)
    optimizer = torch.optim.Adam(model.parameters(), lr=2e-3)
    with ss.watch(model, optimizer) as watch:
        for chosen in batches(2000, 50, 12):
            chance = model(x[chosen]).softmax(1).gather(1, y[chosen, None])
            loss = ((1 - chance.clamp_min(1e-6) ** 0.5) / 0.5).mean()
            descend(watch, optimizer, loss, y[chosen])
    with torch.no_grad():
        right = model(x[2000:]).argmax(1) == true[2000:]
    return Trained(watch, float(right.double().mean()))


class Claims(nn.Module):
    """The logarithm of a rate: a table of regions and a network of the other columns."""

    def __init__(self) -> None:
        super().__init__()
        self.region = nn.Embedding(10, 4)
        self.body = dense(8, 32, 1)
        nn.init.zeros_(self.body[-1].weight)

    def forward(self, region: Tensor, x: Tensor) -> Tensor:
        return self.body(torch.cat([self.region(region), x], 1))[:, 0]


def counts_that_are_mostly_none() -> Trained:
    """Poisson counts of which four in five are 0, with exposures; the score is by true rates."""
    count = 5000
    region, x = torch.randint(0, 10, (count,)), torch.randn(count, 4)
    exposure = 0.2 + 0.8 * torch.rand(count)
    effect = 0.7 * torch.randn(10)
    log_rate = -1.2 + effect[region] + 0.6 * x[:, 0] - 0.4 * x[:, 1].abs()
    y = torch.poisson(exposure * log_rate.exp())
    model = Claims()
    optimizer = torch.optim.Adam(model.parameters(), lr=3e-3)
    with ss.watch(model, optimizer) as watch:
        for chosen in batches(4200, 128, 14):
            log_mean = model(region[chosen], x[chosen]) + exposure[chosen].log()
            loss = F.poisson_nll_loss(log_mean, y[chosen])
            descend(watch, optimizer, loss, y[chosen])
    with torch.no_grad():
        answer = model(region[4200:], x[4200:])
    return Trained(watch, r2(answer, log_rate[4200:]))


CASES = [
    healthy("the progress of a disease in a year", progress_of_a_disease),
    healthy("raters of whom a fifth errs", a_fifth_of_labels_wrong),
    healthy("counts that are mostly none, with exposures", counts_that_are_mostly_none),
]
