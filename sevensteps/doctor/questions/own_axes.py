"""How far the numbers of a sample vary together by their row and their column: of axes as they are
meant, not of rows and columns that numbers were cut into anew.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import torch
from jaxtyping import Float
from torch import Tensor, nn

from sevensteps.doctor.case import Case
from sevensteps.doctor.questions.asker import Asker, put
from sevensteps.doctor.questions.reading_order import ORDERED, first_read

MOST = 1000  # numbers of a sample: more are not compared, it would take long
LEAST = 100  # fewer say too little of how numbers vary together
ITERATIONS = 20  # of the singular vector, with what is missing filled in
RELIABLE = 0.05  # correlation of the covariances of two halves of the samples
READERS = (*ORDERED, nn.Linear, nn.MultiheadAttention)
SAMPLES = 512  # samples


@dataclass(frozen=True)
class OwnAxes:
    """What `layer` reads as `axes`, of `shape`, and in the other `order` in which the same numbers
    may lie: the cosine of `product_of_axes` in either, and the share of places that are one-hot.
    """

    layer: str
    axes: str
    order: str
    shape: tuple[int, ...]
    as_read: float
    other: float
    one_hot_as_read: float
    one_hot_other: float


def own_axes(case: Case) -> OwnAxes | None:
    """Ask the first layer that reads the inputs with more than one axis."""
    return put(case, "inputs_scrambled", _ask, SAMPLES)


def _ask(asker: Asker) -> OwnAxes | None:
    first = first_read(asker, READERS)
    return None if first is None else compare(*first)


def compare(layer: str, x: Tensor, channels_first: bool) -> OwnAxes | None:
    """x [B, C, H, W] or [B, C, T], or, not `channels_first`, [B, T, F], against the order in which
    channels, or features, are the other axis in memory.
    """
    if x.ndim == 4 and channels_first:
        axes, order = "channels, height, width", "height, width, channels"
    elif x.ndim == 3:
        axes, order = "time, features", "features, time"
        if channels_first:
            axes, order = "channels, time", "time, channels"
    else:
        return None
    places = x.flatten(2)
    _, rows, columns = places.shape
    if min(rows, columns) < 2 or rows == columns:
        return None
    channels = places if channels_first else places.transpose(1, 2)
    anew = places.reshape(-1, columns, rows)
    return OwnAxes(
        layer,
        axes,
        order,
        tuple(x.shape),
        product_of_axes(places.flatten(1), rows),
        product_of_axes(places.flatten(1), columns),
        one_hot_places(channels),
        one_hot_places(anew.transpose(1, 2) if channels_first else anew),
    )


def product_of_axes(x: Float[Tensor, "N D"], rows: int) -> float:
    """The cosine between the covariance of the numbers of a sample, read in so many rows, and the
    best product of one covariance of rows and one of columns.

    The product is fitted to one half of the samples and compared with the other, so that chance
    adds nothing; what varies alone (the diagonal) is left out. 0 for few samples, for many numbers
    and for numbers that do not vary together. Source: Van Loan, Pitsianis 1993, Approximation with
    Kronecker products.
    """
    count, size = x.shape
    columns = size // rows
    if count < LEAST or size > MOST or min(rows, columns) < 2:
        return 0.0
    x = x.double() - x.double().mean(0)
    spread = x.std(0)
    x = torch.where(spread > 1e-9 * spread.max(), x / spread, 0.0)
    known, other = (_arranged(part.T @ part / len(part), rows) for part in (x[0::2], x[1::2]))
    alone = _arranged(torch.eye(size, dtype=torch.double), rows) > 0
    known[alone] = other[alone] = 0.0
    common = float((known * other).sum())
    if common < RELIABLE * float(known.norm() * other.norm()):
        return 0.0
    filled, of_columns = known, known.abs().mean(0)
    for _ in range(ITERATIONS):
        of_rows = filled @ of_columns
        of_rows = of_rows / of_rows.norm().clamp_min(1e-30)
        of_columns = filled.T @ of_rows
        product = of_rows[:, None] * of_columns
        filled = torch.where(alone, product, known)
    product[alone] = 0.0
    cosine = float((product * other).sum() / product.norm().clamp_min(1e-30)) / math.sqrt(common)
    return min(1.0, max(0.0, cosine))


def _arranged(covariance: Float[Tensor, "D D"], rows: int) -> Float[Tensor, "RR CC"]:
    """With a row for each two rows and a column for each two columns: a product has rank 1 then."""
    columns = len(covariance) // rows
    pairs = covariance.reshape(rows, columns, rows, columns).permute(0, 2, 1, 3)
    return pairs.reshape(rows * rows, columns * columns)


def one_hot_places(x: Float[Tensor, "N C P"]) -> float:
    """The share of places that have one number 1 among their channels and all others 0."""
    if not bool(((x == 0) | (x == 1)).all()):
        return 0.0
    return float((x.sum(1) == 1).double().mean())
