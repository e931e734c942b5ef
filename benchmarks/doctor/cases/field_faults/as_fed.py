"""Good data that reaches the network otherwise than it was meant."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torch.utils.data import DataLoader, TensorDataset

from benchmarks.doctor.cases.field.trained import Trained, batches, descend
from benchmarks.doctor.cases.field_faults.drawn import bars, bent, clouds
from benchmarks.doctor.cases.field_faults.pair import Pair, Watch, explained, fit, known, right
from benchmarks.doctor.networks import dense


def a_new_iterator_each_step(cured: bool, watch: Watch) -> Trained:
    """next(iter(loader)) begins anew each time."""
    x, y = clouds(1500, 8, 10, apart=1.3)
    loader = DataLoader(TensorDataset(x[:1200], y[:1200]), 16)
    model = dense(10, 48, 8)
    optimizer = torch.optim.Adam(model.parameters(), lr=4e-3)
    with watch(model, optimizer) as watching:
        rows = iter(loader)
        for step in range(450):
            if not cured or step % 75 == 0:
                rows = iter(loader)
            xb, yb = next(rows)
            descend(watching, optimizer, F.cross_entropy(model(xb), yb), yb)
    score = right(model(x[1200:]), y[1200:])
    return Trained(watching, score, known(x, y, 1200, F.cross_entropy))


def mixed_apart(cured: bool, watch: Watch) -> Trained:
    """Two loaders that shuffle, one for the inputs and one for the targets."""
    x, y = bent(1500)
    model = dense(6, 48, 1)
    optimizer = torch.optim.Adam(model.parameters(), lr=6e-3)
    if cured:
        loader = DataLoader(TensorDataset(x[:1200], y[:1200]), 40, shuffle=True)
    inputs = DataLoader(TensorDataset(x[:1200]), 40, shuffle=True)
    targets = DataLoader(TensorDataset(y[:1200]), 40, shuffle=True)
    with watch(model, optimizer) as watching:
        for _ in range(20):
            pairs = loader if cured else (a + b for (a, b) in zip(inputs, targets, strict=True))
            for pair in pairs:
                xb, yb = pair if cured else (pair[0], pair[1])
                descend(watching, optimizer, F.mse_loss(model(xb), yb), yb)
    return Trained(watching, explained(model(x[1200:]), y[1200:]), known(x, y, 1200, F.mse_loss))


def kind_after_kind(cured: bool, watch: Watch) -> Trained:
    """A folder for each kind, read one after the other."""
    x, y = bars(1000)
    order = y[:800].argsort()
    model = nn.Sequential(
        nn.Conv2d(1, 8, 3, padding=1), nn.ReLU(), nn.Flatten(), dense(8 * 64, 32, 4)
    )
    optimizer = torch.optim.SGD(model.parameters(), lr=0.05, momentum=0.9)
    with watch(model, optimizer) as watching:
        for _ in range(6):
            rows = torch.randperm(800) if cured else order
            for chosen in rows.split(25):
                descend(
                    watching, optimizer, F.cross_entropy(model(x[chosen]), y[chosen]), y[chosen]
                )
    score = right(model(x[800:]), y[800:])
    shown = torch.cat([order, torch.arange(800, 1000)])
    return Trained(watching, score, known(x[shown], y[shown], 800, F.cross_entropy))


def colours(count: int) -> tuple[Tensor, Tensor]:
    """Bars of some colour as files hold them, [count, 8, 8, 3]."""
    x, y = bars(count, noise=0.2)
    tint = 0.5 + torch.rand(count, 1, 1, 3)
    return x.permute(0, 2, 3, 1) * tint + 0.1 * torch.randn(count, 8, 8, 3), y


def channels_by_a_view(cured: bool, watch: Watch) -> Trained:
    """Channels are brought first by view(); where the network is used, by permute()."""
    x, y = colours(1000)
    right_way = x.permute(0, 3, 1, 2).contiguous()
    fed = right_way[:800] if cured else x[:800].reshape(800, 3, 8, 8)
    model = nn.Sequential(
        nn.Conv2d(3, 12, 3, padding=1), nn.ReLU(), nn.MaxPool2d(2), nn.Flatten(), dense(192, 32, 4)
    )
    optimizer = torch.optim.Adam(model.parameters(), lr=3e-3)
    watching = fit(watch, model, optimizer, F.cross_entropy, fed, y[:800], 8)
    score = right(model(right_way[800:]), y[800:])
    shown = torch.cat([fed, right_way[800:]])
    return Trained(watching, score, known(shown, y, 800, F.cross_entropy))


def own_means(cured: bool, watch: Watch) -> Trained:
    """Trained on standardised columns, judged on raw ones."""
    x, y = clouds(1500, 6, 8, apart=1.5)
    raw = 12 * x + torch.linspace(10, 80, 8)
    mean, spread = raw[:1200].mean(0), raw[:1200].std(0)
    train = (raw[:1200] - mean) / spread
    valid = (raw[1200:] - mean) / spread if cured else raw[1200:]
    model = dense(8, 32, 6)
    optimizer = torch.optim.Adam(model.parameters(), lr=5e-3)
    watching = fit(watch, model, optimizer, F.cross_entropy, train, y[:1200], 10)
    score = right(model(valid), y[1200:])
    shown = torch.cat([train, valid])
    return Trained(watching, score, known(shown, y, 1200, F.cross_entropy))


def rates_beside_metres(cured: bool, watch: Watch) -> Trained:
    """One column in thousands beside others around 0."""
    x, y = bent(1500)
    if not cured:
        x = x.clone()
        x[:, 4:] = 3000 + 800 * x[:, 4:]
    model = dense(6, 48, 1)
    optimizer = torch.optim.Adam(model.parameters(), lr=3e-3)
    watching = fit(watch, model, optimizer, F.mse_loss, x[:1200], y[:1200], 15)
    return Trained(watching, explained(model(x[1200:]), y[1200:]), known(x, y, 1200, F.mse_loss))


def half_the_labels_drawn(cured: bool, watch: Watch) -> Trained:
    """Half of the labels of a cheap crowd are drawn by lot, and there are many epochs."""
    x, y = clouds(900, 6, 10, apart=1.3)
    wrong = (torch.rand(900) < 0.6) & (torch.arange(900) < 600)
    labels = y if cured else torch.where(wrong, torch.randint(6, (900,)), y)
    model = dense(10, 128, 128, 6)
    optimizer = torch.optim.Adam(model.parameters(), lr=3e-3)
    with watch(model, optimizer) as watching:
        for chosen in batches(600, 30, 25):
            loss = F.cross_entropy(model(x[chosen]), labels[chosen])
            descend(watching, optimizer, loss, labels[chosen])
    score = right(model(x[600:]), y[600:])
    return Trained(watching, score, known(x, labels, 600, F.cross_entropy))


PAIRS = [
    Pair(
        "a new iterator for every step",
        "an iterator for every epoch",
        ("same_batch_again",),
        a_new_iterator_each_step,
        0.8,
        0.85,
    ),
    Pair(
        "inputs and targets shuffled by two loaders",
        "inputs and targets shuffled by one loader",
        ("labels_unrelated",),
        mixed_apart,
        0.1,
        0.7,
    ),
    Pair(
        "a folder for each kind, one after the other",
        "all folders mixed",
        ("not_shuffled",),
        kind_after_kind,
        0.6,
        0.9,
    ),
    Pair(
        "channels brought first by a view",
        "channels brought first by a permutation",
        ("inputs_scrambled", "train_valid_mismatch"),
        channels_by_a_view,
        0.7,
        0.9,
    ),
    Pair(
        "judged on columns as they were",
        "judged on columns as trained on",
        ("train_valid_mismatch",),
        own_means,
        0.7,
        0.85,
    ),
    Pair(
        "two columns in thousands",
        "all columns around zero",
        ("inputs_unscaled",),
        rates_beside_metres,
        0.4,
        0.7,
    ),
    Pair(
        "labels of which half are drawn by lot",
        "labels that are right",
        ("label_noise", "overfitting"),
        half_the_labels_drawn,
        0.75,
        0.85,
    ),
]
