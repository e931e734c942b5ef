# Softmax regression and its loss written out, in the notation of the lecture.
import argparse
import torch
from sklearn.datasets import load_digits

pa = argparse.ArgumentParser()
pa.add_argument("--seed", type=int, default=0)
torch.manual_seed(pa.parse_args().seed)

data = load_digits()
images = torch.tensor(data.data).float() / 16
onehot = torch.eye(10)[torch.tensor(data.target)]
order = torch.randperm(len(images))
images, onehot = images[order], onehot[order]

class SoftmaxNet(torch.nn.Module):
    def __init__(self, D, H, C):
        super().__init__()
        self.W1 = torch.nn.Parameter(torch.randn(D, H) * (2 / D) ** 0.5)
        self.b1 = torch.nn.Parameter(torch.zeros(H))
        self.W2 = torch.nn.Parameter(torch.randn(H, C) * (1 / H) ** 0.5)
        self.b2 = torch.nn.Parameter(torch.zeros(C))

    def forward(self, X):
        h = torch.clamp(X @ self.W1 + self.b1, min=0)
        scores = h @ self.W2 + self.b2
        e = torch.exp(scores)
        return e / e.sum(dim=1, keepdim=True)

def cross_entropy(p, t):
    return -(t * torch.log(p + 1e-9)).sum(dim=1).mean()

net = SoftmaxNet(64, 40, 10)
optimizer = torch.optim.Adagrad(net.parameters(), lr=0.05)
for epoch in range(15):
    for k in range(0, 1440, 60):
        rows = slice(k, k + 60)
        if k == 0:
            order = torch.randperm(1440)
            images[:1440], onehot[:1440] = images[:1440][order], onehot[:1440][order]
        L = cross_entropy(net(images[rows]), onehot[rows])
        optimizer.zero_grad()
        L.backward()
        optimizer.step()
    print("epoch", epoch, "L =", round(L.item(), 4))
hits = net(images[1440:]).argmax(1) == onehot[1440:].argmax(1)
print("test accuracy =", round(hits.float().mean().item(), 4))
