"""Toy data that can be drawn on paper: the speed of a roller coaster, and points of a few classes
in the plane.
"""

from __future__ import annotations

import math
from dataclasses import KW_ONLY
from pathlib import Path

import torch
from torch import Tensor

from sevensteps.arguments import number, one_of, whole
from sevensteps.data.build import build
from sevensteps.data.dataset import Data
from sevensteps.data.scaling import SCALINGS
from sevensteps.data.sources import Source
from sevensteps.errors import ArgumentError
from sevensteps.notation import value
from sevensteps.seeds import generator

__all__ = ["speed", "xor", "circles", "moons", "blobs", "spirals"]

AXES = ("x1", "x2")


@value
class speed(Source):
    """a roller coaster's speed, 0.75 (t - 9.5)^2 + 1, and noise

    y = 0.75 (t - 9.5)² + 1 + noise * randn at t = 0 .. 19 s; the validation part is a second draw
    of the noise at the same t. Raw t and raw speed, as in the book, which is why it trains slowly;
    scale="standardize" cures it. Source: fastbook, ch. 4."""

    _: KW_ONLY
    noise: float = 3.0
    scale: str = "default"
    target_scale: str = "none"
    seed: int = 0

    def __post_init__(self) -> None:
        _check(self, noise=self.noise)
        one_of("target_scale", self.target_scale, ("none", "standardize"))

    def load(self, data_dir: Path | None = None) -> Data:
        draw = generator(self.seed, "split")
        t = torch.arange(20.0)[:, None]
        y, judged = (
            torch.randn(20, 1, generator=draw) * self.noise + 0.75 * (t - 9.5).square() + 1
            for _ in range(2)
        )
        return build(
            self.text,
            t,
            y,
            valid=(t, judged),
            features=("t",),
            scale=_scale(self.scale, "none"),
            highest=19,
            target_scale=self.target_scale,
            about="speed of a roller coaster at t = 0 .. 19 s with noise (fastbook); valid: the "
            "noise drawn again",
        )


@value
class xor(Source):
    """is exactly one of two inputs 1? No straight line can tell

    `n` points around the corners of a square, in turn (0, 0), (0, 1), (1, 0) and (1, 1), plus noise
    * randn. xor(n=4, noise=0) is the truth table itself, trained and judged on the same four
    points. Split 80/20, each corner alike. Source: Minsky, Papert, Perceptrons (1969)."""

    _: KW_ONLY
    n: int = 200
    noise: float = 0.1
    scale: str = "default"
    seed: int = 0

    def __post_init__(self) -> None:
        _check(self, noise=self.noise)
        if whole("n", self.n, at_least=4) != 4 and self.n < 8:
            raise ArgumentError(
                "n must be 4 (the truth table) or at least 8 (two points for each corner), not "
                f"{self.n}"
            )

    def load(self, data_dir: Path | None = None) -> Data:
        draw = generator(self.seed, "split")
        corner = torch.arange(self.n) % 4
        first, second = corner // 2, corner % 2
        x = torch.stack([first, second], 1) + self.noise * torch.randn(self.n, 2, generator=draw)
        y = first ^ second
        table = self.n == 4
        return build(
            self.text,
            x,
            y,
            classes=("no", "yes"),
            features=AXES,
            scale=_scale(self.scale, "none"),
            draw=draw,
            valid=(x, y) if table else None,
            strata=corner,
            about="exactly one of two inputs is 1"
            + ("; trained and judged on the same four points" if table else ""),
        )


@value
class circles(Source):
    """a circle inside another: no straight line divides them

    The inner circle (yes) has `factor` times the radius 1 of the outer, plus noise. Split 80/20,
    each class alike. Source: sklearn.datasets.make_circles."""

    _: KW_ONLY
    n: int = 500
    noise: float = 0.1
    factor: float = 0.5
    scale: str = "default"
    seed: int = 0

    def __post_init__(self) -> None:
        _check(self, n=self.n, noise=self.noise)
        number("factor", self.factor, above=0, below=1)

    def load(self, data_dir: Path | None = None) -> Data:
        from sklearn.datasets import make_circles

        draw = generator(self.seed, "split")
        x, y = make_circles(self.n, noise=self.noise, factor=self.factor, random_state=_state(draw))
        return _plane(
            self,
            x,
            y,
            ("outer", "inner"),
            "none",
            draw,
            "two circles, one inside the other (scikit-learn)",
        )


