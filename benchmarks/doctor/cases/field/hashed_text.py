"""Short texts with little order or none: bags, hashed pieces, windows of several widths."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor, nn

import sevensteps as ss
from benchmarks.doctor.cases.field.trained import Trained, accuracy, batches, descend, healthy

WORDS = 400


def reviews(count: int, classes: int = 4) -> tuple[list[Tensor], Tensor]:
    """Texts of 5 to 20 words, half of them from the 20 that their class likes."""
    kind = torch.randint(0, classes, (count,))
    texts = []
    for row in range(count):
        words = torch.randint(1, WORDS, (int(torch.randint(5, 21, ())),))
        liked = torch.rand(len(words)) < 0.5
        words[liked] = 1 + 20 * kind[row] + words[liked] % 20
        texts.append(words)
    return texts, kind


def bagged(texts: list[Tensor]) -> tuple[Tensor, Tensor]:
    """All the words in one row, and where each text begins."""
    lengths = torch.tensor([0, *(len(text) for text in texts[:-1])])
    return torch.cat(texts), lengths.cumsum(0)


def bags() -> Trained:
    """An embedding with sparse gradients and an optimizer for them, a second one for the rest."""
    texts, y = reviews(900)
    bag, head = nn.EmbeddingBag(WORDS, 16, sparse=True), nn.Linear(16, 4)
    sparse = torch.optim.SparseAdam(bag.parameters(), lr=2e-2)
    plain = torch.optim.Adam(head.parameters(), lr=2e-2)
    with ss.watch([bag, head], [sparse, plain]) as watch:
        for chosen in batches(700, 35, 6):
            logits = head(bag(*bagged([texts[row] for row in chosen.tolist()])))
            loss = F.cross_entropy(logits, y[chosen])
            sparse.zero_grad()
            plain.zero_grad()
            loss.backward()
            sparse.step()
            plain.step()
            watch.step(loss, target=y[chosen])
    with torch.no_grad():
        right = head(bag(*bagged(texts[700:]))).argmax(1) == y[700:]
    return Trained(watch, float(right.double().mean()))


def pieces() -> Trained:
    """Counts of pairs of words hashed into 256 buckets, signs as well, and one linear layer."""
    texts, y = reviews(1200, 2)
    x = torch.zeros(1200, 256)
    for row, text in enumerate(texts):
        pairs = torch.cat([text * 7919, text[:-1] * 31 + text[1:] * 104729])
        x[row].index_add_(0, pairs % 256, (pairs // 256 % 2 * 2 - 1).float())
    x = F.normalize(x, dim=1)
    model = nn.Linear(256, 1)
    nn.init.zeros_(model.weight)
    optimizer = torch.optim.Adagrad(model.parameters(), lr=0.3)
    side = (2 * y - 1).float()
    with ss.watch(model, optimizer) as watch:
        for chosen in batches(1000, 20, 8):
            loss = F.softplus(-side[chosen] * model(x[chosen])[:, 0]).mean()
            descend(watch, optimizer, loss, side[chosen])
    with torch.no_grad():
        right = model(x[1000:])[:, 0].sign() == side[1000:]
    return Trained(watch, float(right.double().mean()))


class Windows(nn.Module):
    """Convolutions over 1, 2 and 3 words, the largest of each over the text, dropout, a layer."""

    def __init__(self) -> None:
        super().__init__()
        self.embed = nn.Embedding(WORDS, 16, padding_idx=0)
        self.windows = nn.ModuleList(nn.Conv1d(16, 16, width) for width in (1, 2, 3))
        self.drop, self.out = nn.Dropout(0.3), nn.Linear(48, 4)

    def forward(self, words: Tensor) -> Tensor:
        h = self.embed(words).transpose(1, 2)
        best = [F.relu(window(h)).amax(2) for window in self.windows]
        logits: Tensor = self.out(self.drop(torch.cat(best, 1)))
        return logits


def widths() -> Trained:
    texts, y = reviews(1400)
    x = nn.utils.rnn.pad_sequence(texts, batch_first=True)
    model = Windows()
    optimizer = torch.optim.Adadelta(model.parameters(), lr=1.0)
    with ss.watch(model, optimizer) as watch:
        for chosen in batches(1200, 50, 9):
            loss = F.cross_entropy(model(x[chosen]), y[chosen], label_smoothing=0.05)
            descend(watch, optimizer, loss, y[chosen])
    return Trained(watch, accuracy(model, x[1200:], y[1200:]), {"train": (x[:1200], y[:1200])})


CASES = [
    healthy("bags of words with sparse gradients", bags),
    healthy("pairs of words in buckets", pieces),
    healthy("windows of several widths", widths),
]
