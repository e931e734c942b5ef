"""Sound: samples, spectrograms, and letters whose places nobody knows."""

from __future__ import annotations

import math

import torch
import torch.nn.functional as F
from torch import Tensor, nn

import sevensteps as ss
from benchmarks.doctor.cases.field.trained import Trained, accuracy, batches, descend, healthy

LETTERS = 5  # and the blank, 0


def spoken(count: int) -> tuple[Tensor, Tensor, Tensor]:
    """Frames [count, 24, 8], the letters heard in them [count, 4], and the letter of each frame."""
    sounds = torch.eye(8)[:LETTERS] * 2
    letters = torch.randint(LETTERS, (count, 4))
    lengths = torch.randint(4, 7, (count, 4))
    frames = torch.zeros(count, 24, 8)
    of_frame = torch.zeros(count, 24, dtype=torch.long)
    for i in range(count):
        heard = letters[i].repeat_interleave(lengths[i])[:24]
        of_frame[i, : len(heard)] = heard + 1
        frames[i, : len(heard)] = sounds[heard]
    return frames + 0.5 * torch.randn_like(frames), letters + 1, of_frame


class Recogniser(nn.Module):
    def __init__(self, stride: int = 1) -> None:
        super().__init__()
        self.convolution = nn.Conv1d(8, 32, 3, stride, padding=1)
        self.recurrent = nn.GRU(32, 24, batch_first=True, bidirectional=True)
        self.head = nn.Linear(48, LETTERS + 1)

    def forward(self, frames: Tensor) -> Tensor:
        x = F.relu(self.convolution(frames.transpose(1, 2))).transpose(1, 2)
        return self.head(self.recurrent(x)[0])


def ctc() -> Trained:
    """Connectionist temporal classification; judged by the greedy transcript."""
    frames, letters, _ = spoken(700)
    flat = [torch.unique_consecutive(row) for row in letters]  # a letter twice is one sound
    lengths = torch.tensor([len(row) for row in flat])
    model = Recogniser(2)
    optimizer = torch.optim.AdamW(model.parameters(), lr=1e-2)
    loss_fn = nn.CTCLoss(blank=0, zero_infinity=True)
    with ss.watch(model, optimizer) as watch:
        for chosen in batches(600, 30, 14):
            log_probs = model(frames[chosen]).log_softmax(-1).transpose(0, 1)
            target = torch.cat([flat[i] for i in chosen.tolist()])
            loss = loss_fn(log_probs, target, torch.full((len(chosen),), 12), lengths[chosen])
            optimizer.zero_grad()
            loss.backward()
            nn.utils.clip_grad_norm_(model.parameters(), 5.0)
            optimizer.step()
            watch.step(loss)
    right = 0
    with torch.no_grad():
        for i, best in zip(range(600, 700), model.eval()(frames[600:]).argmax(-1), strict=True):
            path = torch.unique_consecutive(best)
            right += path[path > 0].tolist() == flat[i].tolist()
    return Trained(watch, right / 100)


def tones(count: int) -> tuple[Tensor, Tensor]:
    """A second at 400 Hz, [count, 400], with a tone, a chirp, a beat or a click train."""
    y = torch.randint(4, (count,))
    t = torch.arange(400) / 400
    pitch = 30 + 30 * torch.rand(count, 1)
    phase = 2 * math.pi * (pitch * t + torch.rand(count, 1))
    kinds = torch.stack(
        [
            torch.sin(phase),
            torch.sin(phase * (1 + t)),
            torch.sin(phase) * torch.sin(2 * math.pi * 6 * t),
            (torch.sin(phase / 4) > 0.95).float() * 2,
        ],
        1,
    )
    return kinds[torch.arange(count), y] + 0.3 * torch.randn(count, 400), y


def spectrograms() -> Trained:
    """Log spectrograms, some bands and times of which are hidden at random."""
    sound, y = tones(700)
    x = torch.stft(sound, 40, 20, window=torch.hann_window(40), return_complex=True).abs()
    x = (x + 1e-3).log()[:, None]
    x = (x - x[:600].mean()) / x[:600].std()
    model = nn.Sequential(
        nn.Conv2d(1, 8, 3, stride=2, padding=1),
        nn.BatchNorm2d(8),
        nn.ReLU(),
        nn.Conv2d(8, 16, 3, stride=2, padding=1),
        nn.BatchNorm2d(16),
        nn.ReLU(),
        nn.AdaptiveAvgPool2d(1),
        nn.Flatten(),
        nn.Linear(16, 4),
    )
    optimizer = torch.optim.Adam(model.parameters(), lr=5e-3)
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimizer, 1e-2, total_steps=240)
    with ss.watch(model, optimizer) as watch:
        for chosen in batches(600, 50, 20):
            model.train()
            masked = x[chosen].clone()
            band, at = int(torch.randint(18, ())), int(torch.randint(18, ()))
            masked[:, :, band : band + 3] = 0
            masked[..., at : at + 3] = 0
            descend(watch, optimizer, F.cross_entropy(model(masked), y[chosen]), y[chosen])
            schedule.step()
    known = {"train": (x[:600], y[:600]), "valid": (x[600:], y[600:]), "loss_fn": F.cross_entropy}
    return Trained(watch, accuracy(model, x[600:], y[600:]), known)


def waveforms() -> Trained:
    """Strided convolutions straight on the samples, as in speech encoders."""
    x, y = tones(700)
    model = nn.Sequential(
        nn.Unflatten(1, (1, 400)),
        nn.Conv1d(1, 16, 20, stride=5),
        nn.GroupNorm(4, 16),
        nn.GELU(),
        nn.Conv1d(16, 32, 8, stride=4),
        nn.GELU(),
        nn.AdaptiveMaxPool1d(1),
        nn.Flatten(),
        nn.Linear(32, 4),
    )
    optimizer = torch.optim.AdamW(model.parameters(), lr=4e-3)
    with ss.watch(model, optimizer) as watch:
        for chosen in batches(600, 30, 10):
            gain = 0.7 + 0.6 * torch.rand(len(chosen), 1)
            loss = F.cross_entropy(model(gain * x[chosen]), y[chosen])
            descend(watch, optimizer, loss, y[chosen])
    known = {"train": (x[:600], y[:600]), "valid": (x[600:], y[600:]), "loss_fn": F.cross_entropy}
    return Trained(watch, accuracy(model, x[600:], y[600:]), known)


def each_frame() -> Trained:
    """A letter for each frame, and silence."""
    frames, _, of_frame = spoken(500)
    model = Recogniser()
    optimizer = torch.optim.SGD(model.parameters(), lr=0.3, momentum=0.9)
    with ss.watch(model, optimizer) as watch:
        for chosen in batches(400, 25, 10):
            output = model(frames[chosen])
            loss = F.cross_entropy(output.flatten(0, 1), of_frame[chosen].flatten())
            descend(watch, optimizer, loss, of_frame[chosen])
    return Trained(watch, accuracy(model, frames[400:], of_frame[400:]))


CASES = [
    healthy("letters without places", ctc),
    healthy("spectrograms with hidden bands", spectrograms),
    healthy("sound from its samples", waveforms),
    healthy("a letter each frame", each_frame),
]
