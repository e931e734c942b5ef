"""Stretches of DNA, read by convolutions: is there a place where a protein binds?"""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torch.utils.data import DataLoader, TensorDataset

from benchmarks.doctor.cases.field.trained import Trained, batches, descend
from benchmarks.doctor.cases.field_faults.pair import Pair, Watch, fit, known, right

MOTIF = torch.tensor([3, 0, 3, 0, 2, 1])  # TATAGC
LENGTH = 40


def stretches(count: int, share: float = 0.5) -> tuple[Tensor, Tensor]:
    """Bases 0..3 [N, 40], and whether the motif stands somewhere. [N]"""
    bases = torch.randint(4, (count, LENGTH))
    bound = (torch.rand(count) < share).long()
    starts = torch.randint(LENGTH - len(MOTIF) + 1, (count,))
    for row in bound.nonzero()[:, 0].tolist():
        bases[row, starts[row] : starts[row] + len(MOTIF)] = MOTIF
    return bases, bound


def one_hot(bases: Tensor) -> Tensor:
    """[N, 40] -> [N, 4, 40]"""
    return F.one_hot(bases, 4).float().transpose(1, 2)


def scanner(outputs: int = 2, width: int = 24) -> nn.Sequential:
    """Filters as long as the motif, and the best place of each."""
    return nn.Sequential(
        nn.Conv1d(4, width, 6),
        nn.ReLU(),
        nn.AdaptiveMaxPool1d(1),
        nn.Flatten(),
        nn.Linear(width, outputs),
    )


def bases_viewed(cured: bool, watch: Watch) -> Trained:
    """`view` where the axes should change places."""
    bases, bound = stretches(1800)
    coded = F.one_hot(bases, 4).float()
    x = coded.permute(0, 2, 1).contiguous() if cured else coded.view(-1, 4, LENGTH)
    model = scanner()
    optimizer = torch.optim.Adam(model.parameters(), lr=1e-2)
    watching = fit(watch, model, optimizer, F.cross_entropy, x[:1400], bound[:1400], 10)
    with torch.no_grad():
        score = right(model(x[1400:]), bound[1400:])
    return Trained(watching, score, known(x, bound, 1400, F.cross_entropy))


def bound_ones_first(cured: bool, watch: Watch) -> Trained:
    """One file of bound stretches, then one of the others, and a loader that keeps their order."""
    bases, bound = stretches(1800)
    x = one_hot(bases)
    train, valid = (x[:1400], bound[:1400]), (x[1400:], bound[1400:])
    order = train[1].argsort(descending=True)
    files = TensorDataset(train[0][order], train[1][order])
    model = scanner()
    optimizer = torch.optim.SGD(model.parameters(), lr=0.1, momentum=0.9)
    criterion = nn.CrossEntropyLoss()
    with watch(model, optimizer) as watching:
        for _epoch in range(12):
            for dna, label in DataLoader(files, batch_size=32, shuffle=cured):
                optimizer.zero_grad()
                loss = criterion(model(dna), label)
                loss.backward()
                optimizer.step()
                watching.step(loss, target=label)
    with torch.no_grad():
        score = right(model(valid[0]), valid[1])
    return Trained(
        watching,
        score,
        {"train": (train[0][order], train[1][order]), "valid": valid, "loss_fn": criterion},
    )


def one_in_forty(cured: bool, watch: Watch) -> Trained:
    """Genomes have few sites. Scored by how many of either kind are right, whatever their share."""
    bases, bound = stretches(3200, 0.025)
    x, y = one_hot(bases), bound.float()[:, None]
    model = scanner(1, 16)
    weight = torch.tensor([39.0]) if cured else None
    loss_fn = nn.BCEWithLogitsLoss(pos_weight=weight)
    optimizer = torch.optim.Adam(model.parameters(), lr=2e-3)
    with watch(model, optimizer) as watching:
        for chosen in batches(2400, 64, 10):
            descend(watching, optimizer, loss_fn(model(x[chosen]), y[chosen]), y[chosen])
    with torch.no_grad():
        yes = model(x[2400:]) > 0
    truth = y[2400:] > 0.5
    score = float((yes[truth].double().mean() + (~yes[~truth]).double().mean()) / 2)
    return Trained(watching, score, known(x, y, 2400, loss_fn))


class Words(nn.Module):
    """Words of three bases, looked up in a table, and a layer over their mean."""

    def __init__(self, table: Tensor, freeze: bool) -> None:
        super().__init__()
        self.words = nn.Embedding.from_pretrained(table, freeze=freeze)
        self.scores = nn.Linear(table.shape[1], 2)

    def forward(self, words: Tensor) -> Tensor:
        answer: Tensor = self.scores(self.words(words).mean(1))
        return answer


def table_frozen(cured: bool, watch: Watch) -> Trained:
    """`from_pretrained` freezes unless it is told not to, and the table was drawn by lot."""
    bases = torch.randint(4, (1600, LENGTH))
    words = bases[:, :-2] * 16 + bases[:, 1:-1] * 4 + bases[:, 2:]
    richness = ((words % 7) < 3).double().mean(1)  # some words are frequent in one kind
    kind = (richness > richness.median()).long()
    model = Words(torch.randn(64, 2), freeze=not cured)
    optimizer = torch.optim.Adam(model.parameters(), lr=3e-2)
    watching = fit(watch, model, optimizer, F.cross_entropy, words[:1200], kind[:1200], 15)
    with torch.no_grad():
        score = right(model(words[1200:]), kind[1200:])
    return Trained(watching, score, known(words, kind, 1200, F.cross_entropy))


def sorted_by_name(cured: bool, watch: Watch) -> Trained:
    """Labels come from a sheet that somebody sorted, stretches from a file as it was."""
    bases, bound = stretches(1800)
    x = one_hot(bases)
    labels = bound.clone()
    if not cured:
        names = torch.randperm(1400)
        labels[:1400] = bound[:1400][names]
    model = scanner()
    optimizer = torch.optim.RMSprop(model.parameters(), lr=3e-3)
    watching = fit(watch, model, optimizer, F.cross_entropy, x[:1400], labels[:1400], 8, 50)
    with torch.no_grad():
        score = right(model(x[1400:]), labels[1400:])
    return Trained(watching, score, known(x, labels, 1400, F.cross_entropy))


PAIRS = [
    Pair(
        "bases put before places by a view",
        "bases put before places by permute",
        ("inputs_scrambled",),
        bases_viewed,
        0.8,
        0.9,
    ),
    Pair(
        "all bound stretches, then all others",
        "bound stretches among the others",
        ("not_shuffled",),
        bound_ones_first,
        0.7,
        0.9,
    ),
    Pair(
        "one bound stretch of forty, all weighed alike",
        "one bound stretch of forty, weighed by 39",
        ("class_imbalance",),
        one_in_forty,
        0.6,
        0.8,
    ),
    Pair(
        "words of bases from a frozen table",
        "words of bases from a table that learns",
        ("parameters_not_updated",),
        table_frozen,
        0.8,
        0.9,
    ),
    Pair(
        "stretches beside a sorted sheet of labels",
        "stretches beside their sheet of labels",
        ("labels_unrelated",),
        sorted_by_name,
        0.6,
        0.9,
    ),
]
