# 3 or 7?  Nothing but tensors.
import os

import torch
from sklearn.datasets import load_digits

torch.manual_seed(int(os.environ.get("SEED", 42)))

d = load_digits()
threes = torch.tensor(d.images[d.target == 3]) / 16
sevens = torch.tensor(d.images[d.target == 7]) / 16
print(threes.shape, sevens.shape)

train_x = torch.cat([threes[:140], sevens[:140]]).view(-1, 8 * 8)
train_y = torch.tensor([1] * 140 + [0] * 140).unsqueeze(1)
valid_x = torch.cat([threes[140:], sevens[140:]]).view(-1, 8 * 8)
valid_y = torch.tensor([1] * len(threes[140:]) + [0] * len(sevens[140:])).unsqueeze(1)


def init_params(size, std=0.1):
    return (torch.randn(size) * std).requires_grad_()


w1 = init_params((64, 30), 0.15)
b1 = torch.zeros(30).requires_grad_()
w2 = init_params((30, 1), 0.2)
b2 = torch.zeros(1).requires_grad_()
params = w1, b1, w2, b2


def simple_net(xb):
    res = xb @ w1 + b1
    res = res.max(torch.tensor(0.0))
    res = res @ w2 + b2
    return res


def mnist_loss(predictions, targets):
    predictions = predictions.sigmoid()
    return torch.where(targets == 1, 1 - predictions, predictions).mean()


def batch_accuracy(xb, yb):
    return ((xb.sigmoid() > 0.5) == yb).float().mean()


def train_epoch(lr):
    for ix in torch.randperm(len(train_x)).split(40):
        preds = simple_net(train_x[ix])
        loss = mnist_loss(preds, train_y[ix])
        loss.backward()
        for p in params:
            p.data -= p.grad * lr
            p.grad.zero_()


def validate_epoch():
    return round(batch_accuracy(simple_net(valid_x), valid_y).item(), 4)


for i in range(20):
    train_epoch(0.2)
    print(validate_epoch(), end=" ")
print()
print("valid accuracy:", validate_epoch())
