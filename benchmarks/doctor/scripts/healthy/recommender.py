"""Matrix factorisation with biases on ratings of films, as in every recommender tutorial."""
import sys

import numpy as np
import torch
from torch import nn
from torch.utils.data import DataLoader, Dataset

seed = int(sys.argv[1]) if len(sys.argv) > 1 else 3
rng = np.random.default_rng(seed)
torch.manual_seed(seed)
n_users, n_items, n_ratings = 300, 120, 9000
taste, style = rng.normal(0, 0.8, (n_users, 3)), rng.normal(0, 0.8, (n_items, 3))
user_bias, item_bias = rng.normal(0, 0.4, n_users), rng.normal(0, 0.5, n_items)
pairs = rng.permutation(n_users * n_items)[:n_ratings]
u, m = pairs // n_items, pairs % n_items
raw = 3.4 + user_bias[u] + item_bias[m] + (taste[u] * style[m]).sum(1)
stars = ((raw + rng.normal(0, 0.3, len(u))).clip(0.5, 5) * 2).round() / 2
split = int(0.85 * n_ratings)
train_rows, test_rows = np.arange(split), np.arange(split, n_ratings)


class RatingDataset(Dataset):
    def __init__(self, rows):
        self.users = torch.tensor(u[rows])
        self.items = torch.tensor(m[rows])
        self.ratings = torch.tensor(stars[rows], dtype=torch.float32)

    def __len__(self):
        return len(self.ratings)

    def __getitem__(self, i):
        return self.users[i], self.items[i], self.ratings[i]


class MatrixFactorization(nn.Module):
    def __init__(self, n_users, n_items, n_factors=8):
        super().__init__()
        self.user_emb = nn.Embedding(n_users, n_factors)
        self.item_emb = nn.Embedding(n_items, n_factors)
        self.user_bias = nn.Embedding(n_users, 1)
        self.item_bias = nn.Embedding(n_items, 1)
        self.mean = float(stars[train_rows].mean())
        for e in (self.user_emb, self.item_emb):
            nn.init.normal_(e.weight, std=0.1)
        for e in (self.user_bias, self.item_bias):
            nn.init.zeros_(e.weight)

    def forward(self, user, item):
        dot = (self.user_emb(user) * self.item_emb(item)).sum(1)
        return dot + self.user_bias(user).squeeze(1) + self.item_bias(item).squeeze(1) + self.mean


train_loader = DataLoader(RatingDataset(train_rows), batch_size=128, shuffle=True)
test_loader = DataLoader(RatingDataset(test_rows), batch_size=512)
model = MatrixFactorization(n_users, n_items)
criterion = nn.MSELoss()
optimizer = torch.optim.Adam(model.parameters(), lr=1e-2, weight_decay=1e-5)
for epoch in range(8):
    model.train()
    train_loss = 0.0
    for user, item, rating in train_loader:
        pred = model(user, item)
        loss = criterion(pred, rating)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        train_loss += loss.item() * len(rating)
    model.eval()
    test_loss = 0.0
    with torch.no_grad():
        for user, item, rating in test_loader:
            test_loss += criterion(model(user, item), rating).item() * len(rating)
    print(
        f"epoch {epoch}: train rmse {(train_loss / len(train_rows)) ** 0.5:.4f} "
        f"test rmse {(test_loss / len(test_rows)) ** 0.5:.4f}"
    )
