"""Q-learning with a replay memory and a target network: walk to the right end of a corridor."""
import argparse
import copy
import random
from collections import deque

import torch
import torch.nn.functional as F
from torch import nn

LENGTH, LIMIT, GAMMA = 8, 40, 0.95


class Corridor:
    """Going left is easy; a step to the right slips back now and then."""

    def reset(self):
        self.place, self.time = random.randrange(LENGTH - 1), 0
        return self.place

    def step(self, action):
        self.time += 1
        move = 1 if action == 1 and random.random() < 0.85 else -1
        self.place = min(max(self.place + move, 0), LENGTH - 1)
        won = self.place == LENGTH - 1
        return self.place, (1.0 if won else -0.02), won or self.time >= LIMIT, won


def encode(places):
    return F.one_hot(torch.as_tensor(places), LENGTH).float()


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--seed", type=int, default=0)
    seed = parser.parse_args().seed
    random.seed(seed)
    torch.manual_seed(seed)
    env, memory = Corridor(), deque(maxlen=2000)
    online = nn.Sequential(nn.Linear(LENGTH, 32), nn.ReLU(), nn.Linear(32, 2))
    target = copy.deepcopy(online)
    optimizer = torch.optim.Adam(online.parameters(), lr=2e-3)
    returns, place = [], env.reset()
    total = 0.0
    for step in range(1500):
        explore = max(0.1, 1 - step / 800)
        if random.random() < explore:
            action = random.randrange(2)
        else:
            with torch.no_grad():
                action = int(online(encode([place])).argmax())
        following, reward, done, won = env.step(action)
        memory.append((place, action, reward, following, won))
        total += reward
        place = following
        if done:
            returns.append(total)
            place, total = env.reset(), 0.0
        if len(memory) < 64:
            continue
        places, actions, rewards, nexts, wins = zip(*random.sample(memory, 32))
        with torch.no_grad():
            ahead = target(encode(nexts)).max(1).values
            goal = torch.tensor(rewards) + GAMMA * ahead * (1 - torch.tensor(wins).float())
        q = online(encode(places)).gather(1, torch.tensor(actions)[:, None]).squeeze(1)
        loss = F.smooth_l1_loss(q, goal)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        if step % 50 == 0:
            target.load_state_dict(online.state_dict())
    print(f"mean return of the last episodes: {sum(returns[-20:]) / 20:.3f}")


main()
