"""Sequence to sequence with GRUs and teacher forcing: turn a word of letters round."""
import os
import random

import torch
import torch.nn as nn

PAD, SOS, EOS = 0, 1, 2
LETTERS = "abcdefghij"
stoi = {ch: i + 3 for i, ch in enumerate(LETTERS)}
VOCAB = len(stoi) + 3
random.seed(int(os.environ.get("SEED", 1)))
torch.manual_seed(int(os.environ.get("SEED", 1)))


def make_pair():
    word = [random.choice(LETTERS) for _ in range(random.randint(3, 6))]
    src = [stoi[c] for c in word]
    return src, src[::-1] + [EOS]


def pad(rows):
    width = max(map(len, rows))
    return torch.tensor([row + [PAD] * (width - len(row)) for row in rows])


class Encoder(nn.Module):
    def __init__(self, hidden):
        super().__init__()
        self.embedding = nn.Embedding(VOCAB, hidden, padding_idx=PAD)
        self.gru = nn.GRU(hidden, hidden, batch_first=True)

    def forward(self, src, lengths):
        packed = nn.utils.rnn.pack_padded_sequence(
            self.embedding(src), lengths, batch_first=True, enforce_sorted=False
        )
        _, h = self.gru(packed)
        return h


class Decoder(nn.Module):
    def __init__(self, hidden):
        super().__init__()
        self.embedding = nn.Embedding(VOCAB, hidden, padding_idx=PAD)
        self.gru = nn.GRU(hidden, hidden, batch_first=True)
        self.out = nn.Linear(hidden, VOCAB)

    def forward(self, tokens, h):
        out, h = self.gru(self.embedding(tokens), h)
        return self.out(out), h


class Seq2Seq(nn.Module):
    def __init__(self, hidden=96):
        super().__init__()
        self.encoder = Encoder(hidden)
        self.decoder = Decoder(hidden)

    def forward(self, src, lengths, tgt):
        h = self.encoder(src, lengths)
        logits, _ = self.decoder(tgt, h)
        return logits

    @torch.no_grad()
    def translate(self, src, lengths, max_len=8):
        h = self.encoder(src, lengths)
        token = torch.full((len(src), 1), SOS)
        result = []
        for _ in range(max_len):
            logits, h = self.decoder(token, h)
            token = logits.argmax(-1)
            result.append(token)
        return torch.cat(result, 1)


pairs = [make_pair() for _ in range(4000)]
valid = [make_pair() for _ in range(200)]
model = Seq2Seq()
criterion = nn.CrossEntropyLoss(ignore_index=PAD)
optimizer = torch.optim.Adam(model.parameters(), lr=4e-3)
for epoch in range(6):
    random.shuffle(pairs)
    model.train()
    running = 0.0
    for i in range(0, len(pairs), 64):
        chunk = pairs[i : i + 64]
        src, tgt = pad([p[0] for p in chunk]), pad([p[1] for p in chunk])
        lengths = torch.tensor([len(p[0]) for p in chunk])
        optimizer.zero_grad()
        logits = model(src, lengths, tgt)
        loss = criterion(logits.view(-1, VOCAB), tgt.view(-1))
        loss.backward()
        torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        optimizer.step()
        running += loss.item()
    model.eval()
    src = pad([p[0] for p in valid])
    lengths = torch.tensor([len(p[0]) for p in valid])
    answers = model.translate(src, lengths).tolist()
    exact = sum(a[: len(t)] == t for a, (_, t) in zip(answers, valid)) / len(valid)
    print(f"epoch {epoch + 1} | loss {running / (len(pairs) // 64):.3f} | exact {exact:.3f}")
