"""Small language models as they are built today: rotary places, prompts that do not count,
preferences, and older ones that read letter by letter.
"""

from __future__ import annotations

import copy
import math

import torch
import torch.nn.functional as F
from torch import Tensor, nn

import sevensteps as ss
from benchmarks.doctor.cases.field.trained import Trained, healthy

# digits 0 … 9, then these
PLUS, EQUALS, PAD = 10, 11, 12


class RMSNorm(nn.Module):
    def __init__(self, dim: int):
        super().__init__()
        self.weight = nn.Parameter(torch.ones(dim))

    def forward(self, x: Tensor) -> Tensor:
        return self.weight * x * torch.rsqrt(x.pow(2).mean(-1, keepdim=True) + 1e-6)


def rotate(x: Tensor) -> Tensor:
    """Rotary position embedding of [B, H, T, D]."""
    t, d = x.shape[-2:]
    angle = torch.arange(t)[:, None] / 100 ** (torch.arange(0, d, 2) / d)
    cos, sin = angle.cos(), angle.sin()
    even, odd = x[..., 0::2], x[..., 1::2]
    return torch.stack([even * cos - odd * sin, even * sin + odd * cos], -1).flatten(-2)


class Block(nn.Module):
    def __init__(self, dim: int, heads: int):
        super().__init__()
        self.heads = heads
        self.norm1, self.norm2 = RMSNorm(dim), RMSNorm(dim)
        self.qkv = nn.Linear(dim, 3 * dim, bias=False)
        self.proj = nn.Linear(dim, dim, bias=False)
        self.w1, self.w3 = (nn.Linear(dim, 2 * dim, bias=False) for _ in range(2))
        self.w2 = nn.Linear(2 * dim, dim, bias=False)

    def forward(self, x: Tensor) -> Tensor:
        b, t, c = x.shape
        q, k, v = (
            p.view(b, t, self.heads, -1).transpose(1, 2)
            for p in self.qkv(self.norm1(x)).chunk(3, -1)
        )
        y = F.scaled_dot_product_attention(rotate(q), rotate(k), v, is_causal=True)
        x = x + self.proj(y.transpose(1, 2).reshape(b, t, c))
        h = self.norm2(x)
        return x + self.w2(F.silu(self.w1(h)) * self.w3(h))


class GPT(nn.Module):
    def __init__(self, vocab: int, dim: int = 32, layers: int = 2, heads: int = 2):
        super().__init__()
        self.wte = nn.Embedding(vocab, dim)
        self.blocks = nn.ModuleList(Block(dim, heads) for _ in range(layers))
        self.norm = RMSNorm(dim)
        self.lm_head = nn.Linear(dim, vocab, bias=False)
        nn.init.normal_(self.wte.weight, std=0.1)

    def forward(self, idx: Tensor) -> Tensor:
        x = self.wte(idx)
        for block in self.blocks:
            x = block(x)
        return self.lm_head(self.norm(x))


def grammar(rows: int, length: int, vocab: int = 16) -> Tensor:
    """Each word depends on the two before it, with some noise."""
    table = torch.randint(vocab, (vocab, 2))
    seq = torch.randint(vocab, (rows, length))
    for t in range(2, length):
        follows = table[seq[:, t - 1], seq[:, t - 2] % 2]
        seq[:, t] = torch.where(torch.rand(rows) < 0.9, follows, seq[:, t])
    return seq


def rotary_gpt() -> Trained:
    """AdamW with decay on matrices alone, warm-up and cosine by hand, clipping."""
    data = grammar(700, 25)
    train, val = data[:600], data[600:]
    model = GPT(16)
    decay = [p for p in model.parameters() if p.dim() >= 2]
    nodecay = [p for p in model.parameters() if p.dim() < 2]
    opt = torch.optim.AdamW(
        [{"params": decay, "weight_decay": 0.1}, {"params": nodecay, "weight_decay": 0.0}],
        lr=1e-2,
        betas=(0.9, 0.95),
    )
    total = 160
    with ss.watch(model, opt) as watch:
        for it in range(total):
            lr = 1e-2 * min(1, (it + 1) / 20) * 0.5 * (1.1 + math.cos(math.pi * it / total))
            for group in opt.param_groups:
                group["lr"] = lr
            ix = torch.randint(len(train), (24,))
            x, y = train[ix, :-1], train[ix, 1:]
            logits = model(x)
            loss = F.cross_entropy(logits.view(-1, logits.size(-1)), y.reshape(-1))
            opt.zero_grad(set_to_none=True)
            loss.backward()
            torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)
            opt.step()
            watch.step(loss, target=y)
    with torch.no_grad():
        right = (model(val[:, :-1])[:, 2:].argmax(-1) == val[:, 3:]).double().mean()
    return Trained(watch, float(right))


