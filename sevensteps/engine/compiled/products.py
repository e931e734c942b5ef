"""The two kinds of matrix product that a dense layer needs."""

from __future__ import annotations

from sevensteps.engine.compiled import tiles
from sevensteps.engine.compiled.machine_code import Array, kernel, sum_kernel

ROWS = tiles.ROWS
BYTES = tiles.VECTOR
GROUP = 64  # rows of a product that the cache has room for while all samples pass by


@kernel
def sums_of_rows(c: Array, a: Array, b: Array, start: Array, spare: Array) -> None:
    """cᵣ = startᵣ + Σₖ aᵣₖ bₖ: each row of c [R, N] is a sum of rows of b [K, ≥ N], by the numbers
    of a [R, K].

    Rows of b must be readable up to a whole number of vectors; `spare` [R, 64] holds the columns of
    c that do not fill one.
    """
    lanes = BYTES // c.itemsize
    rows, columns = c.shape
    j = 0
    while j < columns:
        target, at, left = c, j, columns - j
        if left < lanes:
            target, at = spare, 0
        for i in range(0, rows - ROWS + 1, ROWS):
            _tile(target, i, at, a, b, j, start, left >= 2 * lanes)
        done = rows // ROWS * ROWS
        if done < rows and rows > ROWS:  # once more over some rows: they get the same numbers
            _tile(target, rows - ROWS, at, a, b, j, start, left >= 2 * lanes)
        elif done < rows:
            for i in range(rows):
                _tile_of_one(target, i, at, a, b, j, start, left >= 2 * lanes)
        if left < lanes:
            for i in range(rows):
                for lane in range(left):
                    c[i, j + lane] = spare[i, lane]
        j += 2 * lanes if left >= 2 * lanes else lanes


@kernel
def _tile(c: Array, i: int, at: int, a: Array, b: Array, j: int, start: Array, two: bool) -> None:
    if two:
        tiles.wide(c[:, at:], i, 0, a, b[:, j:], start)
    else:
        tiles.narrow(c[:, at:], i, 0, a, b[:, j:], start)


@kernel
def _tile_of_one(
    c: Array, i: int, at: int, a: Array, b: Array, j: int, start: Array, two: bool
) -> None:
    if two:
        tiles.one_wide(c[:, at:], i, 0, a, b[:, j:], start)
    else:
        tiles.one_narrow(c[:, at:], i, 0, a, b[:, j:], start)


@sum_kernel
def weighted_sums(y: Array, s: int, w: Array, x: Array, start: Array) -> None:
    """y[r, s] = startᵣ + Σₖ wᵣₖ xₖ for one sample x [K], four rows of w [R, K] at once.

    The last four may overlap those before them; they get the same numbers again.
    """
    rows, zero = len(w), x.dtype.type(0)
    if rows < 4:
        for r in range(rows):
            c0 = zero
            for k in range(len(x)):
                c0 += w[r, k] * x[k]
            y[r, s] = start[r] + c0
        return
    for first in range(0, rows, 4):
        r = min(first, rows - 4)
        c0 = c1 = c2 = c3 = zero
        for k in range(len(x)):
            c0 += w[r, k] * x[k]
            c1 += w[r + 1, k] * x[k]
            c2 += w[r + 2, k] * x[k]
            c3 += w[r + 3, k] * x[k]
        y[r, s], y[r + 1, s] = start[r] + c0, start[r + 1] + c1
        y[r + 2, s], y[r + 3, s] = start[r + 2] + c2, start[r + 3] + c3


@kernel
def add_products(c: Array, g: Array, s: int, x: Array) -> None:
    """cᵣ ← cᵣ + g[r, s] x for each row of c [R, K]: one sample's part of a product. Rows whose g is
    0 stay.
    """
    for r in range(len(c)):
        factor = g[r, s]
        if factor != 0:
            for k in range(len(x)):
                c[r, k] += factor * x[k]


@kernel
def descend_products(w: Array, rate: float, g: Array, x: Array) -> None:
    """wᵣ ← wᵣ - rate (gᵣ x): the gradient of one sample, and the step with it, for each row that
    it moves.
    """
    for r in range(len(w)):
        slope = g[r, 0]
        if slope != 0:
            for k in range(len(x)):
                w[r, k] -= rate * (slope * x[k])


@kernel
def sum_of_rows(total: Array, g: Array, s: int, w: Array) -> None:
    """total = Σᵣ g[r, s] wᵣ over the rows of w [R, K] whose g is not 0."""
    for k in range(len(total)):
        total[k] = 0
    for r in range(len(w)):
        factor = g[r, s]
        if factor != 0:
            for k in range(len(total)):
                total[k] += factor * w[r, k]


@kernel
def dots(c: Array, a: Array, b: Array, start: Array, depth: int) -> None:
    """cᵣₛ = startᵣ + Σₖ aᵣₖ bₛₖ: dot products of rows of a [R, ≥ K] and of b [S, ≥ K], over
    the first K = `depth` numbers of each.

    Four rows by four at once: a number that is loaded is used four times. The last four may overlap
    those before them; they get the same numbers again.
    """
    rows, columns = len(a), len(b)
    if rows < 4 or columns < 4:
        for s in range(columns):
            weighted_sums(c, s, a[:, :depth], b[s, :depth], start)
        return
    for top in range(0, rows, GROUP):
        for s in range(0, columns, 4):
            for r in range(top, min(top + GROUP, rows), 4):
                _dots_of_four(c, a, b, start, min(r, rows - 4), min(s, columns - 4), depth)


@sum_kernel
def _dots_of_four(c: Array, a: Array, b: Array, start: Array, r: int, s: int, depth: int) -> None:
    a0, a1, a2, a3 = a[r], a[r + 1], a[r + 2], a[r + 3]
    b0, b1, b2, b3 = b[s], b[s + 1], b[s + 2], b[s + 3]
    zero = a.dtype.type(0)
    c00 = c01 = c02 = c03 = c10 = c11 = c12 = c13 = zero
    c20 = c21 = c22 = c23 = c30 = c31 = c32 = c33 = zero
    for k in range(depth):
        x0, x1, x2, x3 = a0[k], a1[k], a2[k], a3[k]
        y0, y1, y2, y3 = b0[k], b1[k], b2[k], b3[k]
        c00, c01, c02, c03 = c00 + x0 * y0, c01 + x0 * y1, c02 + x0 * y2, c03 + x0 * y3
        c10, c11, c12, c13 = c10 + x1 * y0, c11 + x1 * y1, c12 + x1 * y2, c13 + x1 * y3
        c20, c21, c22, c23 = c20 + x2 * y0, c21 + x2 * y1, c22 + x2 * y2, c23 + x2 * y3
        c30, c31, c32, c33 = c30 + x3 * y0, c31 + x3 * y1, c32 + x3 * y2, c33 + x3 * y3
    for i, row in enumerate(
        ((c00, c01, c02, c03), (c10, c11, c12, c13), (c20, c21, c22, c23), (c30, c31, c32, c33))
    ):
        for j, total in enumerate(row):
            c[r + i, s + j] = start[r + i] + total
