"""Put the shuffled sentences of a story back into their order.

A GRU reads each sentence, attention lets the sentences of a story look at one
another, and a score says how late each one comes (ListMLE loss).
"""

import argparse
import random

import torch
from torch import nn
from torch.utils.data import DataLoader, Dataset

VOCAB, SENTENCES, WORDS = 60, 6, 5


class Stories(Dataset):
    def __init__(self, size, seed):
        rng = random.Random(seed)
        self.items = []
        for _ in range(size):
            topic = rng.randrange(20)
            story = [
                [topic + 6 * place + rng.randrange(10) for _ in range(WORDS)]
                for place in range(SENTENCES)
            ]
            order = list(range(SENTENCES))
            rng.shuffle(order)
            shuffled = torch.tensor(story)[order]
            position = torch.tensor(order).argsort()
            self.items.append((shuffled, position))

    def __len__(self):
        return len(self.items)

    def __getitem__(self, index):
        return self.items[index]


class Orderer(nn.Module):
    def __init__(self, dim=24):
        super().__init__()
        self.embed = nn.Embedding(VOCAB, dim)
        self.reader = nn.GRU(dim, dim, batch_first=True)
        self.attention = nn.MultiheadAttention(dim, 2, batch_first=True)
        self.norm = nn.LayerNorm(dim)
        self.head = nn.Linear(dim, 1)

    def forward(self, stories):
        b, s, w = stories.shape
        _, last = self.reader(self.embed(stories.reshape(b * s, w)))
        sentences = last[-1].view(b, s, -1)
        seen, _ = self.attention(sentences, sentences, sentences)
        return self.head(self.norm(sentences + seen)).squeeze(-1)


def list_mle(scores, position):
    """Minus the log-likelihood of the right order, the first sentence picked first."""
    early = (-scores).gather(1, position.argsort(dim=1))
    rest = early.flip(1).logcumsumexp(dim=1).flip(1)
    return (rest - early).sum(dim=1).mean()


@torch.no_grad()
def kendall_tau(model, loader):
    model.eval()
    agree = pairs = 0
    for stories, position in loader:
        scores = model(stories)
        for i in range(SENTENCES):
            for j in range(i):
                same = (scores[:, i] > scores[:, j]) == (position[:, i] > position[:, j])
                agree += same.sum().item()
                pairs += len(same)
    model.train()
    return 2 * agree / pairs - 1


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--epochs", type=int, default=6)
    args = parser.parse_args()
    torch.manual_seed(args.seed)
    train = DataLoader(Stories(1500, args.seed), batch_size=32, shuffle=True)
    test = DataLoader(Stories(300, args.seed + 1), batch_size=100)
    model = Orderer()
    optimizer = torch.optim.Adam(model.parameters(), lr=3e-3)
    for epoch in range(args.epochs):
        total = 0.0
        for stories, position in train:
            loss = list_mle(model(stories), position)
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
            total += loss.item()
        tau = kendall_tau(model, test)
        print(f"epoch {epoch}  loss {total / len(train):.3f}  test tau {tau:.3f}")
    print(f"Kendall's tau: {kendall_tau(model, test):.3f}")


if __name__ == "__main__":
    main()