def sums(rows: int) -> tuple[Tensor, Tensor]:
    """`a b + c = d d`, and the labels: -100 wherever the prompt stands."""
    a, b = torch.randint(10, (2, rows))
    total = a + b
    text = torch.stack(
        [a, torch.full_like(a, PLUS), b, torch.full_like(a, EQUALS), total // 10, total % 10], 1
    )
    labels = text.clone()
    labels[:, :4] = -100
    return text, labels


def answers_alone_count() -> Trained:
    """Supervised fine-tuning: the loss is that of the answer, the prompt is masked out."""
    text, labels = sums(2500)
    model = GPT(13, dim=48, layers=1, heads=4)
    optimizer = torch.optim.AdamW(model.parameters(), lr=6e-3, weight_decay=0.01)
    scheduler = torch.optim.lr_scheduler.OneCycleLR(optimizer, 6e-3, total_steps=300)
    with ss.watch(model, optimizer) as watch:
        for _ in range(300):
            batch = torch.randint(2500, (64,))
            logits = model(text[batch])[:, :-1]
            target = labels[batch, 1:]
            loss = F.cross_entropy(logits.flatten(0, 1), target.flatten(), ignore_index=-100)
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
            scheduler.step()
            watch.step(loss, target=target)
    new, _ = sums(300)
    with torch.no_grad():
        right = (model(new)[:, 3:5].argmax(-1) == new[:, 4:]).all(1).double().mean()
    return Trained(watch, float(right))


def letter_by_letter() -> Trained:
    """An LSTM whose state is carried from piece to piece and cut off from its past."""
    pattern = torch.randint(12, (9,))
    stream = pattern.repeat(300)
    noise = torch.rand(len(stream)) < 0.04
    stream = torch.where(noise, torch.randint(12, stream.shape), stream)
    rows = stream[: 16 * 160].view(16, 160)
    emb, lstm, out = nn.Embedding(12, 16), nn.LSTM(16, 48, 2, dropout=0.1), nn.Linear(48, 12)
    net = nn.ModuleDict({"emb": emb, "lstm": lstm, "out": out})
    optim = torch.optim.Adam(net.parameters(), lr=8e-3)
    with ss.watch(net, optim) as watch:
        for _epoch in range(5):
            net.train()
            state = None
            for start in range(0, 140, 10):
                x = rows[:, start : start + 10].T
                y = rows[:, start + 1 : start + 11].T
                if state is not None:
                    state = tuple(s.detach() for s in state)
                h, state = lstm(emb(x), state)
                loss = F.cross_entropy(out(h).flatten(0, 1), y.flatten())
                optim.zero_grad()
                loss.backward()
                nn.utils.clip_grad_norm_(net.parameters(), 0.5)
                optim.step()
                watch.step(loss, target=y)
    net.eval()
    clean = pattern.repeat(4)[:, None]
    with torch.no_grad():
        guess = out(lstm(emb(clean[:-1]))[0]).argmax(-1)
    return Trained(watch, float((guess[10:] == clean[11:]).double().mean()))


def preferences() -> Trained:
    """Direct preference optimisation: a copy that stands still is the reference."""
    vocab, length = 8, 6

    def draw(rows: int) -> tuple[Tensor, Tensor]:
        """Preferred: many even words; rejected: many odd ones."""
        base = torch.randint(vocab, (2, rows, length))
        even, odd = base[0] // 2 * 2, base[1] // 2 * 2 + 1
        mix = torch.rand(2, rows, length) < 0.75
        return torch.where(mix[0], even, base[0]), torch.where(mix[1], odd, base[1])

    policy = GPT(vocab, dim=24, layers=1)
    reference = copy.deepcopy(policy).requires_grad_(False)

    def logp(model: nn.Module, text: Tensor) -> Tensor:
        logits = model(text[:, :-1]).log_softmax(-1)
        return logits.gather(-1, text[:, 1:, None]).sum((1, 2))

    opt = torch.optim.RMSprop(policy.parameters(), lr=1e-3)
    with ss.watch(policy, opt) as watch:
        for _ in range(150):
            chosen, rejected = draw(32)
            margin = logp(policy, chosen) - logp(policy, rejected)
            with torch.no_grad():
                anchor = logp(reference, chosen) - logp(reference, rejected)
            loss = -F.logsigmoid(0.3 * (margin - anchor)).mean()
            opt.zero_grad()
            loss.backward()
            opt.step()
            watch.step(loss)
    chosen, rejected = draw(400)
    with torch.no_grad():
        won = logp(policy, chosen) > logp(policy, rejected)
    return Trained(watch, float(won.double().mean()))


CASES = [
    healthy("rotary places, RMS norms, gates", rotary_gpt),
    healthy("sums of which the answer counts", answers_alone_count),
    healthy("an LSTM by pieces of a stream", letter_by_letter),
    healthy("preferences against a reference", preferences),
]
