"""The two kinds of matrix product that a dense layer needs."""

from __future__ import annotations

from sevensteps.engine.compiled import tiles
from sevensteps.engine.compiled.machine_code import Array, kernel, sum_kernel

ROWS = tiles.ROWS
BYTES = tiles.VECTOR


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
def dot(a: Array, b: Array) -> float:
    """Σₖ aₖ bₖ."""
    total: float = a.dtype.type(0)
    for k in range(len(a)):
        total += a[k] * b[k]
    return total


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
            for r in range(rows):
                c[r, s] = start[r] + dot(a[r, :depth], b[s, :depth])
        return
    for s in range(0, columns, 4):
        for r in range(0, rows, 4):
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
