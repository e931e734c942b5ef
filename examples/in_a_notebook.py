"""What the examples use, as their notebooks have it: `examples.notebooks` writes these functions
into the first cell, so that a notebook needs nothing but sevensteps and matplotlib.
"""

from __future__ import annotations

import dataclasses
import statistics

import sevensteps as ss

QUICK = True  # a few seeds; False takes ten, as the published table does


def figure(what, *, ours, published="", digits=4, **ignored):
    """Print a figure: the median over the seeds, with the smallest and the largest."""
    values = sorted(ours) if isinstance(ours, (list, tuple)) else [ours]
    low, middle, high = (
        f"{value:.{digits}f}" for value in (values[0], statistics.median(values), values[-1])
    )
    shown = low if low == high else f"{middle} ({low}–{high})"
    print(f"→ {what}: {shown}" + (f"   published: {published}" if published else ""))


def seeds(full=10, quick=2):
    """How many seeds a range is taken over."""
    return quick if QUICK else full


def mnist(name="mnist"):
    """MNIST, from the files in $SEVENSTEPS_DATA, or downloaded once."""
    return ss.data.load(name)


def as_the_book_counts(run, data):
    """The accuracy that chapter 4 prints: the mean over validation batches of 256."""
    right = (run.network(data.valid.x) > 0) == (data.valid.y > 0.5)
    return statistics.mean(batch.double().mean().item() for batch in right.split(256))


def as_the_book_sorts():
    """`mnist37` in the order of the book's files: 10.png, 10000.png, 10011.png …"""
    data, labels = mnist("mnist37"), mnist("mnist").train.y.flatten()
    names = [
        [str(number) for number in (labels == digit).nonzero().flatten().tolist()]
        for digit in (3, 7)
    ]
    places = [sorted(range(len(of)), key=lambda place, of=of: f"{of[place]}.png") for of in names]
    order = places[0] + [len(places[0]) + place for place in places[1]]
    return dataclasses.replace(data, train=ss.data.Part(data.train.x[order], data.train.y[order]))


def picture(drawn, name):
    """The picture stands below the cell."""


def show(subject):
    """The page stands below the cell, in a frame; a picture and text where there are no frames."""
    display(subject)
