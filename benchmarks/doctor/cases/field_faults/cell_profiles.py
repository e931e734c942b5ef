"""Which genes a cell reads, as a biologist sorts and compresses it."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from benchmarks.doctor.cases.field.trained import Trained, batches, descend
from benchmarks.doctor.cases.field_faults.pair import Pair, Watch, explained, fit, known, right
from benchmarks.doctor.networks import dense

GENES, KINDS = 60, 5


def cells(count: int, spread: float = 1.0) -> tuple[Tensor, Tensor]:
    """Standardised profiles about the middle of their kind. [N, 60], [N]"""
    kind = torch.randint(0, KINDS, (count,))
    middle = 0.8 * torch.randn(KINDS, GENES)
    x = middle[kind] + spread * torch.randn(count, GENES)
    return (x - x.mean(0)) / x.std(0), kind


def diagnosis_among_the_genes(cured: bool, watch: Watch) -> Trained:
    """The sheet has columns with the kind, empty for cells that nobody has looked at yet."""
    x, y = cells(900, 2.1)
    sheet = F.one_hot(y, KINDS).float()
    sheet[700:] = 0
    x = x if cured else torch.cat([x, 10 * sheet], 1)
    model = dense(x.shape[1], 32, KINDS)
    optimizer = torch.optim.SGD(model.parameters(), lr=0.01, momentum=0.9)
    watching = fit(watch, model, optimizer, F.cross_entropy, x[:700], y[:700], 8)
    with torch.no_grad():
        score = right(model(x[700:]), y[700:])
    return Trained(watching, score, known(x, y, 700, F.cross_entropy))


def joined_by_row(cured: bool, watch: Watch) -> Trained:
    """Profiles were sorted by their barcodes, and the kinds, in another file, were not."""
    x, y = cells(900)
    barcode = torch.randperm(900)
    x = x[barcode.argsort()]
    y = y[barcode.argsort()] if cured else y
    model = dense(GENES, 32, KINDS, activation=nn.LeakyReLU)
    optimizer = torch.optim.Adam(model.parameters(), lr=2e-3)
    watching = fit(watch, model, optimizer, nn.CrossEntropyLoss(), x[:700], y[:700], 8)
    with torch.no_grad():
        score = right(model(x[700:]), y[700:])
    return Trained(watching, score, known(x, y, 700, F.cross_entropy))


class Compressed(nn.Module):
    """A profile in few numbers and back."""

    def __init__(self, end: nn.Module) -> None:
        super().__init__()
        self.into = nn.Sequential(nn.Linear(GENES, 40), nn.ELU(), nn.Linear(40, 5))
        self.back = nn.Sequential(nn.Linear(5, 40), nn.ELU(), nn.Linear(40, GENES), end)

    def forward(self, x: Tensor) -> Tensor:
        answer: Tensor = self.back(self.into(x))
        return answer


def back_through_a_sigmoid(cured: bool, watch: Watch) -> Trained:
    """Standardised profiles come back through a sigmoid, as pixels would in an example."""
    x, _ = cells(900, 0.2)
    model = Compressed(nn.Identity() if cured else nn.Sigmoid())
    optimizer = torch.optim.Adam(model.parameters(), lr=4e-3)
    watching = fit(watch, model, optimizer, F.mse_loss, x[:700], x[:700], 12)
    return Trained(watching, explained(model(x[700:]), x[700:]), known(x, x, 700, F.mse_loss))


class Sorter(nn.Module):
    """An encoder that is narrow in the middle, and a head for the kinds."""

    def __init__(self) -> None:
        super().__init__()
        self.encoder = nn.Sequential(nn.Linear(GENES, 32), nn.ReLU(), nn.Linear(32, 4), nn.Tanh())
        self.head = nn.Linear(4, KINDS)


def encoder_without_a_gradient(cured: bool, watch: Watch) -> Trained:
    """The line that encodes was copied from an evaluation, with `no_grad` around it."""
    x, y = cells(900)
    model = Sorter()
    optimizer = torch.optim.Adam(model.parameters(), lr=5e-3)
    with watch(model, optimizer) as watching:
        for chosen in batches(700, 32, 14):
            with torch.set_grad_enabled(cured):
                code = model.encoder(x[chosen])
            loss = F.cross_entropy(model.head(code), y[chosen])
            descend(watching, optimizer, loss, y[chosen])
    with torch.no_grad():
        score = right(model.head(model.encoder(x[700:])), y[700:])
    return Trained(watching, score)


def few_cells(cured: bool, watch: Watch) -> Trained:
    """Fifteen cells, a wide network and a long training; or all the cells."""
    x, y = cells(1300, 2.2)
    count = 1000 if cured else 15
    train, valid = (x[:count], y[:count]), (x[1000:], y[1000:])
    model = dense(GENES, 128, KINDS)
    optimizer = torch.optim.AdamW(model.parameters(), lr=1e-3, weight_decay=0.01)
    watching = fit(
        watch,
        model,
        optimizer,
        F.cross_entropy,
        *train,
        epochs=3 if cured else 120,
        size=25 if cured else 15,
    )
    with torch.no_grad():
        score = right(model(x[1000:]), y[1000:])
    more = {"train": train, "valid": valid, "loss_fn": F.cross_entropy}
    return Trained(watching, score, more)


PAIRS = [
    Pair(
        "cells with their kind among the genes",
        "cells with genes alone",
        ("target_in_input", "train_valid_mismatch"),
        diagnosis_among_the_genes,
        0.7,
        0.8,
    ),
    Pair(
        "cells joined with kinds by row",
        "cells joined with kinds by barcode",
        ("labels_unrelated",),
        joined_by_row,
        0.4,
        0.9,
    ),
    Pair(
        "profiles back through a sigmoid",
        "profiles back through a line",
        ("output_loss_mismatch", "target_out_of_range"),
        back_through_a_sigmoid,
        0.65,
        0.8,
    ),
    Pair(
        "cells encoded without a gradient",
        "cells encoded with a gradient",
        ("parameters_not_updated",),
        encoder_without_a_gradient,
        0.8,
        0.9,
    ),
    Pair(
        "a few cells by a wide network",
        "many cells by a wide network",
        ("overfitting",),
        few_cells,
        0.65,
        0.8,
    ),
]
