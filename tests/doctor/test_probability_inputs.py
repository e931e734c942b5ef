"""What losses of probabilities are handed, in several tasks and spellings: the fault is named in
each, and nothing in its healthy twin.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torch.distributions import Categorical

import sevensteps as ss

pytestmark = pytest.mark.draws
End = Callable[[Tensor], Tensor]
Loss = Callable[[Tensor, Tensor], Tensor]


@pytest.fixture(autouse=True)
def own_random_numbers() -> Iterator[None]:
    with torch.random.fork_rng():
        torch.manual_seed(0)
        yield


class Net(nn.Module):
    """A hidden layer, and `end` as the last operation."""

    def __init__(self, outputs: int, end: End) -> None:
        super().__init__()
        self.a, self.b, self.end = nn.Linear(6, 24), nn.Linear(24, outputs), end

    def forward(self, x: Tensor) -> Tensor:
        return self.end(self.b(torch.relu(self.a(x))))


def plain(h: Tensor) -> Tensor:
    return h


def shares(x: Tensor) -> Tensor:
    return (2 * x[:, :4]).softmax(1)


def counts(x: Tensor) -> Tensor:
    return torch.poisson((0.8 + 0.6 * x[:, :1]).exp())


def letters(x: Tensor) -> Tensor:
    return (x[:, :3] > 0).long() + 1


def far(x: Tensor) -> Tensor:
    return (x[:, :3].norm(dim=1) > 1.7).float()


def classes(x: Tensor) -> Tensor:
    return x[:, :4].argmax(1)


def divergence(take: End, **options: bool) -> Loss:
    return lambda o, t: F.kl_div(take(o), t, reduction="batchmean", **options)


def alignment(take: End) -> Loss:
    def loss(output: Tensor, target: Tensor) -> Tensor:
        frames, lengths = torch.full((len(target),), 10), torch.full((len(target),), 3)
        steps = take(output.reshape(len(target), 10, 5)).transpose(0, 1)
        return F.ctc_loss(steps, target, frames, lengths)

    return loss


def log_softmax(h: Tensor) -> Tensor:
    return h.log_softmax(-1)


def softmax(h: Tensor) -> Tensor:
    return h.softmax(-1)


def less_logsumexp(h: Tensor) -> Tensor:
    return h - h.logsumexp(1, keepdim=True)


def length(h: Tensor) -> Tensor:
    return h.norm(dim=1)


def rewarded(output: Tensor, target: Tensor) -> Tensor:
    """A policy's loss, paid 1 for the right action."""
    policy = Categorical(logits=output)
    action = policy.sample()
    return -(policy.log_prob(action) * ((action == target).float() - 0.25)).mean()


def conditions(
    end: End, outputs: int, loss_fn: Loss, data: Callable[[Tensor], Tensor]
) -> list[str]:
    x = torch.randn(400, 6)
    y = data(x)
    model = Net(outputs, end)
    optimizer = torch.optim.Adam(model.parameters(), lr=1e-2)
    with ss.watch(model, optimizer) as watch:
        for _ in range(6):
            for rows in torch.randperm(len(y)).split(50):
                loss = loss_fn(model(x[rows]), y[rows])
                optimizer.zero_grad()
                loss.backward()
                optimizer.step()
                watch.step(loss, target=y[rows])
    findings = watch.diagnose(train=(x, y)).findings
    return [finding.condition for finding in findings if finding.severity != "info"]


FAULTS = {
    "counts, raised in the network and by the loss": (torch.exp, 1, F.poisson_nll_loss, counts),
    "counts, softplus for a logarithm": (F.softplus, 1, nn.PoissonNLLLoss(), counts),
    "counts, raised twice by hand": (
        torch.exp,
        1,
        lambda o, t: (o.exp() - t * o).mean(),
        counts,
    ),
    "shares, chances": (plain, 4, divergence(softmax), shares),
    "shares, a module of bare outputs": (plain, 4, nn.KLDivLoss(reduction="batchmean"), shares),
    "shares, targets taken for logarithms": (
        plain,
        4,
        divergence(log_softmax, log_target=True),
        shares,
    ),
    "letters, chances": (plain, 50, alignment(softmax), letters),
    "letters, bare outputs": (plain, 50, alignment(plain), letters),
    "distance for a logit": (length, 3, nn.BCEWithLogitsLoss(), far),
    "sigmoid of a squared distance": (
        lambda h: h.square().sum(1).sigmoid(),
        3,
        F.binary_cross_entropy,
        far,
    ),
    "less than nothing for a logit": (
        lambda h: -length(h),
        3,
        lambda o, t: F.binary_cross_entropy_with_logits(o, 1 - t),
        far,
    ),
    "policy of chances": (softmax, 4, rewarded, classes),
}
HEALTHY = {
    "counts, the logarithm of a rate": (plain, 1, F.poisson_nll_loss, counts),
    "counts, a rate": (torch.exp, 1, nn.PoissonNLLLoss(log_input=False), counts),
    "counts by hand": (plain, 1, lambda o, t: (o.exp() - t * o).mean(), counts),
    "shares": (plain, 4, divergence(log_softmax), shares),
    "shares, a logarithm by hand": (plain, 4, divergence(less_logsumexp), shares),
    "shares, logarithms of both": (
        plain,
        4,
        lambda o, t: divergence(log_softmax, log_target=True)(o, t.log()),
        shares,
    ),
    "letters": (plain, 50, alignment(log_softmax), letters),
    "distance less a margin": (lambda h: length(h) - 1.7, 3, nn.BCEWithLogitsLoss(), far),
    "distances among classes": (
        lambda h: -torch.cdist(h, 3 * torch.eye(4)),
        4,
        F.cross_entropy,
        classes,
    ),
    "policy of logits": (plain, 4, rewarded, classes),
    "policy of logarithms of chances": (log_softmax, 4, rewarded, classes),
}


@pytest.mark.parametrize(("end", "named"), [(softmax, True), (plain, True), (log_softmax, False)])
def test_a_few_answers_of_all_the_nodes_of_a_graph(end: End, named: bool) -> None:
    """Which of the answers are compared is not known: the call itself says what it was handed."""
    x = torch.randn(200, 6)
    near = (torch.cdist(x, x) < 2.5).float()
    near = near / near.sum(1, keepdim=True)
    y, some = (near @ x)[:, :3].argmax(1), torch.randperm(200)[:60]
    inner, outer = nn.Linear(6, 16), nn.Linear(16, 3)

    class Graph(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.inner, self.outer = inner, outer

        def forward(self, x: Tensor, near: Tensor) -> Tensor:
            return end(near @ self.outer(torch.relu(near @ self.inner(x))))

    model = Graph()
    optimizer = torch.optim.Adam(model.parameters(), lr=1e-2)
    with ss.watch(model, optimizer) as watch:
        for _ in range(80):
            loss = F.nll_loss(model(x, near)[some], y[some])
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
            watch.step(loss, target=y[some])
    findings = watch.diagnose().findings
    first = next((f.condition for f in findings if f.severity != "info"), None)
    assert first == ("output_loss_mismatch" if named else None)


@pytest.mark.parametrize("name", FAULTS)
@pytest.mark.sampled(4)
def test_what_the_loss_does_not_take_is_named(name: str) -> None:
    assert "output_loss_mismatch" in conditions(*FAULTS[name])


@pytest.mark.parametrize("name", HEALTHY)
@pytest.mark.sampled(4)
def test_what_the_loss_takes_is_left_alone(name: str) -> None:
    assert "output_loss_mismatch" not in conditions(*HEALTHY[name])
