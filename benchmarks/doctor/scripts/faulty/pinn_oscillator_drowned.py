"""A physics-informed network: a damped oscillator, u'' + 2 d u' + w0^2 u = 0, by its equation."""
import os

import torch
import torch.nn as nn

torch.manual_seed(int(os.environ.get("SEED", 123)))
d, w0 = 1.0, 6.0


def exact(t):
    w = (w0**2 - d**2) ** 0.5
    phi = torch.atan(torch.tensor(-d / w))
    return torch.exp(-d * t) * torch.cos(phi + w * t) / torch.cos(phi)


class FCN(nn.Module):
    def __init__(self, n_hidden=32, n_layers=3):
        super().__init__()
        layers = [nn.Linear(1, n_hidden), nn.Tanh()]
        for _ in range(n_layers - 1):
            layers += [nn.Linear(n_hidden, n_hidden), nn.Tanh()]
        self.net = nn.Sequential(*layers, nn.Linear(n_hidden, 1))

    def forward(self, t):
        return self.net(t)


pinn = FCN()
t_boundary = torch.zeros(1, 1).requires_grad_(True)
t_physics = torch.linspace(0, 1, 30).view(-1, 1).requires_grad_(True)
t_test = torch.linspace(0, 1, 200).view(-1, 1)
optimiser = torch.optim.Adam(pinn.parameters(), lr=3e-3)
for i in range(2500):
    optimiser.zero_grad()
    lambda1, lambda2 = 1e-1, 10.0
    u = pinn(t_boundary)
    loss1 = (torch.squeeze(u) - 1) ** 2
    dudt = torch.autograd.grad(u, t_boundary, torch.ones_like(u), create_graph=True)[0]
    loss2 = torch.squeeze(dudt) ** 2
    u = pinn(t_physics)
    dudt = torch.autograd.grad(u, t_physics, torch.ones_like(u), create_graph=True)[0]
    d2udt2 = torch.autograd.grad(dudt, t_physics, torch.ones_like(dudt), create_graph=True)[0]
    loss3 = torch.mean((d2udt2 + 2 * d * dudt + w0**2 * u) ** 2)
    loss = loss1 + lambda1 * loss2 + lambda2 * loss3
    loss.backward()
    optimiser.step()
    if i % 500 == 499:
        with torch.no_grad():
            error = (pinn(t_test) - exact(t_test)).abs().max()
        print(f"{i + 1}: loss {loss.item():.2e}, largest error {error:.3f}")
