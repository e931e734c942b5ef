"""Language models whose loss ends far from zero, since the text itself is uncertain."""

from __future__ import annotations

import math

import torch
import torch.nn.functional as F
from torch import Tensor, nn

import sevensteps as ss
from benchmarks.doctor.cases.field.trained import Trained, batches, descend, healthy

TEXT = (
    "the miller had three sons and the youngest had a cat . the cat wore boots and went to the "
    "king with a hare in a bag . the king gave the cat a coin and asked who had sent the hare . "
    "my master the marquis said the cat and bowed . the king drove out along the river with his "
    "daughter . the youngest son bathed in the river and the cat cried for help . so the miller's "
    "son was dressed like a lord and rode with the king . the cat ran ahead to the castle of the "
    "ogre and asked whether he could turn into a mouse . he did and the cat ate him . "
)


def letters() -> tuple[Tensor, int]:
    """The text's letters as numbers, sentences in an order of chance, eight times over."""
    alphabet = sorted(set(TEXT))
    sentences = [s.strip() + " . " for s in TEXT.split(".") if s.strip()]
    order = [int(i) for _ in range(8) for i in torch.randperm(len(sentences))]
    stream = "".join(sentences[i] for i in order)
    return torch.tensor([alphabet.index(c) for c in stream]), len(alphabet)


def gain(loss: Tensor, tokens: Tensor) -> float:
    """1 less the loss in shares of the entropy of single tokens."""
    share = torch.bincount(tokens).double() / len(tokens)
    share = share[share > 0]
    return float(1 - loss / -(share * share.log()).sum())


