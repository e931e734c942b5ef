/** Curves as a chart draws them: sorted points, and what is seen of them between two steps. */

import { decimate, extent } from "./decimate.js";
import { decodeNumbers, decodeSteps, format, nearest } from "./numbers.js";

/** @typedef {import("./document.js").Curve} Curve */

/**
 * @typedef {object} Series
 * @property {string} name
 * @property {string} unit
 * @property {Float64Array} xs
 * @property {Float64Array} ys - NaN where a number is not finite
 * @property {number} behind
 * @property {{low: Float64Array, high: Float64Array, seeds: number}|null} spread
 * @property {{value: number, name: string}[]} levels
 */

/** @type {WeakMap<object, Series>} */
const cache = new WeakMap();

/**
 * @param {Pick<Curve, "name"|"unit"|"steps"|"values"> & Partial<Curve>} curve
 * @returns {Series}
 */
export function seriesOf(curve) {
  let series = cache.get(curve);
  if (!series) {
    const xs = decodeSteps(curve.steps);
    const ys = decodeNumbers(curve.values);
    const points = curve.range
      ? withRange(
          { xs, ys, low: decodeNumbers(curve.range.low), high: decodeNumbers(curve.range.high) },
          (curve.behind ?? 0) - 1,
        )
      : { xs, ys };
    const spread = curve.spread && {
      low: decodeNumbers(curve.spread.low),
      high: decodeNumbers(curve.spread.high),
      seeds: curve.spread.seeds,
    };
    series = {
      name: curve.name,
      unit: curve.unit,
      ...points,
      behind: curve.behind ?? xs.length,
      spread: spread ?? null,
      levels: curve.levels ?? [],
    };
    cache.set(curve, series);
  }
  return series;
}

/**
 * Points of which the least and the largest of all steps until the next are points as well.
 *
 * @param {{[name in "xs"|"ys"|"low"|"high"]: Float64Array}} points
 * @param {number} end - the last step of all
 */
function withRange({ xs, ys, low, high }, end) {
  const allX = new Float64Array(3 * xs.length);
  const allY = new Float64Array(3 * xs.length);
  for (let i = 0; i < xs.length; i++) {
    const gap = i + 1 < xs.length ? xs[i + 1] - xs[i] : Math.max(0, end - xs[i]);
    allX.set([xs[i], xs[i] + gap / 3, xs[i] + (2 * gap) / 3], 3 * i);
    allY.set([ys[i], low[i], high[i]], 3 * i);
  }
  return { xs: allX, ys: allY };
}

/**
 * The first and the last step of all curves.
 *
 * @param {Series[]} all
 * @returns {[number, number]}
 */
export function wholeRange(all) {
  const some = all.filter((series) => series.xs.length);
  if (!some.length) return [0, 1];
  const first = Math.min(...some.map((series) => series.xs[0]));
  const last = Math.max(...some.map((series) => series.xs[series.xs.length - 1]));
  return first < last ? [first, last] : [first - 1, last + 1];
}

/**
 * What a chart of `columns` pixels shows between two steps: for each series its points, for a
 * logarithmic axis only those above 0.
 *
 * @param {Series[]} all
 * @param {[number, number]} range
 * @param {number} columns
 * @param {boolean} log
 */
export function visible(all, range, columns, log) {
  const drawn = /** @param {number} y */ (y) => (Number.isFinite(y) && (!log || y > 0) ? y : null);
  /** @type {[number[], (number|null)[]][]} */
  const tables = [];
  /** @type {number[]} */
  const gaps = [];
  for (const series of all) {
    const points = decimate(series.xs, series.ys, range[0], range[1], columns);
    tables.push([points.xs, points.ys.map(drawn)]);
    gaps.push(...points.gaps);
    for (const side of series.spread ? [series.spread.low, series.spread.high] : []) {
      const edge = decimate(series.xs, side, range[0], range[1], columns);
      tables.push([edge.xs, edge.ys.map(drawn)]);
    }
  }
  return { tables, gaps };
}

/**
 * The least and the largest value between two steps, with some room.
 *
 * @param {Series[]} all
 * @param {[number, number]} range
 * @param {boolean} log
 * @param {number[]} [also] - values that are to be seen too
 * @returns {[number, number]}
 */
