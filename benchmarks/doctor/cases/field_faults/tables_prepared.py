"""Tables on their way to the network: marks for what is missing, codes, columns that tell."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from benchmarks.doctor.cases.field.trained import Trained
from benchmarks.doctor.cases.field_faults.pair import Pair, Watch, explained, fit, known, right
from benchmarks.doctor.networks import dense


def customers(count: int) -> tuple[Tensor, Tensor]:
    """Columns [N, 8] of one scale, and one of three groups."""
    x = torch.randn(count, 8)
    score = torch.stack([x[:, 0] * x[:, 1], x[:, 2] + x[:, 3].abs() - 0.8, x[:, 4] - x[:, 5]], 1)
    return x, (score + 0.1 * torch.randn_like(score)).argmax(1)


def houses(count: int) -> tuple[Tensor, Tensor]:
    """Columns [N, 6] and a price [N, 1] of mean 0."""
    x = torch.randn(count, 6)
    y = x[:, :1] * 0.8 + (x[:, 1:2] * x[:, 2:3]) * 0.6 + torch.relu(x[:, 3:4]) - 0.4
    return x, y + 0.1 * torch.randn(count, 1)


def group(model: nn.Module, x: Tensor, y: Tensor, count: int) -> float:
    with torch.no_grad():
        return right(model.eval()(x[count:]), y[count:])


def price(model: nn.Module, x: Tensor, y: Tensor, count: int) -> float:
    with torch.no_grad():
        return explained(model.eval()(x[count:]), y[count:])


def missing_as_minus_9999(cured: bool, watch: Watch) -> Trained:
    x, y = customers(1000)
    missing = torch.rand_like(x) < 0.04
    x = torch.where(missing, torch.tensor(0.0 if cured else -9999.0), x)
    model = dense(8, 48, 48, 3)
    optimizer = torch.optim.Adam(model.parameters(), 2e-3)
    watching = fit(watch, model, optimizer, F.cross_entropy, x[:750], y[:750], 20)
    return Trained(watching, group(model, x, y, 750), known(x, y, 750, F.cross_entropy))


def row_numbers_among_them(cured: bool, watch: Watch) -> Trained:
    """The number of the customer and the second of the entry are columns like others."""
    x, y = houses(1000)
    number = 700_000.0 + torch.randperm(1000)[:, None]
    second = 1.6e9 + 1e6 * torch.rand(1000, 1)
    if not cured:
        x = torch.cat([x, number, second / 1e3], 1)
    model = dense(x.shape[1], 48, 1)
    optimizer = torch.optim.Adam(model.parameters(), 3e-3)
    watching = fit(watch, model, optimizer, F.mse_loss, x[:750], y[:750], 20)
    return Trained(watching, price(model, x, y, 750), known(x, y, 750, F.mse_loss))


def price_in_cents(cured: bool, watch: Watch) -> Trained:
    x, y = houses(1000)
    if not cured:
        y = 24_000_000 + 6_000_000 * y
    model = nn.Sequential(
        nn.Linear(6, 64), nn.SiLU(), nn.Linear(64, 64), nn.SiLU(), nn.Linear(64, 1)
    )
    optimizer = torch.optim.AdamW(model.parameters(), 3e-3)
    watching = fit(watch, model, optimizer, F.l1_loss, x[:750], y[:750], 20)
    return Trained(watching, price(model, x, y, 750), known(x, y, 750, F.l1_loss))


def codes_by_first_sight(cured: bool, watch: Watch) -> Trained:
    """Training and test file are coded apart, each in the order in which its groups come up."""
    x, y = customers(1000)
    y = y.clone()
    if not cured:
        y[750:] = torch.tensor([1, 2, 0])[y[750:]]
    model = dense(8, 48, 48, 3, activation=nn.GELU)
    optimizer = torch.optim.Adam(model.parameters(), 4e-3)
    watching = fit(watch, model, optimizer, F.cross_entropy, x[:750], y[:750], 20)
    return Trained(watching, group(model, x, y, 750), known(x, y, 750, F.cross_entropy))


def encoded_by_the_answer(cured: bool, watch: Watch) -> Trained:
    """A code of thousands of shops is replaced by the mean price of its rows: itself, mostly."""
    x, y = houses(1000)
    shop = torch.arange(1000) if not cured else torch.randint(20, (1000,))
    sums = torch.zeros(1000, 1).index_add(0, shop[:700], y[:700])
    counts = torch.zeros(1000, 1).index_add(0, shop[:700], torch.ones(700, 1))
    code = torch.where(counts > 0, sums / counts.clamp(min=1), y[:700].mean())[shop]
    x = torch.cat([x, code], 1)
    model = dense(7, 48, 1)
    optimizer = torch.optim.Adam(model.parameters(), 4e-3)
    watching = fit(watch, model, optimizer, F.mse_loss, x[:700], y[:700], 25)
    return Trained(watching, price(model, x, y, 700), known(x, y, 700, F.mse_loss))


def two_in_a_hundred(cured: bool, watch: Watch) -> Trained:
    """Who leaves is one of fifty; nothing is weighed, nothing drawn more often."""
    x = torch.randn(3000, 8)
    inner = x[:, 0] * 1.2 + x[:, 1] * x[:, 2] + 0.5 * torch.randn(3000)
    y = (inner > inner.quantile(0.98)).long()
    weight = torch.tensor([1.0, 40.0]) if cured else None
    loss_fn = nn.CrossEntropyLoss(weight)
    model = dense(8, 24, 2)
    optimizer = torch.optim.Adam(model.parameters(), 2e-3)
    watching = fit(watch, model, optimizer, loss_fn, x[:2000], y[:2000], 8, 64)
    with torch.no_grad():
        answer = model(x[2000:]).argmax(1)
    hit = torch.stack([(answer[y[2000:] == c] == c).double().mean() for c in (0, 1)])
    return Trained(watching, float(hit.mean()), known(x, y, 2000, loss_fn))


PAIRS = [
    Pair(
        "missing values as -9999",
        "missing values as the mean",
        ("inputs_unscaled",),
        missing_as_minus_9999,
        0.7,
        0.8,
    ),
    Pair(
        "row numbers among the columns",
        "columns without row numbers",
        ("inputs_unscaled",),
        row_numbers_among_them,
        0.3,
        0.8,
    ),
    Pair(
        "a price in cents",
        "a price of one spread",
        ("targets_unscaled", "learning_rate_too_low"),
        price_in_cents,
        0.1,
        0.8,
    ),
    Pair(
        "groups coded apart in each file",
        "groups coded once",
        ("train_valid_mismatch", "labels_unrelated"),
        codes_by_first_sight,
        0.2,
        0.8,
    ),
    Pair(
        "a code that is its own answer",
        "a code of twenty shops",
        ("target_in_input", "overfitting", "train_valid_mismatch"),
        encoded_by_the_answer,
        0.5,
        0.8,
    ),
    Pair(
        "two of a hundred leave",
        "two of a hundred, weighed",
        ("class_imbalance",),
        two_in_a_hundred,
        0.6,
        0.68,
    ),
]
