"""
A very small GPT on a made-up language: the next word mostly follows from the word before the last.
Tied weights, causal mask, warm-up and cosine, AdamW with decay on matrices only.
"""
import argparse
import math

import torch
import torch.nn as nn
from torch.nn import functional as F

# ----------------------------------------------------------------------------- settings
block_size = 24
vocab_size = 14
n_layer, n_head, n_embd, dropout = 2, 2, 32, 0.0
batch_size = 24
max_iters, warmup_iters = 220, 30
learning_rate, min_lr = 6e-3, 6e-4
weight_decay = 0.05
# -----------------------------------------------------------------------------
ap = argparse.ArgumentParser()
ap.add_argument("--seed", type=int, default=1337)
seed = ap.parse_args().seed
torch.manual_seed(seed)


def write_text(length, follow, gen):
    text = torch.randint(vocab_size, (2,), generator=gen).tolist()
    noise = (torch.rand(length, generator=gen) < 0.08).tolist()
    other = torch.randint(vocab_size, (length,), generator=gen).tolist()
    while len(text) < length:
        i = len(text)
        text.append(other[i] if noise[i] else follow[text[-2]])
    return torch.tensor(text)


gen = torch.Generator().manual_seed(seed)
follow = torch.randperm(vocab_size, generator=gen).tolist()
train_text, val_text = write_text(20000, follow, gen), write_text(4000, follow, gen)


def get_batch(split):
    data = train_text if split == "train" else val_text
    ix = torch.randint(len(data) - block_size - 1, (batch_size,))
    x = torch.stack([data[i : i + block_size] for i in ix])
    y = torch.stack([data[i + 1 : i + block_size + 1] for i in ix])
    return x, y


class CausalSelfAttention(nn.Module):
    def __init__(self):
        super().__init__()
        self.c_attn = nn.Linear(n_embd, 3 * n_embd)
        self.c_proj = nn.Linear(n_embd, n_embd)

    def forward(self, x):
        B, T, C = x.shape
        q, k, v = self.c_attn(x).split(n_embd, dim=2)
        q, k, v = (t.view(B, T, n_head, C // n_head).transpose(1, 2) for t in (q, k, v))
        y = F.scaled_dot_product_attention(q, k, v)
        return self.c_proj(y.transpose(1, 2).contiguous().view(B, T, C))


class Block(nn.Module):
    def __init__(self):
        super().__init__()
        self.ln_1, self.ln_2 = nn.LayerNorm(n_embd), nn.LayerNorm(n_embd)
        self.attn = CausalSelfAttention()
        self.mlp = nn.Sequential(
            nn.Linear(n_embd, 4 * n_embd), nn.GELU(), nn.Linear(4 * n_embd, n_embd)
        )

    def forward(self, x):
        x = x + self.attn(self.ln_1(x))
        return x + self.mlp(self.ln_2(x))


class GPT(nn.Module):
    def __init__(self):
        super().__init__()
        self.wte = nn.Embedding(vocab_size, n_embd)
        self.wpe = nn.Embedding(block_size, n_embd)
        self.h = nn.ModuleList(Block() for _ in range(n_layer))
        self.ln_f = nn.LayerNorm(n_embd)
        self.lm_head = nn.Linear(n_embd, vocab_size, bias=False)
        self.apply(self._init_weights)
        self.lm_head.weight = self.wte.weight

    def _init_weights(self, m):
        if isinstance(m, (nn.Linear, nn.Embedding)):
            nn.init.normal_(m.weight, std=0.02 if isinstance(m, nn.Embedding) else 0.1)
        if isinstance(m, nn.Linear) and m.bias is not None:
            nn.init.zeros_(m.bias)

    def forward(self, idx, targets=None):
        x = self.wte(idx) + self.wpe(torch.arange(idx.shape[1]))
        for block in self.h:
            x = block(x)
        logits = self.lm_head(self.ln_f(x))
        loss = None
        if targets is not None:
            loss = F.cross_entropy(logits.view(-1, logits.size(-1)), targets.view(-1))
        return logits, loss


def get_lr(it):
    if it < warmup_iters:
        return learning_rate * (it + 1) / warmup_iters
    ratio = (it - warmup_iters) / (max_iters - warmup_iters)
    return min_lr + 0.5 * (1.0 + math.cos(math.pi * ratio)) * (learning_rate - min_lr)


@torch.no_grad()
def next_word_accuracy():
    """Of words that were not shown yet: only what was written before is given to the network."""
    model.eval()
    right = 0
    starts = range(0, 3900, 13)
    for s in starts:
        logits, _ = model(val_text[None, s : s + 12])
        right += int(logits[0, -1].argmax() == val_text[s + 12])
    model.train()
    return right / len(starts)


model = GPT()
decay = [p for p in model.parameters() if p.dim() >= 2]
no_decay = [p for p in model.parameters() if p.dim() < 2]
optimizer = torch.optim.AdamW(
    [{"params": decay, "weight_decay": weight_decay}, {"params": no_decay, "weight_decay": 0.0}],
    lr=learning_rate,
    betas=(0.9, 0.95),
)
print(f"{sum(p.numel() for p in model.parameters())} parameters, ln(vocabulary) = "
      f"{math.log(vocab_size):.3f}")
for it in range(max_iters):
    for group in optimizer.param_groups:
        group["lr"] = get_lr(it)
    X, Y = get_batch("train")
    logits, loss = model(X, targets=Y)
    optimizer.zero_grad(set_to_none=True)
    loss.backward()
    torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)
    optimizer.step()
    if it % 50 == 0 or it == max_iters - 1:
        with torch.no_grad():
            val = sum(model(*get_batch("val"))[1].item() for _ in range(4)) / 4
        print(f"iter {it}: train {loss.item():.4f} val {val:.4f}")
print(f"next word accuracy {next_word_accuracy():.4f}")
