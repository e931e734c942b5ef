"""Transformers."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor, nn

import sevensteps as ss
from benchmarks.doctor import data
from benchmarks.doctor.cases.field.trained import Trained, accuracy, batches, descend, healthy

PAD, WORDS, LENGTH = 0, 20, 10


class Encoder(nn.Module):
    """Masked self-attention over tokens, and the mean of those that are none of padding."""

    def __init__(self) -> None:
        super().__init__()
        self.embedding = nn.Embedding(WORDS, 32, padding_idx=PAD)
        layer = nn.TransformerEncoderLayer(32, 4, 64, dropout=0.1, batch_first=True)
        self.encoder = nn.TransformerEncoder(layer, 1, enable_nested_tensor=False)
        self.head = nn.Linear(32, 3)

    def forward(self, tokens: Tensor, mask: Tensor) -> Tensor:
        x = self.encoder(self.embedding(tokens), src_key_padding_mask=~mask)
        mean = (x * mask[..., None]).sum(1) / mask.sum(1, keepdim=True)
        answer: Tensor = self.head(mean)
        return answer


def warmed_up() -> Trained:
    x = torch.randint(1, WORDS, (1400, LENGTH))
    x = x * (torch.arange(LENGTH) < torch.randint(4, LENGTH + 1, (1400, 1)))
    share = (x > 12).sum(1) / (x != PAD).sum(1)
    y = torch.bucketize(share, torch.tensor([0.25, 0.45]))
    model = Encoder()
    optimizer = torch.optim.AdamW(model.parameters(), lr=3e-3)
    total = 15 * 24
    schedule = torch.optim.lr_scheduler.LambdaLR(
        optimizer, lambda k: min((k + 1) / 40, max(0.02, (total - k) / total))
    )
    with ss.watch(model, optimizer) as watch:
        for chosen in batches(1200, 50, 15):
            loss = F.cross_entropy(model(x[chosen], x[chosen] != PAD), y[chosen])
            optimizer.zero_grad()
            loss.backward()
            nn.utils.clip_grad_norm_(model.parameters(), 1.0)
            optimizer.step()
            schedule.step()
            watch.step(loss, target=y[chosen])
    with torch.no_grad():
        answer = model.eval()(x[1200:], x[1200:] != PAD).argmax(1)
    return Trained(
        watch,
        float((answer == y[1200:]).double().mean()),
        {
            "train": ((x[:1200], x[:1200] != PAD), y[:1200]),
            "valid": ((x[1200:], x[1200:] != PAD), y[1200:]),
            "loss_fn": F.cross_entropy,
        },
    )


class Patches(nn.Module):
    """Attention over patches of an image, and the answer read at a token of its own."""

    def __init__(self) -> None:
        super().__init__()
        self.patches = nn.Conv2d(1, 32, 2, stride=2)
        self.token = nn.Parameter(torch.zeros(1, 1, 32))
        self.position = nn.Parameter(torch.randn(1, 17, 32) * 0.02)
        layer = nn.TransformerEncoderLayer(
            32, 4, 64, 0.0, F.gelu, batch_first=True, norm_first=True
        )
        self.encoder = nn.TransformerEncoder(layer, 2, enable_nested_tensor=False)
        self.norm, self.head = nn.LayerNorm(32), nn.Linear(32, 10)

    def forward(self, x: Tensor) -> Tensor:
        patches = self.patches(x).flatten(2).transpose(1, 2)
        tokens = torch.cat([self.token.expand(len(x), 1, 32), patches], 1) + self.position
        answer: Tensor = self.head(self.norm(self.encoder(tokens)[:, 0]))
        return answer


def vision() -> Trained:
    (x, y), (xv, yv) = data.digits()
    x, xv = x.view(-1, 1, 8, 8), xv.view(-1, 1, 8, 8)
    model = Patches()
    optimizer = torch.optim.AdamW(model.parameters(), lr=3e-3, weight_decay=0.05)
    with ss.watch(model, optimizer) as watch:
        for chosen in batches(len(x), 65, 10):
            descend(watch, optimizer, F.cross_entropy(model(x[chosen]), y[chosen]), y[chosen])
    known = {"train": (x, y), "valid": (xv, yv), "loss_fn": F.cross_entropy}
    return Trained(watch, accuracy(model, xv, yv), known)


CASES = [
    healthy("encoder with mask and warm-up", warmed_up),
    healthy("attention over patches", vision),
]
