"""Texts as bags: which words stand beside which, of what texts are about, hashed pieces."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor, nn

import sevensteps as ss
from benchmarks.doctor.cases.field.trained import Trained, accuracy, batches, descend, healthy


class Vectors(nn.Module):
    """Two vectors and two biases for each word."""

    def __init__(self, words: int, width: int) -> None:
        super().__init__()
        self.left, self.right = nn.Embedding(words, width), nn.Embedding(words, width)
        self.left_bias, self.right_bias = nn.Embedding(words, 1), nn.Embedding(words, 1)
        for table in (self.left, self.right):
            nn.init.uniform_(table.weight, -0.5 / width**0.5, 0.5 / width**0.5)
        for bias in (self.left_bias, self.right_bias):
            nn.init.zeros_(bias.weight)

    def forward(self, i: Tensor, j: Tensor) -> Tensor:
        biases = self.left_bias(i) + self.right_bias(j)
        answer: Tensor = (self.left(i) * self.right(j)).sum(1) + biases[:, 0]
        return answer


def logarithms_of_counts() -> Trained:
    """Vectors whose products are logarithms of counts, the frequent ones weighed more, in the score
    too.
    """
    hidden, common = torch.randn(60, 4), torch.randn(60)
    truth = 3 + hidden @ hidden.T / 2 + 0.3 * (common[:, None] + common)
    counts = torch.poisson(truth.clamp(max=7).exp())
    i, j = counts.nonzero(as_tuple=True)
    y = counts[i, j].log()
    weight = (counts[i, j] / 100).clamp(max=1) ** 0.75
    order = torch.randperm(len(i))
    i, j, y, weight = i[order], j[order], y[order], weight[order]
    count = int(0.9 * len(i))
    model = Vectors(60, 6)
    optimizer = torch.optim.Adagrad(model.parameters(), lr=0.2)
    with ss.watch(model, optimizer) as watch:
        for rows in batches(count, 80, 25):
            error = model(i[rows], j[rows]) - y[rows]
            descend(watch, optimizer, (weight[rows] * error.square()).mean(), y[rows])
    share = weight[count:] / weight[count:].sum()
    mean = (share * y[count:]).sum()
    with torch.no_grad():
        wrong = (share * (model(i[count:], j[count:]) - y[count:]).square()).sum()
    return Trained(watch, float(1 - wrong / (share * (y[count:] - mean).square()).sum()))


class Topics(nn.Module):
    """Shares of four topics from the counts of a text, and what words they would give."""

    def __init__(self, words: int) -> None:
        super().__init__()
        self.encoder = nn.Sequential(nn.Linear(words, 32), nn.Softplus(), nn.Linear(32, 8))
        self.topics = nn.Parameter(torch.randn(4, words))

    def forward(self, counts: Tensor) -> tuple[Tensor, Tensor]:
        """log p of each word, and the divergence from the prior."""
        mean, log_var = self.encoder(torch.log1p(counts)).chunk(2, 1)
        code = mean + torch.randn_like(mean) * (log_var / 2).exp() * self.training
        divergence = (mean.square() + log_var.exp() - 1 - log_var).sum(1) / 2
        return (code.softmax(1) @ self.topics.softmax(1)).log(), divergence


def what_texts_are_about() -> Trained:
    """A text is of 60 words. The score says how near a topic comes to each true one."""
    truth = torch.full((4, 40), 0.1)
    for k in range(4):
        truth[k, 10 * k : 10 * k + 10] = 2.0
    truth = F.normalize(truth, p=1, dim=1)
    shares = torch.distributions.Dirichlet(torch.full((4,), 0.3)).sample((1200,))
    counts = torch.distributions.Multinomial(60, shares @ truth).sample()
    model = Topics(40)
    optimizer = torch.optim.Adam(model.parameters(), lr=1e-2, betas=(0.95, 0.999))
    with ss.watch(model, optimizer) as watch:
        for rows in batches(1200, 60, 20):
            chances, divergence = model(counts[rows])
            rebuilt = -(counts[rows] * chances).sum(1).mean()
            parts = {"words": rebuilt, "prior": divergence.mean()}
            descend(watch, optimizer, rebuilt + divergence.mean(), parts=parts)
    with torch.no_grad():
        likeness = F.cosine_similarity(truth[:, None], model.topics.softmax(1), dim=2)
    return Trained(watch, float(likeness.max(1).values.mean()))


class Pieces(nn.Module):
    """The mean of the vectors of hashed pieces of two letters. [B, 8] -> [B, 3]"""

    def __init__(self, buckets: int = 500) -> None:
        super().__init__()
        self.buckets = buckets
        self.bag = nn.EmbeddingBag(buckets, 16, mode="mean", sparse=True)
        self.out = nn.Linear(16, 3)

    def forward(self, word: Tensor) -> Tensor:
        pieces = (word[:, :-1] * 31 + word[:, 1:] * 7919) % self.buckets
        scores: Tensor = self.out(self.bag(pieces))
        return scores


def hashed_pieces() -> Trained:
    """Words of eight letters, of a class by the pair of letters in them; some pieces collide."""
    word = torch.randint(0, 20, (1800, 8))
    y = torch.randint(3, (1800,))
    marks = torch.tensor([[1, 2], [7, 4], [11, 17]])
    at = torch.randint(0, 7, (1800,))
    rows = torch.arange(1800)
    word[rows, at], word[rows, at + 1] = marks[y, 0], marks[y, 1]
    model = Pieces()
    tables = torch.optim.SparseAdam(model.bag.parameters(), lr=2e-2)
    others = torch.optim.Adam(model.out.parameters(), lr=1e-2)
    with ss.watch(model, [tables, others]) as watch:
        for chosen in batches(1500, 50, 12):
            loss = F.cross_entropy(model(word[chosen]), y[chosen])
            tables.zero_grad()
            others.zero_grad()
            loss.backward()
            tables.step()
            others.step()
            watch.step(loss, target=y[chosen])
    return Trained(watch, accuracy(model, word[1500:], y[1500:]))


CASES = [
    healthy("vectors from counts of neighbours", logarithms_of_counts),
    healthy("topics of texts", what_texts_are_about),
    healthy("a bag of hashed pieces", hashed_pieces),
]
