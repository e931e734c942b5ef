"""The data of the cases, as pairs of float32 or int64 tensors for training and for validation: ((x,
y), (xv, yv)).

MNIST and auto-mpg are read where `$SEVENSTEPS_DATA` or the shared data beside the repository has
them; without, scikit-learn's digits and a table drawn to be like it stand in, so that every case
can be run anywhere."""

from __future__ import annotations

import functools
import os
from pathlib import Path

import numpy as np
import torch
from sklearn import datasets
from torch import Tensor

Pair = tuple[Tensor, Tensor]
Data = tuple[Pair, Pair]
SHARED = Path(
    os.environ.get("SEVENSTEPS_DATA") or Path(__file__).resolve().parents[3] / "shared" / "data"
)


@functools.cache
def mnist(train: int = 5000, valid: int = 1000, scale: float = 1.0) -> Data:
    """Digits [N, 784] in 0..1 times `scale`: the first of MNIST, else scikit-learn's digits made as
    large.
    """
    import sevensteps as ss

    try:
        folder = SHARED if (SHARED / "mnist").is_dir() or any(SHARED.glob("*idx3-ubyte*")) else None
        data = ss.data.load("mnist", folder) if folder else None
    except ss.Error:
        data = None
    if data is None:
        (x, y), (xv, yv) = digits()
        # as many, and as different, as MNIST's, so that as many steps learn as much
        x, y = torch.cat([_enlarged(x, *shift) for shift in SHIFTS]), y.repeat(len(SHIFTS))
        xv = _enlarged(xv)
    else:
        (x, y), (xv, yv) = ((part.x.flatten(1), part.y) for part in (data.train, data.valid))
    return (x[:train] * scale, y[:train].clone()), (xv[:valid] * scale, yv[:valid].clone())


SHIFTS = ((0, 0), (1, 0), (0, 1), (-1, 0))  # pixels of 28 down and to the right


def _enlarged(x: Tensor, down: int = 0, right: int = 0) -> Tensor:
    """[N, 64] -> [N, 784], moved; squared, which makes the strokes as thin as MNIST's."""
    image = torch.nn.functional.interpolate(x.view(-1, 1, 8, 8), size=28, mode="bilinear")
    moved = torch.nn.functional.pad(image, (right, -right, down, -down))
    return moved.square().flatten(1)


@functools.cache
def digits() -> Data:
    """scikit-learn's digits [N, 64] in 0..1: 1300 and 497."""
    x, y = datasets.load_digits(return_X_y=True)
    return split(x.astype(np.float32) / 16, y.astype(np.int64), 1300)


@functools.cache
def circle() -> Data:
    """Two rings [N, 2], targets [N, 1] of 0 and 1: 700 and 300."""
    x, y = datasets.make_circles(1000, noise=0.1, random_state=1)
    return split(x.astype(np.float32), y.astype(np.float32)[:, None], 700)


@functools.cache
def moons() -> Data:
    """Two half moons [N, 2], targets [N, 1] of 0 and 1: 700 and 300."""
    x, y = datasets.make_moons(1000, noise=0.15, random_state=3)
    return split(x.astype(np.float32), y.astype(np.float32)[:, None], 700)


@functools.cache
def blob() -> Data:
    """Three clouds [N, 2], classes [N]: 700 and 300."""
    x, y = datasets.make_blobs(1000, centers=3, cluster_std=2, random_state=2)
    return split(x.astype(np.float32), y.astype(np.int64), 700)


@functools.cache
def xor() -> Data:
    """The four corners [4, 2] and their targets [4, 1], to learn and to judge by."""
    pair = torch.tensor([[0.0, 0], [0, 1], [1, 0], [1, 1]]), torch.tensor([[0.0], [1], [1], [0]])
    return pair, pair


@functools.cache
def mpg(scaled: bool = True) -> Data:
    """Cars [N, 9] and their miles per gallon [N, 1], raw (about 24 ± 8) or both standardised: 300
    and 92, mixed.
    """
    file = SHARED / "tabular" / "mpg.csv"
    rows = np.loadtxt(file, delimiter=",", skiprows=1) if file.is_file() else _cars()
    rows = rows[np.random.default_rng(0).permutation(len(rows))]
    x, y = rows[:, 1:], rows[:, 0]
    if scaled:
        x, y = (x - x[:300].mean(0)) / x[:300].std(0), (y - y[:300].mean()) / y[:300].std()
    return split(x.astype(np.float32), y.astype(np.float32)[:, None], 300)


def _cars() -> np.ndarray:
    """A table drawn to be like auto-mpg's: miles per gallon, then nine columns of very different
    scales. [392, 10]
    """
    draw = np.random.default_rng(0)
    n = 392
    cylinders = draw.choice([4.0, 6.0, 8.0], n, p=[0.55, 0.2, 0.25])
    displacement = cylinders * 40 + draw.normal(0, 20, n)
    power = displacement * 0.4 + draw.normal(20, 10, n)
    weight = displacement * 8 + draw.normal(1400, 150, n)
    acceleration, year = draw.normal(15.5, 2.5, n), draw.integers(70, 83, n).astype(float)
    origin = np.eye(3)[draw.choice(3, n, p=[0.17, 0.2, 0.63])]
    y = 46 - 0.0075 * weight + 0.75 * (year - 76) - 0.02 * power + draw.normal(0, 1.5, n)
    return np.concatenate(
        [np.stack([y, cylinders, displacement, power, weight, acceleration, year], 1), origin], 1
    )


def curve(
    f: str, low: float, high: float, count: int = 200, noise: float = 0.0, scaled: bool = False
) -> Data:
    """y = f(x) for x in low..high, [N, 1] both, standardised if `scaled`; every fourth sample
    judges.
    """
    x = np.linspace(low, high, count)
    y = {"5x": 5 * x, "x2": 5 * x**2, "x4": x**4, "sin": np.sin(x), "half": x / 2}[f]
    y = y + np.random.default_rng(0).normal(0, noise, count) if noise else y
    if scaled:
        x, y = (x - x.mean()) / x.std(), (y - y.mean()) / y.std()
    order = np.random.default_rng(1).permutation(count)
    return split(
        x[order, None].astype(np.float32), y[order, None].astype(np.float32), count * 3 // 4
    )


def split(x: np.ndarray, y: np.ndarray, count: int) -> Data:
    """The first `count` samples to train on, the others to judge by."""
    a, b = torch.from_numpy(x), torch.from_numpy(y)
    return (a[:count], b[:count]), (a[count:], b[count:])
