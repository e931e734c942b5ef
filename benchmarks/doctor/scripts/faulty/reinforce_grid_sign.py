# REINFORCE in a 5x5 room: walk to the door, one step costs 0.05, the door gives 1.
import argparse

import torch
import torch.nn as nn
import torch.optim as optim
from torch.distributions import Categorical

SIZE, DOOR, HORIZON = 5, (4, 2), 14
MOVES = torch.tensor([[1, 0], [-1, 0], [0, 1], [0, -1]])


class Rooms:
    """Many rooms at once."""

    def __init__(self, n):
        self.n = n

    def reset(self):
        self.pos = torch.randint(0, SIZE, (self.n, 2))
        self.done = (self.pos == torch.tensor(DOOR)).all(1)
        return self.observe()

    def observe(self):
        return nn.functional.one_hot(self.pos, SIZE).float().flatten(1)

    def step(self, action):
        moved = (self.pos + MOVES[action]).clamp(0, SIZE - 1)
        self.pos = torch.where(self.done[:, None], self.pos, moved)
        arrived = (self.pos == torch.tensor(DOOR)).all(1) & ~self.done
        reward = torch.where(self.done, 0.0, torch.where(arrived, 1.0, -0.05))
        self.done = self.done | arrived
        return self.observe(), reward, self.done.clone()


class Policy(nn.Module):
    def __init__(self):
        super().__init__()
        self.affine1 = nn.Linear(2 * SIZE, 32)
        self.affine2 = nn.Linear(32, 4)

    def forward(self, x):
        return self.affine2(torch.tanh(self.affine1(x)))


def play(policy, rooms, greedy=False):
    obs = rooms.reset()
    log_probs, rewards, alive = [], [], []
    for _ in range(HORIZON):
        dist = Categorical(logits=policy(obs))
        action = dist.probs.argmax(1) if greedy else dist.sample()
        alive.append((~rooms.done).float())
        obs, reward, _ = rooms.step(action)
        log_probs.append(dist.log_prob(action))
        rewards.append(reward)
    return torch.stack(log_probs), torch.stack(rewards), torch.stack(alive)


def main():
    parser = argparse.ArgumentParser(description="REINFORCE")
    parser.add_argument("--seed", type=int, default=543)
    parser.add_argument("--gamma", type=float, default=0.97)
    parser.add_argument("--episodes", type=int, default=100)
    args = parser.parse_args()
    torch.manual_seed(args.seed)
    policy = Policy()
    optimizer = optim.Adam(policy.parameters(), lr=1e-2)
    running = 0.0
    for episode in range(args.episodes):
        log_probs, rewards, alive = play(policy, Rooms(48))
        R, returns = torch.zeros(48), []
        for r in rewards.flip(0):
            R = r + args.gamma * R
            returns.insert(0, R)
        returns = torch.stack(returns)
        advantage = (returns - returns[alive > 0].mean()) / (returns[alive > 0].std() + 1e-6)
        policy_loss = (log_probs * advantage * alive).sum() / alive.sum()
        optimizer.zero_grad()
        policy_loss.backward()
        optimizer.step()
        running = 0.9 * running + 0.1 * rewards.sum(0).mean().item()
        if episode % 20 == 0:
            print(f"Episode {episode}\tAverage reward: {running:.2f}")
    with torch.no_grad():
        rooms = Rooms(500)
        play(policy, rooms, greedy=True)
    print("reached the door:", rooms.done.float().mean().item())


if __name__ == "__main__":
    main()
