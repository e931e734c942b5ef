"""Sequences of different lengths: which of four marks came last?  (LSTM, packed sequences)"""

import sys
from dataclasses import dataclass, field

import torch
import torch.nn as nn
from torch.nn.utils.rnn import pad_sequence

VOCAB = 12  # 0 is padding, 1-4 are marks, the rest is filler


@dataclass
class Options:
    seed: int = 0
    hidden: int = 32
    epochs: int = 8
    batch: int = 64
    lengths: tuple = (4, 30)
    notes: dict = field(default_factory=dict)


def make_sequences(n, lengths):
    sequences, labels = [], []
    for _ in range(n):
        length = int(torch.randint(*lengths, ()))
        seq = torch.randint(5, VOCAB, (length,))
        where = torch.randperm(length)[: max(1, length // 8)]
        seq[where] = torch.randint(1, 5, (len(where),))
        sequences.append(seq)
        labels.append(int(seq[int(where.max())]) - 1)
    return sequences, torch.tensor(labels)


class LastMark(nn.Module):
    def __init__(self, hidden):
        super().__init__()
        self.embed = nn.Embedding(VOCAB, 12, padding_idx=0)
        self.lstm = nn.LSTM(12, hidden, batch_first=True)
        self.classify = nn.Linear(hidden, 4)

    def forward(self, tokens, lengths):
        embedded = self.embed(tokens)
        out, _ = self.lstm(embedded)
        return self.classify(out[:, -1])


def batches(sequences, labels, size, shuffle):
    order = torch.randperm(len(sequences)) if shuffle else torch.arange(len(sequences))
    for chunk in order.split(size):
        chosen = [sequences[i] for i in chunk.tolist()]
        yield (
            nn.functional.pad(pad_sequence(chosen, batch_first=True), (0, 60)),
            torch.tensor([len(s) for s in chosen]),
            labels[chunk],
        )


def run(options):
    torch.manual_seed(options.seed)
    train, test = make_sequences(1600, options.lengths), make_sequences(400, options.lengths)
    model = LastMark(options.hidden)
    optimizer = torch.optim.Adam(model.parameters(), lr=5e-3)
    for epoch in range(options.epochs):
        model.train()
        total = 0.0
        for tokens, lengths, target in batches(*train, options.batch, shuffle=True):
            loss = nn.functional.cross_entropy(model(tokens, lengths), target)
            optimizer.zero_grad()
            loss.backward()
            torch.nn.utils.clip_grad_norm_(model.parameters(), 5.0)
            optimizer.step()
            total += loss.item()
        model.eval()
        with torch.no_grad():
            hits = [
                (model(tokens, lengths).argmax(1) == target).float()
                for tokens, lengths, target in batches(*test, 200, shuffle=False)
            ]
        options.notes[epoch] = torch.cat(hits).mean().item()
        sys.stdout.write(f"{epoch}\t{total:.3f}\t{options.notes[epoch]:.3f}\n")
    return options.notes[options.epochs - 1]


if __name__ == "__main__":
    seed = int(sys.argv[sys.argv.index("--seed") + 1]) if "--seed" in sys.argv else 0
    print("accuracy:", round(run(Options(seed=seed)), 4))
