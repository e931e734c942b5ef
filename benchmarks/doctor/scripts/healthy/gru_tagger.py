#!/usr/bin/env python3
# Tag every word of a sentence: the tag depends on the word and on the word before it.
import os
import random

import torch
from torch import nn

PAD_WORD, PAD_TAG = 0, -100
N_WORDS, N_TAGS = 30, 5

random.seed(int(os.environ.get("SEED", 0)))
torch.manual_seed(random.randrange(10**6))

KIND = [random.randrange(N_TAGS) for _ in range(N_WORDS)]


def sentence():
    words = [random.randrange(1, N_WORDS) for _ in range(random.randint(3, 14))]
    tags, before = [], 0
    for w in words:
        tags.append((KIND[w] + (KIND[before] > 2)) % N_TAGS)
        before = w
    return words, tags


def collate(sentences):
    longest = max(len(w) for w, _ in sentences)
    x = torch.full((len(sentences), longest), PAD_WORD)
    t = torch.full((len(sentences), longest), PAD_TAG)
    for row, (w, g) in enumerate(sentences):
        x[row, :len(w)] = torch.tensor(w)
        t[row, :len(g)] = torch.tensor(g)
    return x, t


class Tagger(nn.Module):
    def __init__(self):
        super().__init__()
        self.emb = nn.Embedding(N_WORDS, 20, padding_idx=PAD_WORD)
        self.gru = nn.GRU(20, 24, batch_first=True, bidirectional=True)
        self.drop = nn.Dropout(0.1)
        self.lin = nn.Linear(48, N_TAGS)

    def forward(self, x):
        h, _ = self.gru(self.emb(x))
        return self.lin(self.drop(h))


train_set = [sentence() for _ in range(900)]
dev_set = [sentence() for _ in range(300)]
tagger = Tagger()
loss_function = nn.CrossEntropyLoss(ignore_index=PAD_TAG)
adam = torch.optim.Adam(tagger.parameters(), lr=0.005)


def dev_accuracy():
    tagger.eval()
    x, t = collate(dev_set)
    with torch.no_grad():
        guess = tagger(x).argmax(-1)
    real = t != PAD_TAG
    tagger.train()
    return (guess[real] == t[real]).float().mean().item()


for epoch in range(5):
    random.shuffle(train_set)
    for start in range(0, len(train_set), 24):
        x, t = collate(train_set[start:start + 24])
        scores = tagger(x)
        loss = loss_function(scores.view(-1, N_TAGS), t.view(-1))
        adam.zero_grad()
        loss.backward()
        adam.step()
    print(f'epoch={epoch} loss={loss.item():.4f} dev={dev_accuracy():.4f}')
print(f'dev accuracy {dev_accuracy():.4f}')
