"""Labels that say less than the class: of bags, of what it is not, of some of the yes alone."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor, nn

import sevensteps as ss
from benchmarks.doctor import data
from benchmarks.doctor.cases.field.trained import Trained, accuracy, batches, descend, healthy
from benchmarks.doctor.networks import dense


def what_it_is_not() -> Trained:
    """One class to which a sample does not belong, drawn from the other nine."""
    (x, y), (xv, yv) = data.digits()
    other = (y + torch.randint(1, 10, y.shape)) % 10
    model = dense(64, 64, 10)
    optimizer = torch.optim.Adam(model.parameters(), lr=2e-3, weight_decay=1e-4)

    def loss_fn(output: Tensor, other: Tensor) -> Tensor:
        p = output.softmax(1).gather(1, other[:, None])
        return -torch.log(1 - p.clamp_max(1 - 1e-6)).mean()

    with ss.watch(model, optimizer) as watch:
        for chosen in batches(len(x), 50, 25):
            descend(watch, optimizer, loss_fn(model(x[chosen]), other[chosen]))
    return Trained(watch, accuracy(model, xv, yv))


def some_of_the_yes() -> Trained:
    """A third of the yes is known, of the rest nothing; the risk is corrected for it."""
    (x, y), (xv, yv) = data.moons()
    known = (y == 1) & (torch.rand(y.shape) < 0.35)
    positive, rest = x[known[:, 0]], x[~known[:, 0]]
    share = float(y[~known].mean())
    model = dense(2, 32, 32, 1, activation=nn.Tanh)
    optimizer = torch.optim.Adam(model.parameters(), lr=5e-3)
    with ss.watch(model, optimizer) as watch:
        for _ in range(500):
            p = model(positive[torch.randint(len(positive), (40,))])
            u = model(rest[torch.randint(len(rest), (80,))])
            yes = share * F.softplus(-p).mean()
            no = F.softplus(u).mean() - share * F.softplus(p).mean()
            descend(watch, optimizer, yes + no.clamp_min(0.0))
    with torch.no_grad():
        right = ((model(xv) > 0) == (yv > 0.5)).double().mean()
    return Trained(watch, float(right))


def bags() -> Trained:
    """A bag is a yes where any of its pictures is a nine; attention says which."""
    (x, y), _ = data.digits()

    def draw(count: int) -> tuple[Tensor, Tensor]:
        chosen = torch.randint(len(x), (count, 6))
        nines = torch.where(y == 9)[0]
        put = torch.rand(count) < 0.4
        chosen[put, 0] = nines[torch.randint(len(nines), (int(put.sum()),))]
        return x[chosen], (y[chosen] == 9).any(1).float()[:, None]

    class Bag(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.body = nn.Sequential(nn.Linear(64, 48), nn.ReLU())
            self.weight, self.head = dense(48, 24, 1, activation=nn.Tanh), nn.Linear(48, 1)

        def forward(self, bag: Tensor) -> Tensor:
            h = self.body(bag)
            return self.head((self.weight(h).softmax(1) * h).sum(1))

    (xb, yb), (xv, yv) = draw(1200), draw(400)
    model = Bag()
    optimizer = torch.optim.Adam(model.parameters(), lr=3e-3)
    with ss.watch(model, optimizer) as watch:
        for chosen in batches(len(xb), 40, 20):
            loss = F.binary_cross_entropy_with_logits(model(xb[chosen]), yb[chosen])
            descend(watch, optimizer, loss, yb[chosen])
    with torch.no_grad():
        right = float(((model(xv) > 0) == (yv > 0.5)).double().mean())
    return Trained(
        watch,
        right,
        {
            "train": (xb, yb),
            "valid": (xv, yv),
            "loss_fn": F.binary_cross_entropy_with_logits,
        },
    )


def shares_of_bags() -> Trained:
    """Of each bag of sixteen it is known how many of each class are in it."""
    (x, y), (xv, yv) = data.blob()
    model = dense(2, 32, 3, activation=nn.Tanh)
    optimizer = torch.optim.Adam(model.parameters(), lr=1e-2)
    bag_of = torch.randperm(len(x))[:688].view(43, 16)
    shares = F.one_hot(y[bag_of], 3).float().mean(1)
    with ss.watch(model, optimizer) as watch:
        for _ in range(60):
            for bag in torch.randperm(43):
                p = model(x[bag_of[bag]]).softmax(1).mean(0)
                loss = F.kl_div(p.log(), shares[bag], reduction="sum")
                descend(watch, optimizer, loss)
    return Trained(watch, accuracy(model, xv, yv))


def known_confusion() -> Trained:
    """Labels that are wrong in a known way: the network's answer is confused before the loss."""
    (x, y), (xv, yv) = data.digits()
    confusion = 0.65 * torch.eye(10) + 0.35 * torch.eye(10).roll(1, 1)
    noisy = torch.multinomial(confusion[y], 1)[:, 0]
    model = dense(64, 48, 10)
    optimizer = torch.optim.Adam(model.parameters(), lr=2e-3)

    def loss_fn(output: Tensor, noisy: Tensor) -> Tensor:
        return F.nll_loss((output.softmax(1) @ confusion).clamp_min(1e-8).log(), noisy)

    with ss.watch(model, optimizer) as watch:
        for chosen in batches(len(x), 50, 15):
            descend(watch, optimizer, loss_fn(model(x[chosen]), noisy[chosen]), noisy[chosen])
    return Trained(watch, accuracy(model, xv, yv))


CASES = [
    healthy("what a sample is not", what_it_is_not),
    healthy("some of the yes known", some_of_the_yes),
    healthy("bags with a yes", bags),
    healthy("shares of bags", shares_of_bags),
    healthy("labels confused as known", known_confusion),
]
