"""Agents in small worlds: advantages over a horizon, continuous actions, elites, arms."""

from __future__ import annotations

import copy
from collections import deque

import torch
import torch.nn.functional as F
from torch import Tensor, nn

import sevensteps as ss
from benchmarks.doctor.cases.field.trained import Trained, healthy


class Corridors:
    """Many walkers on a line of nine places; at the right end is 1, each step costs a bit."""

    def __init__(self, count: int):
        self.count, self.place = count, torch.randint(0, 8, (count,))

    def see(self) -> Tensor:
        return F.one_hot(self.place, 9).float()

    def act(self, right: Tensor) -> tuple[Tensor, Tensor]:
        self.place = (self.place + 2 * right - 1).clamp(0, 8)
        done = self.place == 8
        reward = done.float() - 0.05
        self.place = torch.where(done, torch.randint(0, 8, (self.count,)), self.place)
        return reward, done


def advantages_over_a_horizon() -> Trained:
    """A2C with generalised advantages, a policy and a value head, entropy, clipping."""
    env, gamma, lam = Corridors(16), 0.95, 0.9
    body = nn.Sequential(nn.Linear(9, 32), nn.Tanh())
    pi, v = nn.Linear(32, 2), nn.Linear(32, 1)
    net = nn.ModuleList([body, pi, v])
    opt = torch.optim.RMSprop(net.parameters(), lr=3e-3, alpha=0.99, eps=1e-5)
    with ss.watch(net, opt) as watch:
        for _ in range(80):
            logps, values, rewards, dones, entropies = [], [], [], [], []
            for _ in range(8):
                h = body(env.see())
                dist = torch.distributions.Categorical(logits=pi(h))
                a = dist.sample()
                r, d = env.act(a)
                logps.append(dist.log_prob(a))
                values.append(v(h).squeeze(-1))
                rewards.append(r)
                dones.append(d.float())
                entropies.append(dist.entropy())
            with torch.no_grad():
                after = v(body(env.see())).squeeze(-1)
                adv, gae = [], torch.zeros(16)
                for t in reversed(range(8)):
                    nxt = after if t == 7 else values[t + 1]
                    delta = rewards[t] + gamma * nxt * (1 - dones[t]) - values[t]
                    gae = delta + gamma * lam * (1 - dones[t]) * gae
                    adv.insert(0, gae)
                adv = torch.stack(adv)
                returns = adv + torch.stack(values)
            policy_loss = -(torch.stack(logps) * adv).mean()
            value_loss = F.mse_loss(torch.stack(values), returns)
            loss = policy_loss + 0.5 * value_loss - 0.01 * torch.stack(entropies).mean()
            opt.zero_grad()
            loss.backward()
            nn.utils.clip_grad_norm_(net.parameters(), 0.5)
            opt.step()
            watch.step(loss, score=float(torch.stack(rewards).mean()))
    with torch.no_grad():
        right = pi(body(torch.eye(9)[:8])).softmax(1)[:, 1]
    return Trained(watch, float(right.mean()))


def continuous_actions() -> Trained:
    """DDPG: an actor that climbs its critic, slow copies of both, a memory of what was done."""
    target_of = torch.randn(3)

    def outcome(state: Tensor, action: Tensor) -> Tensor:
        return -((action[:, 0] - torch.tanh(state @ target_of)) ** 2)

    actor = nn.Sequential(nn.Linear(3, 32), nn.ReLU(), nn.Linear(32, 1), nn.Tanh())
    critic = nn.Sequential(nn.Linear(4, 48), nn.ReLU(), nn.Linear(48, 1))
    slow = copy.deepcopy(critic)
    opt_a = torch.optim.Adam(actor.parameters(), 2e-3)
    opt_c = torch.optim.Adam(critic.parameters(), 5e-3)
    memory: deque[tuple[Tensor, Tensor, Tensor]] = deque(maxlen=60)
    with ss.watch({"critic": (critic, opt_c), "actor": (actor, opt_a)}) as watch:
        for _ in range(300):
            with torch.no_grad():
                s = torch.randn(24, 3)
                a = (actor(s) + 0.4 * torch.randn(24, 1)).clamp(-1, 1)
                memory.append((s, a, outcome(s, a)))
            s, a, r = memory[int(torch.randint(len(memory), ()))]
            with torch.no_grad():
                y = r[:, None] + 0.0 * slow(torch.cat([s, actor(s)], 1))
            q_loss = F.smooth_l1_loss(critic(torch.cat([s, a], 1)), y)
            opt_c.zero_grad()
            q_loss.backward()
            opt_c.step()
            pi_loss = -critic(torch.cat([s, actor(s)], 1)).mean()
            opt_a.zero_grad()
            pi_loss.backward()
            opt_a.step()
            with torch.no_grad():
                for p, q in zip(slow.parameters(), critic.parameters(), strict=True):
                    p.lerp_(q, 0.05)
            parts = {"critic": q_loss, "actor": pi_loss}
            watch.step(q_loss + pi_loss, parts=parts, score=float(r.mean()))
    s = torch.randn(500, 3)
    with torch.no_grad():
        return Trained(watch, float(1 + outcome(s, actor(s)).mean()))