@value
class moons(Source):
    """two half moons that reach into each other: a bent border

    Two half circles of radius 1, plus noise. Split 80/20, each class alike. Source:
    sklearn.datasets.make_moons."""

    _: KW_ONLY
    n: int = 500
    noise: float = 0.1
    scale: str = "default"
    seed: int = 0

    def __post_init__(self) -> None:
        _check(self, n=self.n, noise=self.noise)

    def load(self, data_dir: Path | None = None) -> Data:
        from sklearn.datasets import make_moons

        draw = generator(self.seed, "split")
        x, y = make_moons(self.n, noise=self.noise, random_state=_state(draw))
        return _plane(
            self,
            x,
            y,
            ("upper", "lower"),
            "none",
            draw,
            "two half moons that reach into each other (scikit-learn)",
        )


@value
class blobs(Source):
    """round clouds of points: the easy case, straight borders do

    `centers` drawn in [-10, 10]², points around them with standard deviation `std`. Split 80/20,
    each class alike. Scale: standardize. Source: sklearn.datasets.make_blobs."""

    _: KW_ONLY
    n: int = 500
    centers: int = 3
    std: float = 1.0
    scale: str = "default"
    seed: int = 0

    def __post_init__(self) -> None:
        _check(self, n=self.n)
        number("std", self.std, above=0)
        if whole("centers", self.centers, at_least=2) * 2 > self.n:
            raise ArgumentError(f"n must be at least twice centers = {self.centers}, not {self.n}")

    def load(self, data_dir: Path | None = None) -> Data:
        from sklearn.datasets import make_blobs

        draw = generator(self.seed, "split")
        x, y = make_blobs(
            self.n, centers=self.centers, cluster_std=self.std, random_state=_state(draw)
        )
        names = tuple(str(i) for i in range(self.centers))
        return _plane(
            self,
            x,
            y,
            names,
            "standardize",
            draw,
            f"{self.centers} round clouds of points (scikit-learn)",
        )


@value
class spirals(Source):
    """spirals wound into each other: small and hard

    Point (r cos a, r sin a) with r from 0 to 1 and a = 2π (turns r + arm / arms), plus noise *
    randn. Split 80/20, each arm alike. Source: Lang, Witbrock 1988, Learning to Tell Two Spirals
    Apart."""

    _: KW_ONLY
    n: int = 500
    noise: float = 0.02
    arms: int = 2
    turns: float = 1.5
    scale: str = "default"
    seed: int = 0

    def __post_init__(self) -> None:
        _check(self, n=self.n, noise=self.noise)
        number("turns", self.turns, above=0)
        if whole("arms", self.arms, at_least=2) * 2 > self.n:
            raise ArgumentError(f"n must be at least twice arms = {self.arms}, not {self.n}")

    def load(self, data_dir: Path | None = None) -> Data:
        draw = generator(self.seed, "split")
        y = torch.arange(self.n) % self.arms
        r = torch.rand(
            self.n, generator=draw
        ).sqrt()  # as many points at the outer turns, per length, as at the inner
        angle = 2 * math.pi * (self.turns * r + y / self.arms)
        x = torch.stack([r * angle.cos(), r * angle.sin()], 1) + self.noise * torch.randn(
            self.n, 2, generator=draw
        )
        names = tuple(str(i) for i in range(self.arms))
        return build(
            self.text,
            x,
            y,
            classes=names,
            features=AXES,
            scale=_scale(self.scale, "none"),
            draw=draw,
            about=f"{self.arms} spirals of {self.turns:g} turns wound into each other",
        )


def _check(source: Source, *, n: object = 10, noise: object = 0.0) -> None:
    one_of("scale", source.scale, ("default", *SCALINGS))
    whole("seed", source.seed)
    whole("n", n, at_least=10)
    number("noise", noise, at_least=0)


def _scale(asked: str, usual: str) -> str:
    return usual if asked == "default" else asked


def _state(draw: torch.Generator) -> int:
    """A seed for scikit-learn, drawn: given the same one, NumPy's and PyTorch's twisters would give
    the same stream.
    """
    return int(torch.randint(2**31 - 1, (), generator=draw))


def _plane(
    source: Source,
    x: object,
    y: object,
    classes: tuple[str, ...],
    usual: str,
    draw: torch.Generator,
    about: str,
) -> Data:
    points: Tensor = torch.as_tensor(x, dtype=torch.float64)
    return build(
        source.text,
        points,
        torch.as_tensor(y).long(),
        classes=classes,
        features=AXES,
        draw=draw,
        scale=_scale(source.scale, usual),
        about=about,
    )
