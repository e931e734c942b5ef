"""Layers that learn by themselves: each has its own loss and optimizer, nothing goes back between
them. The label is written into the picture; goodness is the mean of the squared activities."""
import os

import torch
from sklearn.datasets import load_digits
from torch import nn
from torch.optim import Adam

seed = int(os.environ.get("SEED", 1))
torch.manual_seed(seed)


def overlay_y_on_x(x, y):
    return torch.cat([x, 2 * nn.functional.one_hot(y, 10).float()], 1)


class Layer(nn.Linear):
    def __init__(self, in_features, out_features):
        super().__init__(in_features, out_features)
        self.relu = nn.ReLU()
        self.opt = Adam(self.parameters(), lr=0.01)
        self.threshold = 2.0

    def forward(self, x):
        x_direction = x / (x.norm(2, 1, keepdim=True) + 1e-4)
        return self.relu(x_direction @ self.weight.T * 6 + self.bias)

    def train_step(self, x_pos, x_neg):
        g_pos = self.forward(x_pos).pow(2).mean(1)
        g_neg = self.forward(x_neg).pow(2).mean(1)
        # positive data above the threshold, negative data below it
        loss = nn.functional.softplus(
            torch.cat([g_pos - self.threshold, -g_neg + self.threshold])).mean()
        self.opt.zero_grad()
        loss.backward()
        self.opt.step()
        return loss.item(), self.forward(x_pos).detach(), self.forward(x_neg).detach()


class Net:
    def __init__(self, dims):
        self.layers = [Layer(a, b) for a, b in zip(dims[:-1], dims[1:])]

    @torch.no_grad()
    def predict(self, x):
        goodness = []
        for label in range(10):
            h = overlay_y_on_x(x, torch.full((len(x),), label))
            total = 0
            for layer in self.layers:
                h = layer(h)
                total = total + h.pow(2).mean(1)
            goodness.append(total)
        return torch.stack(goodness, 1).argmax(1)

    def train_step(self, x_pos, x_neg):
        losses = []
        for layer in self.layers:
            loss, x_pos, x_neg = layer.train_step(x_pos, x_neg)
            losses.append(loss)
        return losses


bunch = load_digits()
order = torch.randperm(1797)
x = torch.tensor(bunch.data).float()[order] / 16
y = torch.tensor(bunch.target)[order]
x, y, x_te, y_te = x[:1400], y[:1400], x[1400:], y[1400:]

net = Net([74, 100, 100])
for epoch in range(25):
    for rows in torch.randperm(len(x)).split(100):
        wrong = (y[rows] + torch.randint(1, 10, (len(rows),))) % 10
        losses = net.train_step(overlay_y_on_x(x[rows], y[rows]), overlay_y_on_x(x[rows], wrong))
    if epoch % 5 == 4:
        print("epoch", epoch + 1, "losses", [round(v, 3) for v in losses])

print("test accuracy:", net.predict(x_te).eq(y_te).float().mean().item())