class Block(nn.Module):
    """Attention and a feed-forward part, normalised before each."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.first, self.second = nn.LayerNorm(width), nn.LayerNorm(width)
        self.qkv, self.proj = nn.Linear(width, 3 * width, bias=False), nn.Linear(width, width)
        self.feed = nn.Sequential(
            nn.Linear(width, 4 * width), nn.GELU(), nn.Linear(4 * width, width)
        )

    def forward(self, x: Tensor) -> Tensor:
        q, k, v = self.qkv(self.first(x)).unflatten(-1, (3, 2, -1)).permute(2, 0, 3, 1, 4)
        h = F.scaled_dot_product_attention(q, k, v, is_causal=True)
        x = x + self.proj(h.transpose(1, 2).flatten(2))
        return x + self.feed(self.second(x))


class Scribe(nn.Module):
    """Letters in, the chances of the next letter out; input and output share their table."""

    def __init__(self, kinds: int, width: int = 32, words: int = 24) -> None:
        super().__init__()
        self.table, self.places = nn.Embedding(kinds, width), nn.Embedding(words, width)
        nn.init.normal_(self.table.weight, std=0.02)
        nn.init.normal_(self.places.weight, std=0.02)
        self.blocks = nn.Sequential(Block(width), Block(width))
        self.norm = nn.LayerNorm(width)

    def forward(self, tokens: Tensor) -> Tensor:
        h = self.table(tokens) + self.places.weight[: tokens.shape[1]]
        return self.norm(self.blocks(h)) @ self.table.weight.T


def windows_of_letters() -> Trained:
    """Windows drawn at random; a warm-up of 60 steps, a cosine, clipped gradients, AdamW."""
    stream, kinds = letters()
    model = Scribe(kinds)
    optimizer = torch.optim.AdamW(model.parameters(), lr=5e-3, betas=(0.9, 0.95), weight_decay=0.1)
    steps, cut = 300, int(0.85 * len(stream))

    def rate(step: int) -> float:
        return min(1.0, (step + 1) / 60) * (0.55 + 0.45 * math.cos(math.pi * step / steps))

    schedule = torch.optim.lr_scheduler.LambdaLR(optimizer, rate)
    with ss.watch(model, optimizer) as watch:
        for _ in range(steps):
            starts = torch.randint(0, cut - 25, (16,))
            rows = stream[starts[:, None] + torch.arange(25)]
            loss = F.cross_entropy(model(rows[:, :-1]).flatten(0, 1), rows[:, 1:].flatten())
            optimizer.zero_grad()
            loss.backward()
            nn.utils.clip_grad_norm_(model.parameters(), 1.0)
            optimizer.step()
            schedule.step()
            watch.step(loss, target=rows[:, 1:])
    rows = stream[cut:].unfold(0, 25, 12)
    with torch.no_grad():
        loss = F.cross_entropy(model(rows[:, :-1]).flatten(0, 1), rows[:, 1:].flatten())
    return Trained(watch, gain(loss, stream))


def chain(count: int, words: int, kinds: int = 24) -> Tensor:
    """Words [N, T] of which each can be followed by about three."""
    follows = torch.randint(0, kinds, (kinds, 3))
    rows = [torch.randint(0, kinds, (count,))]
    for _ in range(words - 1):
        rows.append(follows[rows[-1], torch.randint(0, 3, (count,))])
    return torch.stack(rows, 1)


class Masked(nn.Module):
    """A convolution that reads both sides of a hidden word."""

    def __init__(self, kinds: int) -> None:
        super().__init__()
        self.table = nn.Embedding(kinds + 1, 24)
        self.sides = nn.Conv1d(24, 64, 3, padding=1)
        self.out = nn.Linear(64, kinds)

    def forward(self, tokens: Tensor) -> Tensor:
        h = self.sides(self.table(tokens).transpose(1, 2)).transpose(1, 2)
        return self.out(F.gelu(h))


def hidden_words() -> Trained:
    """A quarter of the words is hidden and is to be told; the others do not count."""
    kinds, rows = 24, chain(1200, 14)
    model = Masked(kinds)
    optimizer = torch.optim.Adam(model.parameters(), lr=5e-3)

    def hide(tokens: Tensor) -> tuple[Tensor, Tensor]:
        hidden = torch.rand(tokens.shape) < 0.25
        return tokens.masked_fill(hidden, kinds), tokens.masked_fill(~hidden, -100)

    with ss.watch(model, optimizer) as watch:
        for chosen in batches(1000, 40, 16):
            inputs, labels = hide(rows[chosen])
            loss = F.cross_entropy(model(inputs).flatten(0, 1), labels.flatten(), ignore_index=-100)
            descend(watch, optimizer, loss, labels)
    with torch.no_grad():
        inputs, labels = hide(rows[1000:])
        loss = F.cross_entropy(model(inputs).flatten(0, 1), labels.flatten())
    return Trained(watch, gain(loss, rows.flatten()))


def words_near_words() -> Trained:
    """Skip-grams with five negative words drawn for each pair; two tables and no layers."""
    rows = chain(1500, 8)
    centre, near = rows[:, :-1].flatten(), rows[:, 1:].flatten()
    inner, outer = nn.Embedding(24, 16), nn.Embedding(24, 16)
    nn.init.zeros_(outer.weight)
    tables = nn.ModuleList([inner, outer])
    optimizer = torch.optim.Adagrad(tables.parameters(), lr=0.3)
    with ss.watch(tables, optimizer) as watch:
        for chosen in batches(len(centre), 256, 12):
            h = inner(centre[chosen])
            negatives = torch.randint(0, 24, (len(chosen), 5))
            real = (h * outer(near[chosen])).sum(1)
            false = (outer(negatives) @ h[:, :, None])[:, :, 0]
            loss = -(F.logsigmoid(real) + F.logsigmoid(-false).sum(1)).mean()
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
            watch.step(loss)
    with torch.no_grad():
        best = (inner.weight @ outer.weight.T).topk(3, 1).indices
    counts = torch.zeros(24, 24).index_put((centre, near), torch.ones(len(near)), accumulate=True)
    true = counts.topk(3, 1).indices
    return Trained(watch, float((best[:, :, None] == true[:, None]).any(2).double().mean()))


CASES = [
    healthy("letters of a tale by a small GPT", windows_of_letters),
    healthy("hidden words told from both sides", hidden_words),
    healthy("words near words with negatives", words_near_words),
]
