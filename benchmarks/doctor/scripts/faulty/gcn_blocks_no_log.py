"""Graph convolutions with a dense adjacency matrix: four groups, a few nodes labelled."""
import argparse

import numpy as np
import torch
import torch.nn as nn
import torch.nn.functional as F


def stochastic_block_graph(n, k, p_in, p_out, rng):
    labels = rng.integers(0, k, n)
    same = labels[:, None] == labels[None, :]
    upper = np.triu(rng.random((n, n)) < np.where(same, p_in, p_out), 1)
    features = rng.normal(0, 1, (n, 16))
    features[np.arange(n), labels] += 0.8
    return (upper | upper.T).astype(np.float32), features.astype(np.float32), labels


def normalize(adj):
    adj = adj + np.eye(len(adj), dtype=np.float32)
    d = adj.sum(1) ** -0.5
    return d[:, None] * adj * d[None, :]


class GraphConvolution(nn.Module):
    def __init__(self, n_in, n_out):
        super().__init__()
        self.weight = nn.Parameter(torch.empty(n_in, n_out))
        self.bias = nn.Parameter(torch.zeros(n_out))
        nn.init.xavier_uniform_(self.weight)

    def forward(self, x, adj):
        return adj @ (x @ self.weight) + self.bias


class GCN(nn.Module):
    def __init__(self, n_features, hidden, n_classes, dropout):
        super().__init__()
        self.gc1 = GraphConvolution(n_features, hidden)
        self.gc2 = GraphConvolution(hidden, n_classes)
        self.dropout = dropout

    def forward(self, x, adj):
        x = F.relu(self.gc1(x, adj))
        x = F.dropout(x, self.dropout, training=self.training)
        x = self.gc2(x, adj)
        return F.softmax(x, dim=1)


parser = argparse.ArgumentParser()
parser.add_argument("--epochs", type=int, default=120)
parser.add_argument("--hidden", type=int, default=16)
parser.add_argument("--lr", type=float, default=0.01)
parser.add_argument("--weight_decay", type=float, default=5e-4)
parser.add_argument("--dropout", type=float, default=0.5)
parser.add_argument("--seed", type=int, default=42)
args = parser.parse_args()
rng = np.random.default_rng(args.seed)
torch.manual_seed(args.seed)

adj, features, labels = stochastic_block_graph(400, 4, 0.06, 0.01, rng)
adj, features, labels = torch.tensor(normalize(adj)), torch.tensor(features), torch.tensor(labels)
order = torch.randperm(400)
idx_train, idx_val, idx_test = order[:80], order[80:180], order[180:]

model = GCN(features.shape[1], args.hidden, 4, args.dropout)
optimizer = torch.optim.Adam(model.parameters(), lr=args.lr, weight_decay=args.weight_decay)


def accuracy(output, target):
    return (output.argmax(1) == target).float().mean().item()


for epoch in range(args.epochs):
    model.train()
    optimizer.zero_grad()
    output = model(features, adj)
    loss_train = F.nll_loss(output[idx_train], labels[idx_train])
    loss_train.backward()
    optimizer.step()
    model.eval()
    output = model(features, adj)
    loss_val = F.nll_loss(output[idx_val], labels[idx_val])
    if epoch % 20 == 19:
        print(
            f"Epoch: {epoch + 1:04d} loss_train: {loss_train.item():.4f} "
            f"loss_val: {loss_val.item():.4f} "
            f"acc_val: {accuracy(output[idx_val], labels[idx_val]):.4f}"
        )
model.eval()
print(f"test accuracy {accuracy(model(features, adj)[idx_test], labels[idx_test]):.4f}")
