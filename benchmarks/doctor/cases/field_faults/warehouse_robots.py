"""Robots in a warehouse: which shelf to take, where to turn, and how far the arm reaches."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torch.distributions import Categorical

from benchmarks.doctor.cases.field.trained import Trained, batches, descend
from benchmarks.doctor.cases.field_faults.pair import Pair, Watch, explained, known, right
from benchmarks.doctor.networks import dense


def orders(count: int) -> tuple[Tensor, Tensor]:
    """What a robot perceives of four shelves, and the reward of each: [N, 8], [N, 4]"""
    x = torch.randn(count, 8)
    return x, x[:, :4] - x[:, 4:]


def shelves(cured: bool, watch: Watch) -> Trained:
    """A policy gradient whose optimizer minimizes what was to grow."""
    policy = dense(8, 48, 4, activation=nn.Tanh)
    optimizer = torch.optim.Adam(policy.parameters(), lr=1e-2)
    with watch(policy, optimizer) as watching:
        for _episode in range(300):
            state, rewards = orders(64)
            choice = Categorical(logits=policy(state))
            shelf = choice.sample()
            reward = rewards.gather(1, shelf[:, None])[:, 0]
            advantage = reward - reward.mean()
            gain = (choice.log_prob(shelf) * advantage).mean()
            loss = -gain if cured else gain
            descend(watching, optimizer, loss, score=float(reward.mean()))
    state, rewards = orders(1000)
    with torch.no_grad():
        best = policy(state).argmax(1)
    share = rewards.gather(1, best[:, None]).mean() / rewards.max(1).values.mean()
    score = float(share.clamp(-1, 1))
    return Trained(watching, score)


def steering(cured: bool, watch: Watch) -> Trained:
    """A driver is imitated; the network ends in tanh, the angles are in tens of degrees."""
    x = torch.randn(1200, 6)
    angle = 2.5 * x[:, :1] * torch.sigmoid(2 * x[:, 1:2]) - 1.5 * torch.sin(2 * x[:, 2:3])
    if cured:
        angle = angle / angle.abs().max()
    actor = dense(6, 64, 64, 1, end=nn.Tanh())
    optimizer = torch.optim.Adam(actor.parameters(), lr=2e-3)
    with watch(actor, optimizer) as watching:
        for chosen in batches(1000, 40, 30):
            descend(watching, optimizer, F.mse_loss(actor(x[chosen]), angle[chosen]), angle[chosen])
    score = explained(actor(x[1000:]), angle[1000:])
    return Trained(watching, score, known(x, angle, 1000, F.mse_loss))


def millimetres(cured: bool, watch: Watch) -> Trained:
    """Where the arm is, in millimetres, through tanh."""
    joints = torch.rand(1200, 3) * 2 - 1
    x = joints if cured else 1000 * joints
    y = (joints.square().sum(1) < 1).long()
    model = dense(3, 64, 32, 2, activation=nn.Tanh)
    optimizer = torch.optim.Adam(model.parameters(), lr=1e-2)
    criterion = nn.CrossEntropyLoss()
    with watch(model, optimizer) as watching:
        for chosen in batches(1000, 40, 50):
            descend(watching, optimizer, criterion(model(x[chosen]), y[chosen]), y[chosen])
    with torch.no_grad():
        score = right(model(x[1000:]), y[1000:])
    return Trained(watching, score, known(x, y, 1000, criterion))


class Memory:
    """What was lived through: states and where they led."""

    def __init__(self, states: Tensor, results: Tensor) -> None:
        self.states, self.results = states, results

    def sample(self, size: int, anywhere: bool) -> tuple[Tensor, Tensor]:
        rows = torch.randint(len(self.states) if anywhere else size, (size,))
        return self.states[rows], self.results[rows]


def replay(cured: bool, watch: Watch) -> Trained:
    """Rows of the memory are drawn below the size of a batch, not below the memory's."""
    state = torch.randn(1500, 5)
    push = state[:, :2] * torch.cos(state[:, 2:3]) + state[:, 3:5] * torch.sin(state[:, 2:3])
    memory = Memory(state[:1200], push[:1200])
    model = dense(5, 64, 64, 2)
    optimizer = torch.optim.Adam(model.parameters(), lr=4e-3)
    with watch(model, optimizer) as watching:
        for _update in range(800):
            before, after = memory.sample(48, anywhere=cured)
            descend(watching, optimizer, F.mse_loss(model(before), after), after)
    score = explained(model(state[1200:]), push[1200:])
    return Trained(watching, score, known(state, push, 1200, F.mse_loss))


class ActorCritic(nn.Module):
    """One body, a policy over turns and a value: [B, 6] -> [B, 4], [B, 1]"""

    def __init__(self) -> None:
        super().__init__()
        self.body = nn.Sequential(nn.Linear(6, 24), nn.Tanh())
        self.turns, self.value = nn.Linear(24, 4), nn.Linear(24, 1)

    def forward(self, x: Tensor) -> tuple[Tensor, Tensor]:
        h = self.body(x)
        return self.turns(h), self.value(h)


def critic_in_seconds(cured: bool, watch: Watch) -> Trained:
    """The critic's squared error of hundreds of seconds is added to the actor's cross-entropy."""
    x = torch.randn(1200, 6)
    turn = x[:, :4].argmax(1)
    seconds = 400 * torch.tanh(x[:, 4:5] + x[:, 5:]) + 60 * torch.randn(1200, 1)
    if cured:
        seconds = seconds / 400
    model = ActorCritic()
    optimizer = torch.optim.SGD(model.parameters(), lr=0.05, momentum=0.9)

    def both(output: tuple[Tensor, Tensor], target: tuple[Tensor, Tensor]) -> Tensor:
        actor = F.cross_entropy(output[0], target[0])
        return actor + 0.5 * F.mse_loss(output[1], target[1])

    with watch(model, optimizer) as watching:
        for chosen in batches(1000, 40, 25):
            target = (turn[chosen], seconds[chosen])
            optimizer.zero_grad()
            loss = both(model(x[chosen]), target)
            loss.backward()
            nn.utils.clip_grad_norm_(model.parameters(), 1.0)
            optimizer.step()
            watching.step(loss, target=target)
    with torch.no_grad():
        score = right(model(x[1000:])[0], turn[1000:])
    data = {
        "train": (x[:1000], (turn[:1000], seconds[:1000])),
        "valid": (x[1000:], (turn[1000:], seconds[1000:])),
        "loss_fn": both,
    }
    return Trained(watching, score, data)


PAIRS = [
    Pair(
        "shelves: the reward goes down",
        "shelves: the reward goes up",
        ("loss_sign",),
        shelves,
        0.0,
        0.75,
    ),
    Pair(
        "steering beyond what tanh can say",
        "steering within what tanh can say",
        ("target_out_of_range", "output_loss_mismatch", "targets_unscaled"),
        steering,
        0.75,
        0.9,
    ),
    Pair(
        "joints in millimetres",
        "joints in metres",
        ("inputs_unscaled", "saturated_units"),
        millimetres,
        0.75,
        0.9,
    ),
    Pair(
        "a memory that repeats its first rows",
        "a memory that is drawn from as a whole",
        ("same_batch_again", "overfitting"),
        replay,
        0.75,
        0.95,
    ),
    Pair(
        "a critic in seconds beside an actor",
        "a critic in shares beside an actor",
        ("loss_terms_unbalanced", "targets_unscaled"),
        critic_in_seconds,
        0.6,
        0.88,
    ),
]
