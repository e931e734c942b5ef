"""Sounds: waves, spectra, and letters read from them."""

from __future__ import annotations

from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from benchmarks.doctor.cases.field.trained import Trained, batches, descend
from benchmarks.doctor.cases.field_faults.pair import Pair, Watch, fit, known, right


def tones(count: int, length: int = 64, noise: float = 0.5) -> tuple[Tensor, Tensor]:
    """Waves [count, 1, length] of one of four pitches at any phase and in noise, and which."""
    y = torch.randint(4, (count,))
    pitch = torch.tensor([0.35, 0.6, 1.0, 1.6])[y][:, None]
    wave = torch.sin(pitch * torch.arange(length) + 6.28 * torch.rand(count, 1))
    return (wave + noise * torch.randn(count, length))[:, None], y


def spectra(count: int) -> tuple[Tensor, Tensor]:
    """Spectra [count, frames 20, bands 12] of three glides: up, down, or a level tone."""
    y = torch.randint(3, (count,))
    start = 3 + 6 * torch.rand(count, 1)
    slope = torch.tensor([0.4, -0.4, 0.0])[y][:, None]
    at = start + slope * (torch.arange(20) - 10)
    x = torch.exp(-((torch.arange(12) - at[:, :, None]) ** 2))
    return x + 0.3 * torch.randn(count, 20, 12), y


def wave_reader(dropout: float = 0.0) -> nn.Sequential:
    layers = [nn.Conv1d(1, 16, 9), nn.ReLU(), nn.Conv1d(16, 16, 9, stride=2), nn.ReLU()]
    pooled = [nn.AdaptiveAvgPool1d(1), nn.Flatten(), nn.Dropout(dropout), nn.Linear(16, 4)]
    return nn.Sequential(*layers, *pooled)


def calls(count: int) -> tuple[Tensor, Tensor]:
    """Spectra [count, frames 20, bands 12] of a short call in one of six pairs of bands."""
    y, start = torch.randint(6, (count, 1)), torch.randint(16, (count, 1))
    now = (torch.arange(20) >= start) & (torch.arange(20) < start + 5)
    here = torch.arange(12) // 2 == y
    x = 1.5 * (now[:, :, None] & here[:, None]).float()
    return x + 0.4 * torch.randn(count, 20, 12), y[:, 0]


def bands_laid_over_frames(cured: bool, watch: Watch) -> Trained:
    """`view` from [B, frames, bands] to [B, bands, frames], in place of exchanging the axes."""
    frames, y = calls(900)
    x = frames.transpose(1, 2).contiguous() if cured else frames.view(900, 12, 20)
    model = nn.Sequential(nn.Conv1d(12, 16, 1), nn.ReLU(), nn.AdaptiveAvgPool1d(1), nn.Flatten())
    model.append(nn.Linear(16, 6))
    optimizer = torch.optim.Adam(model.parameters(), lr=1e-2)
    watching = fit(watch, model, optimizer, F.cross_entropy, x[:600], y[:600], 12)
    return Trained(watching, right(model(x[600:]), y[600:]), known(x, y, 600, F.cross_entropy))


def whole_numbers_of_16_bits(cured: bool, watch: Watch) -> Trained:
    """Waves between -32,768 and 32,767, as a file holds them, or between -1 and 1."""
    x, y = tones(900)
    x = x / x.abs().max() if cured else (32767 * x / x.abs().max()).round()
    model = wave_reader()
    optimizer = torch.optim.SGD(model.parameters(), lr=0.1, momentum=0.9)
    watching = fit(watch, model, optimizer, F.cross_entropy, x[:700], y[:700], 10)
    return Trained(watching, right(model(x[700:]), y[700:]), known(x, y, 700, F.cross_entropy))


def logarithm_of_silence(cured: bool, watch: Watch) -> Trained:
    """Loudness in decibels; some frames are silent, and their logarithm is -inf."""
    x, y = spectra(900)
    power = x.square() * (torch.rand(900, 20, 1) > 0.02)
    x = torch.log10(power + 1e-3) if cured else torch.log10(power)
    x = x.transpose(1, 2).contiguous()
    model = nn.Sequential(nn.Conv1d(12, 16, 5), nn.ReLU(), nn.AdaptiveMaxPool1d(4), nn.Flatten())
    model.append(nn.Linear(64, 3))
    optimizer = torch.optim.Adam(model.parameters(), lr=3e-3)
    watching = fit(watch, model, optimizer, F.cross_entropy, x[:700], y[:700], 8)
    return Trained(watching, right(model(x[700:]), y[700:]), known(x, y, 700, F.cross_entropy))


class Masked(nn.Module):
    """Whole bands and stretches of time are blanked, in training or always."""

    def __init__(self, always: bool) -> None:
        super().__init__()
        self.always = always
        self.layers = nn.Sequential(nn.Flatten(), nn.Linear(240, 48), nn.ReLU(), nn.Linear(48, 3))

    def forward(self, x: Tensor) -> Tensor:
        if self.training or self.always:
            bands = (torch.rand(len(x), 1, 12) < 0.4).float()
            frames = (torch.rand(len(x), 20, 1) < 0.4).float()
            x = 2.5 * x * bands * frames
        kinds: Tensor = self.layers(x)
        return kinds


