"""A label for each part of a sequence whose length differs: tags, chains of tags, spans."""

from __future__ import annotations

from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torch.nn.utils.rnn import pack_padded_sequence, pad_packed_sequence, pad_sequence
from torch.utils.data import DataLoader

import sevensteps as ss
from benchmarks.doctor.cases.field.trained import Trained, batches, healthy

WORDS, TAGS = 30, 4


def sentences(count: int) -> list[tuple[Tensor, Tensor]]:
    """Words and tags; a tag depends on the word and on whether one of 1..5 came just before."""
    rows = []
    for _ in range(count):
        words = torch.randint(1, WORDS, (int(torch.randint(4, 15, ())),))
        before = F.pad(words, (1, -1))
        rows.append((words, (words % 3) * (before > 5) + 3 * ((before <= 5) & (before > 0))))
    return rows


def padded(rows: list[tuple[Tensor, Tensor]]) -> tuple[Tensor, Tensor, Tensor]:
    """Words filled up with 0, tags with -100, and the lengths."""
    words = pad_sequence([row[0] for row in rows], batch_first=True)
    tags = pad_sequence([row[1] for row in rows], batch_first=True, padding_value=-100)
    return words, tags, torch.tensor([len(row[0]) for row in rows])


class Tagger(nn.Module):
    """Both directions of an LSTM over packed words."""

    def __init__(self) -> None:
        super().__init__()
        self.embedding = nn.Embedding(WORDS, 16, padding_idx=0)
        self.lstm = nn.LSTM(16, 24, batch_first=True, bidirectional=True)
        self.dropout, self.out = nn.Dropout(0.1), nn.Linear(48, TAGS)

    def forward(self, words: Tensor, lengths: Tensor) -> Tensor:
        packed = pack_padded_sequence(
            self.embedding(words), lengths, batch_first=True, enforce_sorted=False
        )
        h, _ = pad_packed_sequence(self.lstm(packed)[0], batch_first=True)
        logits: Tensor = self.out(self.dropout(h))
        return logits


def packed() -> Trained:
    rows = sentences(700)
    loader: Any = DataLoader(rows[:600], 25, shuffle=True, collate_fn=padded)  # type: ignore[arg-type]
    model = Tagger()
    optimizer = torch.optim.Adam(model.parameters(), lr=1e-2)
    with ss.watch(model, optimizer) as watch:
        for _ in range(6):
            for words, tags, lengths in loader:
                logits = model(words, lengths)
                loss = F.cross_entropy(logits.transpose(1, 2), tags, ignore_index=-100)
                optimizer.zero_grad()
                loss.backward()
                optimizer.step()
                watch.step(loss, target=tags)
    words, tags, lengths = padded(rows[600:])
    with torch.no_grad():
        right = model.eval()(words, lengths).argmax(2) == tags
    return Trained(watch, float(right[tags >= 0].double().mean()))


class Chain(nn.Module):
    """Scores of tags by a convolution, and of pairs of tags: a conditional random field."""

    def __init__(self) -> None:
        super().__init__()
        self.embedding = nn.Embedding(WORDS, 12, padding_idx=0)
        self.window = nn.Conv1d(12, 32, 3, padding=1)
        self.out = nn.Linear(32, TAGS)
        self.pairs = nn.Parameter(torch.zeros(TAGS, TAGS))

    def forward(self, words: Tensor) -> Tensor:
        h = self.window(self.embedding(words).transpose(1, 2)).relu()
        scores: Tensor = self.out(h.transpose(1, 2))
        return scores

    def surprise(self, scores: Tensor, tags: Tensor, mask: Tensor) -> Tensor:
        """-log p of the chains, by the forward algorithm."""
        tags = tags.clamp(min=0)
        total = scores[:, 0]
        path = scores[:, 0].gather(1, tags[:, :1])[:, 0]
        for t in range(1, scores.shape[1]):
            further = (total[:, :, None] + self.pairs).logsumexp(1) + scores[:, t]
            total = torch.where(mask[:, t, None], further, total)
            more = scores[:, t].gather(1, tags[:, t : t + 1])[:, 0]
            path = path + mask[:, t] * (more + self.pairs[tags[:, t - 1], tags[:, t]])
        return total.logsumexp(1) - path

    def best(self, scores: Tensor) -> list[int]:
        """Viterbi's path through the scores [T, tags] of one sentence."""
        total, back = scores[0], []
        for row in scores[1:]:
            value, origin = (total[:, None] + self.pairs).max(0)
            total = value + row
            back.append(origin)
        path = [int(total.argmax())]
        for origin in reversed(back):
            path.append(int(origin[path[-1]]))
        return path[::-1]


