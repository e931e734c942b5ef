"""What every example uses: its seeds, MNIST, a figure asserted beside the published one, a picture
kept.
"""

from __future__ import annotations

import dataclasses
import functools
import os
import statistics
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import sevensteps as ss
from sevensteps.data.builtin.mnist_files import FOLDER_VARIABLE, SUBFOLDERS, cache_folder

HERE = Path(__file__).resolve().parent
BESIDE = HERE.parent.parent / "shared" / "data"
LARGEST = 60_000  # bytes of a picture that is kept


class Missing(Exception):
    """What an example needs is not on this machine; the message says how to get it."""


@dataclass(frozen=True)
class Figure:
    """A figure as published and as measured here, with the range in which it was to be."""

    what: str
    published: str
    ours: tuple[float, ...]
    low: float
    high: float
    command: str
    outside: str
    digits: int

    def value(self) -> str:
        """The median with the smallest and the largest, or the one value that all have."""
        low, middle, high = (
            f"{one:.{self.digits}f}"
            for one in (min(self.ours), statistics.median(self.ours), max(self.ours))
        )
        return low if low == high else f"{middle} ({low}–{high})"

    def verdict(self) -> str:
        """Whether all values lie in the range; if not, how many do, and why not all."""
        inside = sum(self.low <= one <= self.high for one in self.ours)
        if inside == len(self.ours):
            return "yes"
        half = 0.5 * 10**-self.digits
        where = f"{self.low + half:.{self.digits}f}–{self.high - half:.{self.digits}f}"
        return (
            f"{inside} of {len(self.ours)} in {where}: {self.outside}"
            if len(self.ours) > 1
            else f"no, {where}: {self.outside}"
        )


QUICK = False  # `python -m examples --quick`, and the tests: fewer seeds, no pictures kept
FIGURES: list[Figure] = []  # of the script that runs


def figure(
    what: str,
    *,
    published: str = "",
    ours: float | Sequence[float],
    low: float | None = None,
    high: float | None = None,
    exactly: float | None = None,
    tolerance: float = 5e-5,
    outside: str = "",
    measured: tuple[float, float] | None = None,
    command: str = "",
    digits: int = 4,
) -> None:
    """Assert `low ≤ ours ≤ high` for each value of `ours` (one for a seed), or `ours = exactly ±
    tolerance`, and keep it for RESULTS.md.

    The ends of a range are rounded to `digits`, so half of the last digit is granted. Where our
    values leave the published range, `outside` says why, and `measured` is the range that is
    asserted in its place."""
    values = tuple(float(one) for one in ours) if isinstance(ours, Sequence) else (float(ours),)
    if exactly is not None:
        low, high = exactly - tolerance, exactly + tolerance
    elif low is not None and high is not None:
        low, high = low - 0.5 * 10**-digits, high + 0.5 * 10**-digits
    if low is None or high is None:
        raise TypeError(f"{what}: give low and high, or exactly")
    assert bool(outside) == bool(measured), (
        f"{what}: a figure outside its range says why, and where it is"
    )
    entry = Figure(what, published, values, low, high, command, outside, digits)
    FIGURES.append(entry)
    print(f"→ {what}: {entry.value()}" + (f"   published: {published}" if published else ""))
    least, most = measured or (low, high)
    assert all(least <= one <= most for one in values), (
        f"{what}: {list(values)} is not within {least} to {most}"
    )


def seeds(full: int = 10, quick: int = 2) -> int:
    """How many seeds a range is taken over."""
    return quick if QUICK else full


def as_the_book_counts(run: ss.Run, data: ss.data.Data) -> float:
    """The accuracy that chapter 4 prints: the mean of the accuracies of the validation batches of
    256, of which the last is smaller.
    """
    right = (run.network(data.valid.x) > 0) == (data.valid.y > 0.5)
    return statistics.mean(batch.double().mean().item() for batch in right.split(256))


@functools.cache
def mnist(name: str = "mnist") -> ss.data.Data:
    """`mnist` or `mnist37` from files that are here already. Raises `Missing` where none are: an
    example downloads nothing.
    """
    for folder in (Path(os.environ.get(FOLDER_VARIABLE) or BESIDE), BESIDE, cache_folder()):
        if any((folder / inside / "train-images-idx3-ubyte.gz").is_file() for inside in SUBFOLDERS):
            return ss.data.load(name, folder)
    raise Missing(
        "this example needs MNIST: fetch it with `sevensteps data mnist`, or set SEVENSTEPS_DATA "
        "to the folder of its four files"
    )


@functools.cache
def as_the_book_sorts() -> ss.data.Data:
    """`mnist37` in the order of the book: its files by name, as text, so that 10.png, 10000.png,
    10011.png come first.

    `mnist37` itself has the order of the IDX files, which also is all 3s, then all 7s.
    """
    data, labels = mnist("mnist37"), mnist("mnist").train.y.flatten()
    names = [
        [str(number) for number in (labels == digit).nonzero().flatten().tolist()]
        for digit in (3, 7)
    ]
    places = [sorted(range(len(of)), key=lambda place, of=of: f"{of[place]}.png") for of in names]
    order = places[0] + [len(places[0]) + place for place in places[1]]
    return dataclasses.replace(data, train=ss.data.Part(data.train.x[order], data.train.y[order]))


def show(subject: Any) -> None:
    """Print a run, a race or a diagnosis; in a notebook it shows itself, with its page."""
    print(subject)


def picture(drawn: Any, name: str) -> None:
    """Keep a matplotlib figure as examples/pictures/NAME.png, if it is small; in a notebook it is
    shown as well.
    """
    if QUICK:
        return
    path = HERE / "pictures" / f"{name}.png"
    path.parent.mkdir(exist_ok=True)
    drawn.savefig(path, dpi=70, bbox_inches="tight", metadata={"Software": None})
    if path.stat().st_size > LARGEST:
        path.unlink()
        print(f"{path.name} is larger than {LARGEST:,} bytes and is not kept")
