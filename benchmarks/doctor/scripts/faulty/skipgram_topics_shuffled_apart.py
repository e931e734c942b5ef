import argparse

import numpy as np
import torch
import torch.nn as nn
import torch.nn.functional as F

parser = argparse.ArgumentParser(description="word2vec (SGNS) on a made-up language")
parser.add_argument("--seed", type=int, default=0)
parser.add_argument("--dim", type=int, default=24)
parser.add_argument("--window", type=int, default=2)
parser.add_argument("--negatives", type=int, default=5)
parser.add_argument("--epochs", type=int, default=3)
args = parser.parse_args()
np.random.seed(args.seed)
torch.manual_seed(args.seed)

TOPICS, WORDS = 10, 12
VOCAB = TOPICS * WORDS


def make_corpus(n_sentences=2500, length=10):
    """Each sentence is about one topic; one word in six strays from it."""
    topic = np.random.randint(TOPICS, size=(n_sentences, 1))
    words = topic * WORDS + np.random.randint(WORDS, size=(n_sentences, length))
    stray = np.random.rand(n_sentences, length) < 1 / 6
    return np.where(stray, np.random.randint(VOCAB, size=words.shape), words)


def make_pairs(corpus, window):
    centers, contexts = [], []
    for shift in range(1, window + 1):
        left, right = corpus[:, :-shift].ravel(), corpus[:, shift:].ravel()
        centers += [left, right]
        contexts += [right, left]
    centers, contexts = np.concatenate(centers), np.concatenate(contexts)
    np.random.shuffle(centers)
    np.random.shuffle(contexts)
    return torch.from_numpy(centers), torch.from_numpy(contexts)


class SkipGram(nn.Module):
    def __init__(self, vocab, dim):
        super().__init__()
        self.center = nn.Embedding(vocab, dim)
        self.context = nn.Embedding(vocab, dim)
        nn.init.uniform_(self.center.weight, -0.5 / dim, 0.5 / dim)
        nn.init.uniform_(self.context.weight, -0.5 / dim, 0.5 / dim)

    def forward(self, center, context, negative):
        v = self.center(center)
        pos = (v * self.context(context)).sum(-1)
        neg = torch.einsum("bd,bkd->bk", v, self.context(negative))
        return -(F.logsigmoid(pos) + F.logsigmoid(-neg).sum(-1)).mean()


def same_topic_share(vectors, k=5):
    v = F.normalize(vectors, dim=1)
    sim = v @ v.T
    sim.fill_diagonal_(-2)
    topic = torch.arange(VOCAB) // WORDS
    return (topic[sim.topk(k).indices] == topic[:, None]).float().mean().item()


centers, contexts = make_pairs(make_corpus(), args.window)
model = SkipGram(VOCAB, args.dim)
optimizer = torch.optim.Adam(model.parameters(), lr=0.005)
for epoch in range(args.epochs):
    running, batches = 0.0, 0
    for c, o in zip(centers.split(256), contexts.split(256)):
        loss = model(c, o, torch.randint(VOCAB, (len(c), args.negatives)))
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        running, batches = running + loss.item(), batches + 1
    print(f"epoch {epoch + 1}: loss {running / batches:.3f}")
print(f"neighbours of the same topic: {same_topic_share(model.center.weight.detach()):.2f}")
