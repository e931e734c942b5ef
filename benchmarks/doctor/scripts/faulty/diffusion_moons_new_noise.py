# A denoising diffusion model of two half moons, in one page.
import math
import sys

import numpy as np
import torch
import torch.nn as nn
import torch.nn.functional as F
from sklearn.datasets import make_moons

SEED = int(sys.argv[1]) if len(sys.argv) > 1 else 0
torch.manual_seed(SEED)
np.random.seed(SEED)

T = 50
betas = torch.linspace(1e-4, 0.2, T)
alphas = 1.0 - betas
alphas_bar = torch.cumprod(alphas, 0)


def time_embedding(t, dim=32):
    half = dim // 2
    freqs = torch.exp(-math.log(1000) * torch.arange(half) / half)
    angles = t[:, None].float() * freqs[None]
    return torch.cat([angles.sin(), angles.cos()], dim=-1)


class Denoiser(nn.Module):
    def __init__(self, hidden=96):
        super().__init__()
        self.time_mlp = nn.Sequential(nn.Linear(32, hidden), nn.SiLU())
        self.inp = nn.Linear(2, hidden)
        self.mid = nn.Sequential(
            nn.SiLU(), nn.Linear(hidden, hidden), nn.SiLU(), nn.Linear(hidden, hidden)
        )
        self.out = nn.Sequential(nn.SiLU(), nn.Linear(hidden, 2))

    def forward(self, x, t):
        h = self.inp(x) + self.time_mlp(time_embedding(t))
        return self.out(h + self.mid(h))


def q_sample(x0, t, noise):
    ab = alphas_bar[t][:, None]
    return ab.sqrt() * x0 + (1 - ab).sqrt() * noise


@torch.no_grad()
def sample(model, n):
    x = torch.randn(n, 2)
    for i in reversed(range(T)):
        t = torch.full((n,), i, dtype=torch.long)
        eps = model(x, t)
        mean = (x - betas[i] / (1 - alphas_bar[i]).sqrt() * eps) / alphas[i].sqrt()
        x = mean + (betas[i].sqrt() * torch.randn_like(x) if i > 0 else 0)
    return x


points, _ = make_moons(2000, noise=0.05, random_state=SEED)
data = torch.tensor(points, dtype=torch.float32)
data = (data - data.mean(0)) / data.std(0)

model = Denoiser()
optimizer = torch.optim.AdamW(model.parameters(), lr=2e-3)
for step in range(600):
    x0 = data[torch.randint(0, len(data), (128,))]
    t = torch.randint(0, T, (len(x0),))
    noise = torch.randn_like(x0)
    predicted = model(q_sample(x0, t, noise), t)
    loss = F.mse_loss(predicted, torch.randn_like(x0))
    optimizer.zero_grad()
    loss.backward()
    optimizer.step()
    if step % 100 == 99:
        print(f"step {step + 1} loss {loss.item():.4f}")

drawn = sample(model, 500)
nearest = torch.cdist(drawn, data).min(1).values.mean()
print(f"mean distance to the data {nearest:.3f}")
