"""Notes, beats and pitches."""

from __future__ import annotations

import math

import torch
import torch.nn.functional as F
from torch import Tensor, nn

import sevensteps as ss
from benchmarks.doctor.cases.field.trained import Trained, batches, descend, healthy

CHORDS = torch.zeros(4, 12)
for _row, _notes in enumerate([(0, 4, 7), (5, 9, 0), (7, 11, 2), (9, 0, 4)]):
    CHORDS[_row, list(_notes)] = 1.0


def the_next_chord() -> Trained:
    """Rolls of twelve keys, most of which are silent. [B, T, 12]; scored by all keys being right.

    A chord stays for two beats, then goes on as a cadence does, in one of twelve keys.
    """
    start, shift = torch.randint(8, (700, 1)), torch.randint(12, (700,))
    place = (start + torch.arange(13)) // 2 % 4
    roll = CHORDS[place]
    roll = torch.stack([r.roll(int(s), 1) for r, s in zip(roll, shift, strict=True)])
    x, y = roll[:, :-1], roll[:, 1:]

    class Pianist(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.lstm, self.keys = nn.LSTM(12, 64, batch_first=True), nn.Linear(64, 12)

        def forward(self, heard: Tensor) -> Tensor:
            keys: Tensor = self.keys(self.lstm(heard)[0])
            return keys

    model = Pianist()
    optimizer = torch.optim.Adam(model.parameters(), lr=1e-2)
    with ss.watch(model, optimizer) as watch:
        for rows in batches(600, 30, 14):
            loss = F.binary_cross_entropy_with_logits(model(x[rows]), y[rows])
            descend(watch, optimizer, loss, y[rows])
    with torch.no_grad():
        right = ((model(x[600:]) > 0) == (y[600:] > 0.5)).all(2)[:, 4:]
    return Trained(watch, float(right.double().mean()))


def envelopes(count: int) -> tuple[Tensor, Tensor]:
    """How loud 60 frames are [N, 1, 60], and where notes begin. [N, 60]"""
    begins = (torch.rand(count, 60) < 0.06).float()
    loud = torch.zeros(count, 60)
    state = torch.zeros(count)
    for t in range(60):
        state = torch.maximum(0.85 * state, begins[:, t] * (0.6 + 0.4 * torch.rand(count)))
        loud[:, t] = state
    return (loud + 0.03 * torch.randn(count, 60))[:, None], begins


def where_notes_begin() -> Trained:
    """Six frames of a hundred are a beginning, which weigh more. Scored by the F measure."""
    x, y = envelopes(700)
    model = nn.Sequential(
        nn.Conv1d(1, 16, 5, padding=2),
        nn.ELU(),
        nn.Conv1d(16, 16, 3, padding=1),
        nn.ELU(),
        nn.Conv1d(16, 1, 1),
        nn.Flatten(),
    )
    loss_fn = nn.BCEWithLogitsLoss(pos_weight=torch.tensor(4.0))
    optimizer = torch.optim.NAdam(model.parameters(), lr=5e-3)
    with ss.watch(model, optimizer) as watch:
        for rows in batches(550, 22, 14):
            descend(watch, optimizer, loss_fn(model(x[rows]), y[rows]), y[rows])
    with torch.no_grad():
        said, truth = model(x[550:]) > 1, y[550:] > 0.5
    hit = float((said & truth).sum())
    known = {"train": (x[:550], y[:550]), "valid": (x[550:], y[550:]), "loss_fn": loss_fn}
    return Trained(watch, 2 * hit / float(said.sum() + truth.sum()), known)


def the_pitch_within_its_octave() -> Trained:
    """A pitch as a point of a circle, told by its cosine. The score is the mean cosine."""
    pitch = torch.rand(1600)
    octave = torch.randint(0, 2, (1600,))
    frequency = 4 * 2 ** (pitch + octave)
    times = torch.linspace(0, 1, 64)
    wave = sum(
        torch.sin(2 * math.pi * k * frequency[:, None] * times + 6.3 * torch.rand(1600, 1)) / k
        for k in (1, 2)
    )
    x = torch.fft.rfft(wave * torch.hann_window(64)).abs().log1p()
    y = torch.stack([torch.cos(2 * math.pi * pitch), torch.sin(2 * math.pi * pitch)], 1)
    model = nn.Sequential(nn.LayerNorm(33), nn.Linear(33, 64), nn.ReLU(), nn.Linear(64, 2))
    optimizer = torch.optim.Adam(model.parameters(), lr=5e-3)
    schedule = torch.optim.lr_scheduler.CosineAnnealingLR(optimizer, 15)
    with ss.watch(model, optimizer) as watch:
        for _ in range(15):
            for rows in batches(1300, 50, 1):
                loss = 1 - F.cosine_similarity(model(x[rows]), y[rows]).mean()
                descend(watch, optimizer, loss, y[rows])
            schedule.step()
    with torch.no_grad():
        score = float(F.cosine_similarity(model(x[1300:]), y[1300:]).mean())
    return Trained(watch, score)


CASES = [
    healthy("the keys of the next beat", the_next_chord),
    healthy("where notes begin", where_notes_begin),
    healthy("a pitch on a circle", the_pitch_within_its_octave),
]
