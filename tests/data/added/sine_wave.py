"""A source of data in one file: what docs/architecture.md shows."""

from dataclasses import KW_ONLY
from pathlib import Path

import torch

from sevensteps.arguments import number
from sevensteps.data.build import build_data
from sevensteps.data.dataset import Data
from sevensteps.data.sources import Source
from sevensteps.notation import value
from sevensteps.seeds import generator

__all__ = ["sine_wave"]


@value
class sine_wave(Source):
    """one period of a sine wave, with noise

    y = sin(2π t) + noise * randn at 200 points t in 0 .. 1. Split 80/20. Source: trigonometry."""

    _: KW_ONLY
    noise: float = 0.1
    scale: str = "default"
    seed: int = 0

    def __post_init__(self) -> None:
        super().__post_init__()
        number("noise", self.noise, at_least=0)

    def load(self, data_dir: Path | None = None) -> Data:
        g = generator(self.seed, "split")
        t = torch.rand(200, 1, generator=g)
        y = torch.sin(2 * torch.pi * t) + self.noise * torch.randn(200, 1, generator=g)
        scale, about = self.scale_or("none"), "one period of a sine wave"
        return build_data(
            self.text, t, y, about=about, scale=scale, features=("t",), split_generator=g
        )
