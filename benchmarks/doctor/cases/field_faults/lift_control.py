"""Lifts of a tall building: which one answers a call, and how long people wait for it."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torch.distributions import Categorical
from torch.utils.data import DataLoader, TensorDataset

from benchmarks.doctor.cases.field.trained import Trained, batches, descend
from benchmarks.doctor.cases.field_faults.pair import Pair, Watch, explained, known, right

LIFTS = 3


def calls(count: int) -> tuple[Tensor, Tensor]:
    """Where a call is, and where each lift is and goes [count, 1 + 2 * LIFTS]; how long each would
    take to be there [count, LIFTS], of spread 1 or so.
    """
    floor = torch.rand(count, 1) * 2 - 1
    place = torch.rand(count, LIFTS) * 2 - 1
    goes = torch.randint(2, (count, LIFTS)) * 2.0 - 1
    away = floor - place
    wait = away.abs() + 0.5 * (away * goes < 0)
    return torch.cat([floor, place, goes], 1), wait


def policy_network() -> nn.Sequential:
    """A perceptron with a logit for each lift."""
    return nn.Sequential(
        nn.Linear(1 + 2 * LIFTS, 64), nn.Tanh(), nn.Linear(64, 64), nn.Tanh(), nn.Linear(64, LIFTS)
    )


@torch.no_grad()
def saved(probabilities: Tensor, wait: Tensor) -> float:
    """The share of the waiting that a policy saves, of what could be saved over a lift at random;
    negative where it sends worse ones.
    """
    usual, least = wait.mean(1), wait.min(1).values
    expected = (probabilities * wait).sum(1)
    return float((usual - expected).sum() / (usual - least).sum())


def waiting_as_reward(cured: bool, watch: Watch) -> Trained:
    """The loss of a policy gradient lacks its minus, so that what is worth least becomes likely."""
    policy = policy_network()
    optimizer = torch.optim.Adam(policy.parameters(), lr=5e-3)
    with watch(policy, optimizer) as watching:
        for _ in range(600):
            state, wait = calls(128)
            chance = Categorical(logits=policy(state))
            lift = chance.sample()
            reward = wait.mean(1) - wait[torch.arange(128), lift]
            gain = chance.log_prob(lift) * reward
            loss = -gain.mean() if cured else gain.mean()
            loss = loss - 0.05 * chance.entropy().mean()
            descend(watching, optimizer, loss)
    state, wait = calls(1000)
    return Trained(watching, saved(policy(state).softmax(1), wait))


def probabilities_as_logits(cured: bool, watch: Watch) -> Trained:
    """The network ends with a softmax, and a second one is taken of it: no lift is ever likelier
    than .58.
    """
    policy = policy_network()
    if not cured:
        policy.append(nn.Softmax(dim=-1))
    optimizer = torch.optim.Adam(policy.parameters(), lr=5e-3)
    with watch(policy, optimizer) as watching:
        for _ in range(600):
            state, wait = calls(128)
            chance = Categorical(logits=policy(state))
            lift = chance.sample()
            reward = wait.mean(1) - wait.gather(1, lift[:, None]).squeeze(1)
            advantage = (reward - reward.mean()) / reward.std()
            loss = -(chance.log_prob(lift) * advantage).mean() - 0.05 * chance.entropy().mean()
            descend(watching, optimizer, loss)
    state, wait = calls(1000)
    with torch.no_grad():
        chance = Categorical(logits=policy(state))
    return Trained(watching, saved(chance.probs, wait))


class Estimate(nn.Module):
    """How long each lift would take: one number a lift, or the number of one lift."""

    def __init__(self, flat: bool) -> None:
        super().__init__()
        self.flat = flat
        self.layers = nn.Sequential(
            nn.Linear(1 + 2 * LIFTS + LIFTS, 64), nn.ReLU(), nn.Linear(64, 64), nn.ReLU()
        )
        self.out = nn.Linear(64, 1)

    def forward(self, x: Tensor) -> Tensor:
        wait: Tensor = self.out(self.layers(x))
        return wait.squeeze(1) if self.flat else wait


def column_against_row(cured: bool, watch: Watch) -> Trained:
    """A critic answers [B, 1] and the waiting is [B]: each answer is compared with each waiting."""
    state, wait = calls(1600)
    lift = torch.randint(LIFTS, (1600,))
    x = torch.cat([state, F.one_hot(lift, LIFTS)], 1)
    y = wait[torch.arange(1600), lift]
    critic = Estimate(flat=cured)
    optimizer = torch.optim.RMSprop(critic.parameters(), lr=2e-3)
    with watch(critic, optimizer) as watching:
        for chosen in batches(1200, 40, 20):
            optimizer.zero_grad()
            loss = F.smooth_l1_loss(critic(x[chosen]), y[chosen])
            loss.backward()
            optimizer.step()
            watching.step(loss, target=y[chosen])
    with torch.no_grad():
        score = explained(critic(x[1200:]), y[1200:])
    return Trained(watching, score, known(x, y, 1200, F.smooth_l1_loss))


def first_hours_again(cured: bool, watch: Watch) -> Trained:
    """A policy is to imitate a dispatcher; each step makes a new iterator of a loader that does not
    shuffle, and takes its first batch.
    """
    x, wait = calls(1500)
    y = wait.argmin(1)
    policy = policy_network()
    optimizer = torch.optim.Adam(policy.parameters(), lr=5e-3)
    loader = DataLoader(TensorDataset(x[:1100], y[:1100]), batch_size=50, shuffle=cured)
    with watch(policy, optimizer) as watching:
        for _ in range(600):
            state, best = next(iter(loader))
            loss = F.cross_entropy(policy(state), best)
            descend(watching, optimizer, loss, best)
    with torch.no_grad():
        score = right(policy(x[1100:]), y[1100:])
    return Trained(watching, score, known(x, y, 1100, F.cross_entropy))


class Dispatcher(nn.Module):
    """A policy and a value on one body."""

    def __init__(self) -> None:
        super().__init__()
        self.body = nn.Sequential(nn.Linear(1 + 2 * LIFTS, 64), nn.Tanh())
        self.policy, self.value = nn.Linear(64, LIFTS), nn.Linear(64, 1)

    def forward(self, state: Tensor) -> tuple[Tensor, Tensor]:
        h = self.body(state)
        return self.policy(h), self.value(h).squeeze(1)


def clipped_to_nothing(cured: bool, watch: Watch) -> Trained:
    """Gradients are cut to a length of .0005 before a step of plain gradient descent."""
    net = Dispatcher()
    optimizer = torch.optim.SGD(net.parameters(), lr=0.3, momentum=0.9)
    with watch(net, optimizer) as watching:
        for _ in range(600):
            state, wait = calls(96)
            logits, value = net(state)
            chance = Categorical(logits=logits)
            lift = chance.sample()
            reward = wait.mean(1) - wait[torch.arange(96), lift]
            advantage = (reward - value).detach()
            loss = 0.3 * F.mse_loss(value, reward) - (chance.log_prob(lift) * advantage).mean()
            loss = loss - 0.05 * chance.entropy().mean()
            optimizer.zero_grad()
            loss.backward()
            nn.utils.clip_grad_norm_(net.parameters(), 0.5 if cured else 5e-4)
            optimizer.step()
            watching.step(loss)
    state, wait = calls(1000)
    return Trained(watching, saved(net(state)[0].softmax(1), wait))


PAIRS = [
    Pair(
        "lifts: a policy gradient without its minus",
        "lifts: a policy gradient with its minus",
        ("loss_sign",),
        waiting_as_reward,
        0.0,
        0.4,
    ),
    Pair(
        "lifts: probabilities taken for logits",
        "lifts: logits taken for logits",
        ("output_loss_mismatch",),
        probabilities_as_logits,
        0.45,
        0.55,
    ),
    Pair(
        "lifts: a critic's column against a row",
        "lifts: a critic's row against a row",
        ("target_shape_mismatch",),
        column_against_row,
        0.2,
        0.7,
    ),
    Pair(
        "lifts: the first batch in each step",
        "lifts: a shuffled first batch in each step",
        ("same_batch_again", "overfitting"),
        first_hours_again,
        0.7,
        0.8,
    ),
    Pair(
        "lifts: gradients of a policy no longer than .0005",
        "lifts: gradients of a policy no longer than .5",
        ("gradient_clipped_away",),
        clipped_to_nothing,
        0.3,
        0.5,
    ),
]
