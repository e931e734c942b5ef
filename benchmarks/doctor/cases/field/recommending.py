"""Tables of who and what: embeddings alone, pairs, and samples that are drawn to be wrong."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor, nn

import sevensteps as ss
from benchmarks.doctor.cases.field.trained import Trained, batches, descend, healthy, r2

USERS, ITEMS = 80, 60


def tastes() -> tuple[Tensor, Tensor, Tensor]:
    """Ratings [U, I] of hidden tastes, and the pairs (user, item) in a random order [U·I, 2]."""
    user, item = torch.randn(USERS, 3), torch.randn(ITEMS, 3)
    ratings = user @ item.T + 0.3 * torch.randn(USERS, ITEMS)
    pairs = torch.cartesian_prod(torch.arange(USERS), torch.arange(ITEMS))
    order = torch.randperm(len(pairs))
    return ratings, pairs[order, 0], pairs[order, 1]


class Factors(nn.Module):
    """A vector and a bias for each user and each item."""

    def __init__(self, sparse: bool = False) -> None:
        super().__init__()
        self.users = nn.Embedding(USERS, 8, sparse=sparse)
        self.items = nn.Embedding(ITEMS, 8, sparse=sparse)
        self.bias = nn.Embedding(ITEMS, 1, sparse=sparse)
        nn.init.normal_(self.users.weight, std=0.3)
        nn.init.normal_(self.items.weight, std=0.3)
        nn.init.zeros_(self.bias.weight)

    def forward(self, user: Tensor, item: Tensor) -> Tensor:
        answer: Tensor = (self.users(user) * self.items(item)).sum(-1) + self.bias(item)[..., 0]
        return answer


def ratings() -> Trained:
    """Matrix factorisation."""
    truth, user, item = tastes()
    y = truth[user, item]
    model = Factors()
    optimizer = torch.optim.Adam(model.parameters(), lr=2e-2, weight_decay=1e-4)
    with ss.watch(model, optimizer) as watch:
        for chosen in batches(3600, 100, 10):
            loss = F.mse_loss(model(user[chosen], item[chosen]), y[chosen])
            descend(watch, optimizer, loss, y[chosen])
    with torch.no_grad():
        score = r2(model(user[3600:], item[3600:]), y[3600:])
    return Trained(
        watch,
        score,
        {
            "train": ((user[:3600], item[:3600]), y[:3600]),
            "valid": ((user[3600:], item[3600:]), y[3600:]),
        },
    )


def preferred() -> Trained:
    """Bayesian personalised ranking: what somebody liked above what is drawn by chance."""
    truth, user, item = tastes()
    liked = truth[user, item] > 1
    user, item = user[liked], item[liked]
    train = int(0.8 * len(user))
    model = Factors()
    optimizer = torch.optim.Adam(model.parameters(), lr=2e-2)
    with ss.watch(model, optimizer) as watch:
        for chosen in batches(train, 64, 20):
            other = torch.randint(0, ITEMS, (len(chosen),))
            better = model(user[chosen], item[chosen]) - model(user[chosen], other)
            descend(watch, optimizer, -F.logsigmoid(better).mean())
    with torch.no_grad():
        held = model(user[train:], item[train:])
        other = torch.randint(0, ITEMS, held.shape)
        unliked = truth[user[train:], other] < 0
        right = (held > model(user[train:], other))[unliked].double().mean()
    return Trained(watch, float(right))


def neighbours() -> Trained:
    """Skip-grams with negative sampling, by sparse gradients: words of one topic meet."""
    topics, each = 5, 12
    words = topics * each
    topic = torch.arange(words) // each

    class SkipGram(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.centre = nn.Embedding(words, 16, sparse=True)
            self.around = nn.Embedding(words, 16, sparse=True)
            nn.init.uniform_(self.centre.weight, -0.1, 0.1)
            nn.init.zeros_(self.around.weight)

        def forward(self, centre: Tensor, around: Tensor) -> Tensor:
            answer: Tensor = (self.around(around) @ self.centre(centre)[..., None])[..., 0]
            return answer

    model = SkipGram()
    optimizer = torch.optim.SparseAdam(list(model.parameters()), lr=2e-2)
    with ss.watch(model, optimizer) as watch:
        for _ in range(300):
            centre = torch.randint(0, words, (64,))
            real = topic[centre] * each + torch.randint(0, each, (64,))
            noise = torch.randint(0, words, (64, 4))
            logits = model(centre, torch.cat([real[:, None], noise], 1))
            truth = torch.zeros_like(logits)
            truth[:, 0] = 1
            descend(watch, optimizer, F.binary_cross_entropy_with_logits(logits, truth), truth)
    code = F.normalize(model.centre.weight.detach())
    nearest = (code @ code.T - 2 * torch.eye(words)).argmax(1)
    return Trained(watch, float((topic[nearest] == topic).double().mean()))


CASES = [
    healthy("ratings", ratings),
    healthy("what is preferred", preferred),
    healthy("words and their neighbours", neighbours),
]
