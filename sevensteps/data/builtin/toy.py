"""Toy data that can be drawn on paper: a roller coaster's speed, and classes of points."""

from __future__ import annotations

import math
from dataclasses import KW_ONLY
from pathlib import Path

import torch
from torch import Tensor

from sevensteps.arguments import number, one_of, whole
from sevensteps.data.build import build_data
from sevensteps.data.dataset import Data
from sevensteps.data.sources import Source
from sevensteps.errors import ArgumentError
from sevensteps.notation import value
from sevensteps.seeds import generator

__all__ = ["speed", "xor", "circles", "moons", "blobs", "spirals"]

AXES = ("x1", "x2")


@value
class speed(Source):
    """a roller coaster's speed: a t² + b t + c, and noise

    y = a t² + b t + c + noise * randn at t = 0 .. 19 s. With a = 0.75, b = -14.25 and c = 68.6875,
    as they are unless set, the curve is 0.75 (t - 9.5)² + 1, whose lowest point is at 9.5 s; the
    validation part is a second draw of the noise at the same t. Raw t and raw speed, as in the
    book, which is why it trains slowly; scale="standardize" cures it. Source: fastbook, ch. 4.
    """

    _: KW_ONLY
    noise: float = 3.0
    a: float = 0.75
    b: float = -14.25
    c: float = 68.6875
    scale: str = "default"
    target_scale: str = "none"
    seed: int = 0

    def __post_init__(self) -> None:
        super().__post_init__()
        number("noise", self.noise, at_least=0)
        for name in ("a", "b", "c"):
            number(name, getattr(self, name))
        one_of("target_scale", self.target_scale, ("none", "standardize"))

    def load(self, data_dir: Path | None = None) -> Data:
        random = generator(self.seed, "split")
        t = torch.arange(20.0)[:, None]
        y, y_valid = (
            torch.randn(20, 1, generator=random) * self.noise + self._curve(t) for _ in range(2)
        )
        return build_data(
            self.text,
            t,
            y,
            valid=(t, y_valid),
            features=("t",),
            scale=self.scale_or("none"),
            highest=19,
            target_scale=self.target_scale,
            about="speed of a roller coaster at t = 0 .. 19 s: a t² + b t + c + noise, with "
            f"a = {self.a:g}, b = {self.b:g}, c = {self.c:g} (fastbook); valid: the noise drawn "
            "again",
        )

    def _curve(self, t: Tensor) -> Tensor:
        """a t² + b t + c, as a (t - h)² + k where it is curved, which rounds less."""
        if not self.a:
            return self.b * t + self.c
        h = -self.b / (2 * self.a)
        return self.a * (t - h).square() + (self.c - self.a * h * h)


@value
class xor(Source):
    """is exactly one of two inputs 1? No straight line can tell

    `n` points around the corners of a square, in turn (0, 0), (0, 1), (1, 0) and (1, 1), plus noise
    * randn. xor(n=4, noise=0) is the truth table itself, trained and validated on the same four
    points. Split 80/20, each corner alike. Source: Minsky, Papert, Perceptrons (1969).
    """

    _: KW_ONLY
    n: int = 200
    noise: float = 0.1
    scale: str = "default"
    seed: int = 0

    def __post_init__(self) -> None:
        super().__post_init__()
        number("noise", self.noise, at_least=0)
        if whole("n", self.n, at_least=4) != 4 and self.n < 8:
            raise ArgumentError(
                "n must be 4 (the truth table) or at least 8 (two points for each corner), not "
                f"{self.n}"
            )

    def load(self, data_dir: Path | None = None) -> Data:
        random = generator(self.seed, "split")
        corner = torch.arange(self.n) % 4
        first, second = corner // 2, corner % 2
        x = torch.stack([first, second], 1) + self.noise * torch.randn(self.n, 2, generator=random)
        y = first ^ second
        truth_table = self.n == 4
        return build_data(
            self.text,
            x,
            y,
            classes=("no", "yes"),
            features=AXES,
            scale=self.scale_or("none"),
            split_generator=random,
            valid=(x, y) if truth_table else None,
            strata=corner,
            about="exactly one of two inputs is 1"
            + ("; trained and validated on the same four points" if truth_table else ""),
        )


@value
class circles(Source):
    """a circle inside another: no straight line divides them

    The inner circle (yes) has `factor` times the radius 1 of the outer, plus noise. Split 80/20,
    each class alike. Source: sklearn.datasets.make_circles.
    """

    _: KW_ONLY
    n: int = 500
    noise: float = 0.1
    factor: float = 0.5
    scale: str = "default"
    seed: int = 0

    def __post_init__(self) -> None:
        super().__post_init__()
        _check_points(self.n, self.noise)
        number("factor", self.factor, above=0, below=1)

    def load(self, data_dir: Path | None = None) -> Data:
        from sklearn.datasets import make_circles

        random = generator(self.seed, "split")
        x, y = make_circles(
            self.n, noise=self.noise, factor=self.factor, random_state=_numpy_seed(random)
        )
        return _build_plane(
            self,
            x,
            y,
            ("outer", "inner"),
            "none",
            random,
            "two circles, one inside the other (scikit-learn)",
        )


