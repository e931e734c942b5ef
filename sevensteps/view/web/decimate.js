/** Fewer points for the same picture: of each pixel column the first, least, largest and last. */

import { lowerBound } from "./numbers.js";

/**
 * The points of a curve that `columns` pixel columns between `from` and `to` show. No value that
 * is the least or the largest of its column is lost, at any zoom, and a number that is not finite
 * stays one. A neighbour on either side is kept, so that lines run out of the picture.
 *
 * @param {ArrayLike<number>} xs - sorted
 * @param {ArrayLike<number>} ys
 * @param {number} from
 * @param {number} to
 * @param {number} columns
 * @returns {{xs: number[], ys: number[], gaps: number[]}} `gaps`: x of what is not finite, at most
 *   one in each column
 */
export function decimate(xs, ys, from, to, columns) {
  const start = Math.max(0, lowerBound(xs, from) - 1);
  const past = lowerBound(xs, to);
  const end = Math.min(xs.length, past + (xs[past] === to ? 2 : 1));
  const kept = indices(xs, ys, start, end, from, to, columns);
  /** @type {number[]} */
  const gaps = [];
  const width = (to - from) / columns || 1;
  for (let i = start; i < end; i++) {
    const inside = xs[i] >= from && xs[i] <= to;
    if (inside && !Number.isFinite(ys[i])) {
      if (!gaps.length || xs[i] - gaps[gaps.length - 1] >= width) gaps.push(xs[i]);
    }
  }
  return { xs: kept.map((i) => xs[i]), ys: kept.map((i) => ys[i]), gaps };
}

/**
 * @param {ArrayLike<number>} xs
 * @param {ArrayLike<number>} ys
 * @param {number} start
 * @param {number} end
 * @param {number} from
 * @param {number} to
 * @param {number} columns
 * @returns {number[]}
 */
function indices(xs, ys, start, end, from, to, columns) {
  /** @type {number[]} */
  const kept = [];
  if (end - start <= 4 * columns) {
    for (let i = start; i < end; i++) kept.push(i);
    return kept;
  }
  const width = (to - from) / columns || 1;
  let i = start;
  while (i < end) {
    const column = Math.floor((xs[i] - from) / width);
    let j = i;
    let low = -1;
    let high = -1;
    let gap = -1;
    while (j < end && Math.floor((xs[j] - from) / width) === column) {
      const y = ys[j];
      if (!Number.isFinite(y)) gap = j;
      else {
        if (low < 0 || y < ys[low]) low = j;
        if (high < 0 || y > ys[high]) high = j;
      }
      j++;
    }
    const few = new Set([i, low, high, gap, j - 1]);
    few.delete(-1);
    kept.push(...[...few].sort((a, b) => a - b));
    i = j;
  }
  return kept;
}

/**
 * The least and largest finite number of `ys` where `from <= xs <= to`; [NaN, NaN] for none.
 *
 * @param {ArrayLike<number>} xs
 * @param {ArrayLike<number>} ys
 * @param {number} from
 * @param {number} to
 * @param {boolean} [positive] - only numbers above 0, as for a logarithmic axis
 * @returns {[number, number]}
 */
export function extent(xs, ys, from, to, positive = false) {
  let low = NaN;
  let high = NaN;
  for (let i = lowerBound(xs, from); i < xs.length && xs[i] <= to; i++) {
    const y = ys[i];
    if (!Number.isFinite(y) || (positive && y <= 0)) continue;
    if (!(y >= low)) low = y;
    if (!(y <= high)) high = y;
  }
  return [low, high];
}