def chained() -> Trained:
    rows = sentences(600)
    model = Chain()
    others = [p for name, p in model.named_parameters() if name != "pairs"]
    groups: list[dict[str, Any]] = [{"params": [model.pairs], "lr": 3e-2}, {"params": others}]
    optimizer = torch.optim.Adam(groups, lr=1e-2)
    with ss.watch(model, optimizer) as watch:
        for chosen in batches(500, 25, 8):
            words, tags, _ = padded([rows[i] for i in chosen.tolist()])
            mask = tags >= 0
            loss = model.surprise(model(words), tags, mask).sum() / mask.sum()
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
            watch.step(loss)
    right = total = 0
    with torch.no_grad():
        for words, tags in rows[500:]:
            path = model.best(model(words[None])[0])
            right += sum(a == b for a, b in zip(path, tags.tolist(), strict=True))
            total += len(path)
    return Trained(watch, right / total)


class Spans(nn.Module):
    """Attention over words; logits of the start and of the end, -inf on padding."""

    def __init__(self) -> None:
        super().__init__()
        self.embedding = nn.Embedding(WORDS, 32, padding_idx=0)
        self.places = nn.Embedding(20, 32)
        self.layer = nn.TransformerEncoderLayer(32, 4, 64, 0.0, batch_first=True)
        self.out = nn.Linear(32, 2)

    def forward(self, words: Tensor) -> Tensor:
        """[B, T] -> [B, 2, T]"""
        padding = words == 0
        h = self.embedding(words) + self.places(torch.arange(words.shape[1]))
        logits = self.out(self.layer(h, src_key_padding_mask=padding)).transpose(1, 2)
        open_ones: Tensor = logits.masked_fill(padding[:, None], float("-inf"))
        return open_ones


def spans() -> Trained:
    """Where the words between an opening 1 and a closing 2 begin and end."""
    words = torch.zeros(1400, 18, dtype=torch.long)
    ends = torch.zeros(1400, 2, dtype=torch.long)
    for row in range(1400):
        length = int(torch.randint(6, 19, ()))
        first, last = sorted(torch.randperm(length)[:2].tolist())
        words[row, :length] = torch.randint(3, WORDS, (length,))
        words[row, first], words[row, last] = 1, 2
        ends[row] = torch.tensor([first, last])
    model = Spans()
    optimizer = torch.optim.AdamW(model.parameters(), lr=3e-3)
    with ss.watch(model, optimizer) as watch:
        for rows in batches(1200, 40, 4):
            logits = model(words[rows])
            start = F.cross_entropy(logits[:, 0], ends[rows, 0])
            end = F.cross_entropy(logits[:, 1], ends[rows, 1])
            loss = (start + end) / 2
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
            watch.step(loss, parts={"start": start / 2, "end": end / 2})
    with torch.no_grad():
        score = float((model(words[1200:]).argmax(2) == ends[1200:]).all(1).double().mean())
    return Trained(watch, score)


CASES = [
    healthy("tags of packed sentences", packed),
    healthy("tags in a chain", chained),
    healthy("spans among padding", spans),
]
