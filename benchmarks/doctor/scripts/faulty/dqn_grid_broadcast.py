import os
import random
from collections import deque, namedtuple

import torch
from torch import nn

seed = int(os.getenv("SEED", "3"))
random.seed(seed)
torch.manual_seed(seed)

Transition = namedtuple("Transition", "state action reward next_state done")
N = 4
GOAL = N * N - 1
GAMMA, BATCH, SYNC = 0.9, 64, 50


class ReplayBuffer:
    def __init__(self, capacity):
        self.memory = deque(maxlen=capacity)

    def push(self, *args):
        self.memory.append(Transition(*args))

    def sample(self, k):
        batch = Transition(*zip(*random.sample(self.memory, k)))
        return (
            torch.stack(batch.state),
            torch.tensor(batch.action),
            torch.tensor(batch.reward),
            torch.stack(batch.next_state),
            torch.tensor(batch.done, dtype=torch.float32),
        )

    def __len__(self):
        return len(self.memory)


def encode(cell):
    v = torch.zeros(2 * N)
    v[cell // N] = 1
    v[N + cell % N] = 1
    return v


def move(cell, action):
    r, c = divmod(cell, N)
    dr, dc = [(0, 1), (1, 0), (0, -1), (-1, 0)][action]
    nxt = min(max(r + dr, 0), N - 1) * N + min(max(c + dc, 0), N - 1)
    return nxt, (1.0 if nxt == GOAL else -0.02), nxt == GOAL


class QNet(nn.Module):
    def __init__(self):
        super().__init__()
        self.layers = nn.Sequential(nn.Linear(2 * N, 48), nn.ReLU(), nn.Linear(48, 4))

    def forward(self, s):
        return self.layers(s)


online, target = QNet(), QNet()
target.load_state_dict(online.state_dict())
target.requires_grad_(False)
optimizer = torch.optim.Adam(online.parameters(), lr=2e-3)
buffer = ReplayBuffer(2000)
huber = nn.SmoothL1Loss()

cell, steps_in_episode, episodes = random.randrange(GOAL), 0, 0
for t in range(1500):
    epsilon = max(0.1, 1 - t / 800)
    if random.random() < epsilon:
        action = random.randrange(4)
    else:
        with torch.no_grad():
            action = online(encode(cell)[None]).argmax(1).item()
    nxt, reward, done = move(cell, action)
    buffer.push(encode(cell), action, reward, encode(nxt), done)
    steps_in_episode += 1
    cell = nxt
    if done or steps_in_episode > 30:
        cell, steps_in_episode, episodes = random.randrange(GOAL), 0, episodes + 1

    if len(buffer) >= 200:
        s, a, r, s2, d = buffer.sample(BATCH)
        q = online(s).gather(1, a[:, None])
        with torch.no_grad():
            q_next = target(s2).max(1).values
            y = r + GAMMA * (1 - d) * q_next
        loss = huber(q, y)
        optimizer.zero_grad()
        loss.backward()
        nn.utils.clip_grad_value_(online.parameters(), 1.0)
        optimizer.step()
        if t % SYNC == 0:
            target.load_state_dict(online.state_dict())
        if t % 250 == 0:
            print("t", t, "episodes", episodes, "loss", round(loss.item(), 5))

solved = 0
for start in range(GOAL):
    cell = start
    for _ in range(2 * N):
        with torch.no_grad():
            cell, _, done = move(cell, online(encode(cell)[None]).argmax(1).item())
        if done:
            break
    shortest = (N - 1 - start // N) + (N - 1 - start % N)
    solved += done
print("solved from %d of %d cells" % (solved, GOAL))
print("success rate:", solved / GOAL)
