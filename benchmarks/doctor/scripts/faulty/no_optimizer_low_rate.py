import os
import torch
from torch import nn
from sklearn.datasets import make_friedman1

seed = int(os.environ.get('SEED', 0))
torch.manual_seed(seed)

X, y = make_friedman1(n_samples=1500, noise=1.0, random_state=seed)
X = torch.from_numpy(X).float()
y = torch.from_numpy(y).float().unsqueeze(1)
X = (X - X.mean(0)) / X.std(0)
y = (y - y.mean()) / y.std()
Xtr, ytr, Xva, yva = X[:1200], y[:1200], X[1200:], y[1200:]

net = nn.Sequential(nn.Linear(10, 32), nn.Tanh(), nn.Linear(32, 1))
lr = 5e-5

def r2(pred, true):
    return 1 - ((pred - true) ** 2).mean() / true.var()

for epoch in range(1, 41):
    for rows in torch.randperm(len(Xtr)).chunk(24):
        loss = nn.functional.mse_loss(net(Xtr[rows]), ytr[rows])
        loss.backward()
        for p in net.parameters():
            p.data -= lr * p.grad
            p.grad.zero_()
    if epoch % 5 == 0:
        with torch.no_grad():
            print(f'{epoch:3}: mse {loss:.4f}  R2 {r2(net(Xva), yva):.3f}')

with torch.no_grad():
    print('R2', float(r2(net(Xva), yva)))