def elites() -> Trained:
    """The cross-entropy method: the best quarter of the walks is imitated."""
    policy = nn.Sequential(nn.Linear(9, 24), nn.ReLU(), nn.Linear(24, 2))
    optimizer = torch.optim.Adam(policy.parameters(), 1e-2)
    criterion = nn.CrossEntropyLoss()
    with ss.watch(policy, optimizer) as watch:
        for _ in range(60):
            env = Corridors(48)
            env.place = torch.full((48,), 5)
            sights, acts, still, total = [], [], [], torch.zeros(48)
            over = torch.zeros(48, dtype=torch.bool)
            for _ in range(16):
                x = env.see()
                with torch.no_grad():
                    a = torch.multinomial(policy(x).softmax(1), 1)[:, 0]
                r, d = env.act(a)
                total = total + torch.where(over, 0.0, r)
                still.append(~over)
                over = over | d
                sights.append(x)
                acts.append(a)
            best = total >= total.quantile(0.75)
            used = torch.stack(still) & best
            x, a = torch.stack(sights)[used], torch.stack(acts)[used]
            for _ in range(3):
                optimizer.zero_grad()
                loss = criterion(policy(x), a)
                loss.backward()
                optimizer.step()
                watch.step(loss, target=a, score=float(total.mean()))
    with torch.no_grad():
        return Trained(watch, float(policy(torch.eye(9)[5:8]).softmax(1)[:, 1].mean()))


def arms_with_a_context() -> Trained:
    """A bandit: rewards are predicted for what was tried, a tenth of the tries is at random."""
    worth = torch.randn(5, 4)
    net = nn.Sequential(nn.Linear(5, 48), nn.SiLU(), nn.Linear(48, 4))
    sgd = torch.optim.SGD(net.parameters(), lr=0.05, momentum=0.9)
    seen: list[tuple[Tensor, Tensor, Tensor]] = []
    with ss.watch(net, sgd) as watch:
        for step in range(250):
            x = torch.randn(16, 5)
            with torch.no_grad():
                arm = net(x).argmax(1)
            explore = torch.rand(16) < max(0.1, 1 - step / 100)
            arm = torch.where(explore, torch.randint(4, (16,)), arm)
            reward = torch.tanh(x @ worth).gather(1, arm[:, None])[:, 0] + 0.1 * torch.randn(16)
            seen.append((x, arm, reward))
            picks = torch.randint(len(seen), (3,)).tolist()
            xb, ab, rb = (torch.cat(parts) for parts in zip(*(seen[i] for i in picks), strict=True))
            value = net(xb).gather(1, ab[:, None]).squeeze(1)
            loss = F.mse_loss(value, rb)
            sgd.zero_grad()
            loss.backward()
            sgd.step()
            watch.step(loss, target=rb)
    x = torch.randn(600, 5)
    with torch.no_grad():
        right = net(x).argmax(1) == (x @ worth).argmax(1)
    return Trained(watch, float(right.double().mean()))


CASES = [
    healthy("advantages over a horizon", advantages_over_a_horizon),
    healthy("an actor that climbs its critic", continuous_actions),
    healthy("the best walks imitated", elites),
    healthy("arms with a context", arms_with_a_context),
]
