"""Players of small games: values of moves, policies, and moves copied from an expert."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import nn
from torch.distributions import Categorical

from benchmarks.doctor.cases.field.trained import Trained, batches, descend
from benchmarks.doctor.cases.field_faults.pair import Pair, Watch, known, right
from benchmarks.doctor.networks import dense


def values_of_all_moves(cured: bool, watch: Watch) -> Trained:
    """Q-learning of one step. `q[:, move]` has a column for each row of the batch."""
    taste = torch.randn(5, 4) / 2
    state = torch.randn(1500, 5)
    move = torch.randint(0, 4, (1500,))
    reward = (state @ taste).gather(1, move[:, None])[:, 0] + 0.1 * torch.randn(1500)
    q = dense(5, 48, 4)
    optimizer = torch.optim.Adam(q.parameters(), lr=5e-3)
    with watch(q, optimizer) as watching:
        for chosen in batches(1200, 32, 12):
            values = q(state[chosen])
            if cured:
                value = values[torch.arange(len(chosen)), move[chosen]]
            else:
                value = values[:, move[chosen]]
            loss = ((value - reward[chosen]) ** 2).mean()
            descend(watching, optimizer, loss, reward[chosen])
    with torch.no_grad():
        score = right(q(state[1200:]), (state[1200:] @ taste).argmax(1))
    return Trained(watching, score)


def two_optimizers_one_network(cured: bool, watch: Watch) -> Trained:
    """Actor and critic; the line of the second optimizer was copied, its network's name too."""
    taste = torch.randn(4, 5)
    actor, critic = dense(4, 32, 5, activation=nn.Tanh), dense(4, 32, 1, activation=nn.Tanh)
    critic_optimizer = torch.optim.Adam(critic.parameters(), lr=1e-2)
    moved = actor if cured else critic
    actor_optimizer = torch.optim.Adam(moved.parameters(), lr=1e-2)
    networks = {"actor": (actor, actor_optimizer), "critic": (critic, critic_optimizer)}
    with watch(networks) as watching:
        for _ in range(400):
            state = torch.randn(48, 4)
            policy = Categorical(logits=actor(state))
            move = policy.sample()
            reward = (state @ taste).gather(1, move[:, None])[:, 0]
            advantage = reward - critic(state)[:, 0]
            critic_loss = advantage.square().mean()
            actor_loss = -(policy.log_prob(move) * advantage.detach()).mean()
            critic_optimizer.zero_grad()
            actor_optimizer.zero_grad()
            (critic_loss + actor_loss).backward()
            critic_optimizer.step()
            actor_optimizer.step()
            watching.step(
                actor_loss + critic_loss,
                parts={"actor": actor_loss, "critic": critic_loss},
                score=reward.mean(),
            )
    state = torch.randn(1000, 4)
    with torch.no_grad():
        score = right(actor(state), (state @ taste).argmax(1))
    return Trained(watching, score)


def ever_curious(cured: bool, watch: Watch) -> Trained:
    """A bonus for a policy's entropy: 0.01 of it, or 10 of it."""
    model = dense(4, 32, 5, activation=nn.Tanh)
    taste = torch.randn(4, 5)
    optimizer = torch.optim.Adam(model.parameters(), lr=1e-2)
    curious = 0.01 if cured else 10.0
    with watch(model, optimizer) as watching:
        for _ in range(400):
            state = torch.randn(48, 4)
            policy = Categorical(logits=model(state))
            move = policy.sample()
            reward = (state @ taste).gather(1, move[:, None])[:, 0]
            gain = -(policy.log_prob(move) * reward).mean()
            bonus = -curious * policy.entropy().mean()
            loss = gain + bonus
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
            watching.step(loss, parts={"reward": gain, "entropy": bonus}, score=reward.mean())
    state = torch.randn(1000, 4)
    worth = state @ taste
    with torch.no_grad():
        earned = (worth * model(state).softmax(1)).sum(1).mean()
    return Trained(watching, float(earned / worth.max(1).values.mean()))


def worst_of_moves(cured: bool, watch: Watch) -> Trained:
    """A steering network goes along the gradient of a critic: up, or down."""
    actor = dense(3, 24, 1, activation=nn.Tanh, end=nn.Tanh())
    critic = dense(4, 48, 1, activation=nn.SiLU)
    steers = torch.optim.Adam(actor.parameters(), lr=2e-3)
    judges = torch.optim.Adam(critic.parameters(), lr=5e-3)
    with watch({"actor": (actor, steers), "critic": (critic, judges)}) as watching:
        for _ in range(600):
            state = torch.randn(64, 3)
            tried = (actor(state).detach() + 0.5 * torch.randn(64, 1)).clamp(-1, 1)
            best = torch.tanh(state[:, :1] - state[:, 1:2]) * 0.8
            reward = -((tried - best) ** 2)
            critic_loss = F.mse_loss(critic(torch.cat([state, tried], 1)), reward)
            judges.zero_grad()
            critic_loss.backward()
            judges.step()
            value = critic(torch.cat([state, actor(state)], 1)).mean()
            actor_loss = -value if cured else value
            steers.zero_grad()
            actor_loss.backward()
            steers.step()
            watching.step(
                actor_loss + critic_loss.detach(),
                parts={"actor": actor_loss, "critic": critic_loss},
                score=reward.mean(),
            )
    state = torch.randn(1000, 3)
    best = torch.tanh(state[:, :1] - state[:, 1:2]) * 0.8
    with torch.no_grad():
        error = (actor(state) - best).square().mean()
    return Trained(watching, max(float(1 - error / best.square().mean()), -1.0))


def degrees(cured: bool, watch: Watch) -> Trained:
    """An expert's moves on a boat, copied from headings of 0 to 360 and a network of tanh."""
    heading = 360 * torch.rand(1200, 2)
    turn = torch.deg2rad(heading[:, 0] - heading[:, 1]).sin()
    y = (turn > -0.4).long() + (turn > 0.4)
    x = heading
    if cured:
        x = torch.cat([torch.deg2rad(heading).sin(), torch.deg2rad(heading).cos()], 1)
    model = dense(x.shape[1], 48, 48, 3, activation=nn.Tanh)
    optimizer = torch.optim.Adam(model.parameters(), lr=5e-3)
    with watch(model, optimizer) as watching:
        for chosen in batches(900, 30, 15):
            descend(watching, optimizer, F.cross_entropy(model(x[chosen]), y[chosen]), y[chosen])
    with torch.no_grad():
        score = right(model(x[900:]), y[900:])
    return Trained(watching, score, known(x, y, 900, F.cross_entropy))


PAIRS = [
    Pair(
        "the values of all rows' moves",
        "the value of each row's move",
        ("target_shape_mismatch", "samples_mixed"),
        values_of_all_moves,
        0.7,
        0.85,
    ),
    Pair(
        "two optimizers for the critic and none for the actor",
        "an optimizer for the critic and one for the actor",
        ("parameters_not_updated",),
        two_optimizers_one_network,
        0.5,
        0.8,
    ),
    Pair(
        "a player who is ever curious",
        "a player who is a little curious",
        ("loss_terms_unbalanced", "loss_scale"),
        ever_curious,
        0.5,
        0.85,
    ),
    Pair(
        "a steering that follows its critic down",
        "a steering that follows its critic up",
        ("loss_sign",),
        worst_of_moves,
        0.0,
        0.8,
    ),
    Pair(
        "headings in degrees before tanh",
        "headings by sine and cosine before tanh",
        ("inputs_unscaled", "saturated_units"),
        degrees,
        0.75,
        0.85,
    ),
]
