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
  const few = end - start <= 4 * columns;
  const kept = few
    ? Array.from({ length: Math.max(0, end - start) }, (_, i) => start + i)
    : indices(xs, ys, start, end, from, to, columns);
  const width = (to - from) / columns || 1;
  /** @type {number[]} */
  const gaps = [];
  for (const i of kept) {
    if (Number.isFinite(ys[i]) || xs[i] < from || xs[i] > to) continue;
    if (!gaps.length || xs[i] - gaps[gaps.length - 1] >= width) gaps.push(xs[i]);
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
  const width = (to - from) / columns || 1;
  for (let i = start; i < end; ) {
    const column = Math.floor((xs[i] - from) / width);
    let next = Math.min(end, Math.max(i + 1, lowerBound(xs, from + (column + 1) * width)));
    // where rounding has moved the edge of the column
    while (next < end && Math.floor((xs[next] - from) / width) === column) next++;
    const { low, high, gap } = extremes(ys, i, next);
    const few = new Set([i, low, high, gap, next - 1]);
    few.delete(-1);
    kept.push(...[...few].sort((a, b) => a - b));
    i = next;
  }
  return kept;
}

/** How many entries of one level an entry of the next stands for. */
const FAN = 8;

/**
 * Of each `FAN` entries of the level below: where the least, the largest, and one that is not finite
 * stand; -1 for none.
 *
 * @typedef {{low: Int32Array, high: Int32Array, gap: Int32Array}} Level
 * @typedef {{low: number, high: number, gap: number}} Places
 */

/** @type {WeakMap<object, Level[]>} */
const pyramids = new WeakMap();

/**
 * Where the least and the largest finite number of `ys` from `start` until `end` stand, and one that
 * is not finite; -1 for none. After the first call for `ys` it reads some 16 numbers for each factor
 * of 8 between one point and all of them, and not every point.
 *
 * @param {ArrayLike<number>} ys
 * @param {number} start
 * @param {number} end
 * @returns {Places}
 */
export function extremes(ys, start, end) {
  let levels = pyramids.get(ys);
  if (!levels) {
    levels = pyramidOf(ys);
    pyramids.set(ys, levels);
  }
  /** @type {Places} */
  const places = { low: -1, high: -1, gap: -1 };
  for (let i = start; i < end; ) {
    let height = 0;
    let size = 1;
    while (height < levels.length && i % (size * FAN) === 0 && i + size * FAN <= end) {
      height++;
      size *= FAN;
    }
    if (height === 0) merge(places, ys, i, i, i);
    else {
      const { low, high, gap } = levels[height - 1];
      const at = i / size;
      merge(places, ys, low[at], high[at], gap[at]);
    }
    i += size;
  }
  return places;
}

/** @param {ArrayLike<number>} ys @returns {Level[]} */
function pyramidOf(ys) {
  /** @type {Level[]} */
  const levels = [];
  for (let count = Math.floor(ys.length / FAN); count > 0; count = Math.floor(count / FAN)) {
    const below = levels[levels.length - 1];
    const level = { low: new Int32Array(count), high: new Int32Array(count), gap: new Int32Array(count) };
    for (let at = 0; at < count; at++) {
      /** @type {Places} */
      const places = { low: -1, high: -1, gap: -1 };
      for (let i = at * FAN; i < (at + 1) * FAN; i++) {
        if (below) merge(places, ys, below.low[i], below.high[i], below.gap[i]);
        else merge(places, ys, i, i, i);
      }
      level.low[at] = places.low;
      level.high[at] = places.high;
      level.gap[at] = places.gap;
    }
    levels.push(level);
  }
  return levels;
}

/**
 * @param {Places} places
 * @param {ArrayLike<number>} ys
 * @param {number} low
 * @param {number} high
 * @param {number} gap - one point may stand for all three: what is not finite is only a gap
 */
function merge(places, ys, low, high, gap) {
  if (gap >= 0 && !Number.isFinite(ys[gap])) places.gap = gap;
  if (low >= 0 && Number.isFinite(ys[low]) && (places.low < 0 || ys[low] < ys[places.low])) places.low = low;
  if (high >= 0 && Number.isFinite(ys[high]) && (places.high < 0 || ys[high] > ys[places.high])) places.high = high;
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
  const start = lowerBound(xs, from);
  let end = lowerBound(xs, to);
  while (end < xs.length && xs[end] === to) end++;
  const { low, high } = extremes(ys, start, end);
  if (low < 0) return [NaN, NaN];
  if (!positive || ys[low] > 0) return [ys[low], ys[high]];
  let least = NaN;
  for (let i = start; i < end; i++) if (ys[i] > 0 && Number.isFinite(ys[i]) && !(ys[i] >= least)) least = ys[i];
  return ys[high] > 0 ? [least, ys[high]] : [NaN, NaN];
}