def blanked_for_ever(cured: bool, watch: Watch) -> Trained:
    x, y = spectra(1000)
    model = Masked(not cured)
    optimizer = torch.optim.Adam(model.parameters(), lr=3e-3)
    with watch(model, optimizer) as watching:
        for _ in range(15):
            model.train()
            for chosen in batches(700, 32, 1):
                loss = F.cross_entropy(model(x[chosen]), y[chosen])
                descend(watching, optimizer, loss, y[chosen])
            model.eval()
            with torch.no_grad():
                output = model(x[700:])
            score = right(output, y[700:])
            watching.valid(loss=float(F.cross_entropy(output, y[700:])), score=score)
    return Trained(watching, score, known(x, y, 700, F.cross_entropy))


def hardly_a_step(cured: bool, watch: Watch) -> Trained:
    """Gradients are cut to a length of 0.001, where 1 was meant."""
    x, y = tones(900, noise=0.3)
    model = wave_reader()
    optimizer = torch.optim.SGD(model.parameters(), lr=0.05, momentum=0.9)
    with watch(model, optimizer) as watching:
        for chosen in batches(700, 32, 10):
            loss = F.cross_entropy(model(x[chosen]), y[chosen])
            optimizer.zero_grad()
            loss.backward()
            nn.utils.clip_grad_norm_(model.parameters(), 1.0 if cured else 1e-3)
            optimizer.step()
            watching.step(loss, target=y[chosen])
    return Trained(watching, right(model(x[700:]), y[700:]), known(x, y, 700, F.cross_entropy))


class Letters(nn.Module):
    """The chances of a blank and five letters for each frame, or their logarithms."""

    def __init__(self, logarithms: bool) -> None:
        super().__init__()
        self.logarithms = logarithms
        self.layers = nn.Sequential(nn.Conv1d(8, 24, 3, padding=1), nn.ReLU(), nn.Conv1d(24, 6, 1))

    def forward(self, x: Tensor) -> Tensor:
        scores: Tensor = self.layers(x)
        return scores.log_softmax(1) if self.logarithms else scores.softmax(1)


def spelled(count: int) -> tuple[Tensor, Tensor]:
    """Sounds [count, 8, 18] of three letters, each of four frames or so with two of quiet after,
    and the letters 1 … 5.
    """
    letters = torch.randint(1, 6, (count, 3))
    voices = torch.cat([torch.zeros(1, 8), 1.5 * torch.randn(5, 8)])
    which = letters.repeat_interleave(6, 1) * (torch.arange(18) % 6 < 4)
    return (voices[which] + 0.4 * torch.randn(count, 18, 8)).transpose(1, 2).contiguous(), letters


def chances_for_logarithms(cured: bool, watch: Watch) -> Trained:
    """The loss over all alignments takes logarithms of chances; it was handed the chances."""
    x, letters = spelled(700)
    model = Letters(cured)
    optimizer = torch.optim.Adam(model.parameters(), lr=1e-2)

    def loss_fn(output: Tensor, target: Tensor) -> Tensor:
        count = len(target)
        frames, lengths = torch.full((count,), 18), torch.full((count,), 3)
        return F.ctc_loss(output.permute(2, 0, 1), target, frames, lengths)

    watching: Any = fit(watch, model, optimizer, loss_fn, x[:500], letters[:500], 10, 25)
    best = model(x[500:]).argmax(1)
    runs = [torch.unique_consecutive(line) for line in best]
    spelt = [line[line > 0].tolist() for line in runs]
    hits = [word == truth for word, truth in zip(spelt, letters[500:].tolist(), strict=True)]
    return Trained(watching, sum(hits) / len(hits), known(x, letters, 500, loss_fn))


PAIRS = [
    Pair(
        "bands laid over frames",
        "bands exchanged with frames",
        ("inputs_scrambled",),
        bands_laid_over_frames,
        0.6,
        0.85,
    ),
    Pair(
        "waves of whole numbers of 16 bits",
        "waves between -1 and 1",
        ("inputs_unscaled",),
        whole_numbers_of_16_bits,
        0.5,
        0.8,
    ),
    Pair(
        "decibels of silence without a floor",
        "decibels of silence with a floor",
        ("inputs_not_finite", "not_finite"),
        logarithm_of_silence,
        0.0,
        0.75,
    ),
    Pair(
        "bands and frames blanked in use too",
        "bands and frames blanked in training only",
        ("mode_mismatch",),
        blanked_for_ever,
        0.88,
        0.95,
    ),
    Pair(
        "gradients of sounds cut to a thousandth",
        "gradients of sounds cut to 1",
        ("gradient_clipped_away",),
        hardly_a_step,
        0.5,
        0.8,
    ),
    Pair(
        "alignments of letters by chances",
        "alignments of letters by logarithms of chances",
        ("output_loss_mismatch",),
        chances_for_logarithms,
        0.3,
        0.8,
    ),
]
