import assert from "node:assert/strict";
import { test } from "node:test";

import { decimate, extent, extremes } from "../../../sevensteps/view/web/decimate.js";

const COUNT = 100_000;

/** A calm curve of 100,000 steps with one outlier. */
function curve(outlier, value) {
  const xs = Float64Array.from({ length: COUNT }, (_, i) => i);
  const ys = xs.map((x) => Math.sin(x / 1000));
  ys[outlier] = value;
  return { xs, ys };
}

test("one outlier in 100,000 steps is kept at every zoom that shows it", () => {
  for (const outlier of [0, 1, 777, 50_000, 64_321, COUNT - 2, COUNT - 1]) {
    for (const value of [50, -50]) {
      const { xs, ys } = curve(outlier, value);
      for (let width = COUNT; width >= 4; width = Math.floor(width / 3)) {
        for (const columns of [200, 333, 1000, 2400]) {
          const from = Math.max(0, Math.min(COUNT - 1 - width, outlier - Math.floor(width / 2)));
          const shown = decimate(xs, ys, from, from + width, columns);
          assert.ok(shown.ys.includes(value), `${outlier} at a width of ${width} in ${columns}`);
          assert.ok(shown.xs.length <= 5 * (columns + 3));
        }
      }
    }
  }
});

test("points stay in order and are those of the curve", () => {
  const { xs, ys } = curve(31_415, 9);
  const shown = decimate(xs, ys, 1000, 90_000, 500);
  for (let i = 0; i < shown.xs.length; i++) {
    assert.equal(shown.ys[i], ys[shown.xs[i]]);
    if (i) assert.ok(shown.xs[i] > shown.xs[i - 1]);
  }
});

test("least and largest of every column are those of the curve", () => {
  const xs = Float64Array.from({ length: 20_000 }, (_, i) => i);
  const ys = xs.map((x) => ((x * 7919) % 10_007) / 100);
  const shown = decimate(xs, ys, 0, 20_000, 100);
  for (let column = 0; column < 100; column++) {
    const inside = shown.ys.filter((_, i) => Math.floor(shown.xs[i] / 200) === column);
    const all = Array.from(ys.slice(200 * column, 200 * column + 200));
    assert.equal(Math.max(...inside), Math.max(...all));
    assert.equal(Math.min(...inside), Math.min(...all));
  }
});

test("what is not finite stays a gap", () => {
  const { xs, ys } = curve(0, 0);
  ys[40_000] = NaN;
  const shown = decimate(xs, ys, 0, COUNT, 300);
  assert.ok(shown.ys.some(Number.isNaN));
  assert.deepEqual(shown.gaps, [40_000]);
});

test("a few points are all kept, and neighbours outside too", () => {
  assert.deepEqual(decimate([1, 2, 3, 4], [5, 6, 7, 8], 2.5, 2.7, 100).xs, [2, 3]);
  assert.deepEqual(decimate([1, 2, 3], [5, 6, 7], 0, 9, 100).xs, [1, 2, 3]);
  assert.deepEqual(decimate([], [], 0, 1, 10).xs, []);
});

test("the extent leaves out what is not finite, and what a logarithm cannot have", () => {
  const ys = [NaN, -1, 0, 3, Infinity];
  assert.deepEqual(extent([0, 1, 2, 3, 4], ys, 0, 4), [-1, 3]);
  assert.deepEqual(extent([0, 1, 2, 3, 4], ys, 0, 4, true), [3, 3]);
  assert.ok(Number.isNaN(extent([0], [NaN], 0, 1)[0]));
});

/** An array that counts how often its numbers are read. */
const counted = (values) => {
  const reads = { count: 0 };
  const array = new Proxy(values, {
    get(target, name) {
      if (typeof name === "string" && /^\d+$/.test(name)) reads.count++;
      return target[name];
    },
  });
  return { array, reads };
};

test("a zoom reads no more points of 1,000,000 steps than of 20,000", () => {
  const reads = [20_000, 1_000_000].map((count) => {
    const xs = Float64Array.from({ length: count }, (_, i) => i);
    const { array, reads } = counted(Array.from(xs, (x) => Math.sin(x)));
    extremes(array, 0, count); // once for all zooms
    reads.count = 0;
    decimate(xs, array, 0, count - 1, 1000);
    extent(xs, array, 0, count - 1);
    return reads.count;
  });
  assert.ok(reads[1] < 2.5 * reads[0], `${reads}`);
  assert.ok(reads[1] < 200_000, `${reads}`);
});

test("the extremes of any stretch are those of its points", () => {
  const ys = Array.from({ length: 3000 }, (_, i) => (i % 97 === 5 ? NaN : (i * 7919) % 1009));
  for (const [start, end] of [[0, 3000], [1, 2999], [7, 9], [64, 512], [5, 6], [100, 100], [511, 2049]]) {
    const finite = ys.slice(start, end).filter(Number.isFinite);
    const { low, high, gap } = extremes(ys, start, end);
    assert.equal(low < 0 ? Infinity : ys[low], Math.min(...finite));
    assert.equal(high < 0 ? -Infinity : ys[high], Math.max(...finite));
    assert.equal(gap >= 0, finite.length < end - start);
  }
});