@value
class moons(Source):
    """two half moons that reach into each other: a bent border

    Two half circles of radius 1, plus noise. Split 80/20, each class alike. Source:
    sklearn.datasets.make_moons.
    """

    _: KW_ONLY
    n: int = 500
    noise: float = 0.1
    scale: str = "default"
    seed: int = 0

    def __post_init__(self) -> None:
        super().__post_init__()
        _check_points(self.n, self.noise)

    def load(self, data_dir: Path | None = None) -> Data:
        from sklearn.datasets import make_moons

        random = generator(self.seed, "split")
        x, y = make_moons(self.n, noise=self.noise, random_state=_numpy_seed(random))
        return _build_plane(
            self,
            x,
            y,
            ("upper", "lower"),
            "none",
            random,
            "two half moons that reach into each other (scikit-learn)",
        )


@value
class blobs(Source):
    """round clouds of points: the easy case, straight borders do

    `centers` drawn in [-10, 10]², points around them with standard deviation `std`. Split 80/20,
    each class alike. Scale: standardize. Source: sklearn.datasets.make_blobs.
    """

    _: KW_ONLY
    n: int = 500
    centers: int = 3
    std: float = 1.0
    scale: str = "default"
    seed: int = 0

    def __post_init__(self) -> None:
        super().__post_init__()
        _check_points(self.n)
        number("std", self.std, above=0)
        if whole("centers", self.centers, at_least=2) * 2 > self.n:
            raise ArgumentError(f"n must be at least twice centers = {self.centers}, not {self.n}")

    def load(self, data_dir: Path | None = None) -> Data:
        from sklearn.datasets import make_blobs

        random = generator(self.seed, "split")
        x, y = make_blobs(
            self.n, centers=self.centers, cluster_std=self.std, random_state=_numpy_seed(random)
        )
        names = tuple(str(i) for i in range(self.centers))
        return _build_plane(
            self,
            x,
            y,
            names,
            "standardize",
            random,
            f"{self.centers} round clouds of points (scikit-learn)",
        )


@value
class spirals(Source):
    """spirals wound into each other: small and hard

    Point (r cos a, r sin a) with r from 0 to 1 and a = 2π (turns r + arm / arms), plus noise *
    randn. Split 80/20, each arm alike. Source: Lang, Witbrock 1988, Learning to Tell Two Spirals
    Apart.
    """

    _: KW_ONLY
    n: int = 500
    noise: float = 0.02
    arms: int = 2
    turns: float = 1.5
    scale: str = "default"
    seed: int = 0

    def __post_init__(self) -> None:
        super().__post_init__()
        _check_points(self.n, self.noise)
        number("turns", self.turns, above=0)
        if whole("arms", self.arms, at_least=2) * 2 > self.n:
            raise ArgumentError(f"n must be at least twice arms = {self.arms}, not {self.n}")

    def load(self, data_dir: Path | None = None) -> Data:
        random = generator(self.seed, "split")
        y = torch.arange(self.n) % self.arms
        # as many points at the outer turns, per length, as at the inner
        r = torch.rand(self.n, generator=random).sqrt()
        angle = 2 * math.pi * (self.turns * r + y / self.arms)
        x = torch.stack([r * angle.cos(), r * angle.sin()], 1) + self.noise * torch.randn(
            self.n, 2, generator=random
        )
        names = tuple(str(i) for i in range(self.arms))
        return build_data(
            self.text,
            x,
            y,
            classes=names,
            features=AXES,
            scale=self.scale_or("none"),
            split_generator=random,
            about=f"{self.arms} spirals of {self.turns:g} turns wound into each other",
        )


def _check_points(n: object, noise: object = 0.0) -> None:
    whole("n", n, at_least=10)
    number("noise", noise, at_least=0)


def _numpy_seed(random: torch.Generator) -> int:
    """A seed for scikit-learn, drawn: with the same seed, NumPy's and PyTorch's generators would
    give the same stream.
    """
    return int(torch.randint(2**31 - 1, (), generator=random))


def _build_plane(
    source: Source,
    x: object,
    y: object,
    classes: tuple[str, ...],
    usual_scale: str,
    random: torch.Generator,
    about: str,
) -> Data:
    points: Tensor = torch.as_tensor(x, dtype=torch.float64)
    return build_data(
        source.text,
        points,
        torch.as_tensor(y).long(),
        classes=classes,
        features=AXES,
        split_generator=random,
        scale=source.scale_or(usual_scale),
        about=about,
    )