export function valueRange(all, range, log, also = []) {
  const ends = all.flatMap((series) => [
    ...extent(series.xs, series.ys, range[0], range[1], log),
    ...(series.spread ? extent(series.xs, series.spread.low, range[0], range[1], log) : []),
    ...(series.spread ? extent(series.xs, series.spread.high, range[0], range[1], log) : []),
  ]);
  const numbers = [...ends, ...also].filter((n) => Number.isFinite(n) && (!log || n > 0));
  if (!numbers.length) return log ? [0.1, 1] : [0, 1];
  const low = Math.min(...numbers);
  const high = Math.max(...numbers);
  if (log) return low === high ? [low / 2, high * 2] : [low / 1.15, high * 1.15];
  if (low === high) return [low - Math.abs(low) / 2 - 0.1, high + Math.abs(high) / 2 + 0.1];
  const room = (high - low) * 0.06;
  return [low >= 0 && low < room * 4 ? Math.min(0, low) : low - room, high + room];
}

/**
 * The point of a series that is nearest to a step; null where there is none.
 *
 * @param {Series} series
 * @param {number} step
 * @returns {{step: number, value: number}|null}
 */
export function at(series, step) {
  const index = nearest(series.xs, step);
  return index < 0 ? null : { step: series.xs[index], value: series.ys[index] };
}

/**
 * Where a logarithmic axis has lines: powers of ten, with 2 and 5 times them where there are few.
 *
 * @param {number} low
 * @param {number} high
 * @returns {number[]}
 */
export function decades(low, high) {
  const first = Math.floor(Math.log10(low));
  const last = Math.ceil(Math.log10(high));
  const every = Math.max(1, Math.ceil((last - first) / 6));
  const times = last - first > 3 ? [1] : last - first > 2 ? [1, 3] : [1, 2, 5];
  /** @type {number[]} */
  const ticks = [];
  for (let power = first; power <= last; power += every) {
    for (const factor of times) {
      const tick = Number(`${factor}e${power}`);
      if (tick >= low && tick <= high) ticks.push(tick);
    }
  }
  return ticks.length > 1 ? ticks : evenly(low, high);
}

/** Round numbers, evenly spaced. @param {number} low @param {number} high @param {number} [most] */
export function evenly(low, high, most = 5) {
  const rough = (high - low) / (most - 1);
  const power = 10 ** Math.floor(Math.log10(rough));
  const every = power * ([1, 2, 5].find((times) => times * power >= rough) ?? 10);
  const first = Math.ceil(low / every);
  const count = Math.floor(high / every) - first + 1;
  return Array.from({ length: Math.max(0, count) }, (_, i) => Number(((first + i) * every).toPrecision(12)));
}

/** How many times what is usual a spike is from which on a linear axis would hide all else. */
const SPIKE = 5;

/**
 * Whether one spike would flatten the rest on a linear axis: the largest value is more than `SPIKE`
 * times what 95 % stay below, and a logarithmic axis can show all.
 *
 * @param {Series[]} all
 */
export function hasSpike(all) {
  return all.some(({ xs, ys }) => {
    const [low, high] = extent(xs, ys, -Infinity, Infinity);
    if (!(low > 0) || xs.length < 20) return false;
    const every = Math.ceil(ys.length / 2000);
    const some = ys.filter((y, i) => i % every === 0 && Number.isFinite(y)).sort();
    return high > SPIKE * some[Math.floor(0.95 * (some.length - 1))];
  });
}

/**
 * Whether positive values span more than a factor of ten, so that a logarithmic axis shows more.
 *
 * @param {Series[]} all
 */
export function spansDecade(all) {
  const ends = all.map(({ xs, ys }) => extent(xs, ys, -Infinity, Infinity));
  return Math.max(...ends.map((end) => end[1])) > 10 * Math.min(...ends.map((end) => end[0]));
}

/**
 * The texts of the lines of an axis, with as many digits as they have and as tell them apart.
 *
 * @param {(number|null)[]} ticks
 * @returns {string[]}
 */
export function tickTexts(ticks) {
  const known = ticks.filter((tick) => tick !== null).length;
  const exact = /** @param {number} digits */ (digits) =>
    ticks.every((tick) => !tick || Math.abs(Number(tick.toPrecision(digits)) / tick - 1) < 1e-9);
  for (let digits = 3; ; digits++) {
    if (digits < 6 && !exact(digits)) continue;
    const texts = ticks.map((tick) => (tick === null ? "" : format(tick, digits)));
    if (digits > 8 || new Set(texts.filter(Boolean)).size === known) return texts;
  }
}
