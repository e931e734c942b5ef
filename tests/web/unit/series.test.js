import assert from "node:assert/strict";
import { test } from "node:test";

import * as series from "../../../sevensteps/view/web/series.js";

const curve = (values, more = {}) => ({
  name: "loss", unit: "", steps: { first: 0, every: 1, count: values.length }, values, ...more,
});

test("the least and largest of steps that were not kept are points of the curve", () => {
  const { xs, ys } = series.seriesOf(
    curve([1, 2], { steps: [0, 10], range: { low: [0.5, 2], high: [99, 3] } }),
  );
  assert.ok(ys.includes(99) && ys.includes(0.5));
  assert.deepEqual([...xs], [...xs].sort((a, b) => a - b));
});

test("a spike is in what is drawn, with several curves and with seeds", () => {
  const values = Array.from({ length: 100_000 }, () => 1);
  values[64_321] = 40;
  const one = series.seriesOf(curve(values, { spread: { low: values, high: values, seeds: 3 } }));
  const other = series.seriesOf(curve([1, 2, 3]));
  const shown = series.visible([one, other], [0, 100_000], 800, false);
  assert.equal(shown.tables.length, 4);
  assert.ok(shown.tables[0][1].includes(40));
  assert.ok(series.valueRange([one, other], [0, 100_000], false)[1] >= 40);
});

test("a logarithmic axis leaves out what has no logarithm", () => {
  const one = series.seriesOf(curve([0, -1, 10, null]));
  const { tables, gaps } = series.visible([one], [0, 3], 100, true);
  assert.deepEqual(tables[0][1], [null, null, 10, null]);
  assert.deepEqual(gaps, [3]);
  const [low, high] = series.valueRange([one], [0, 3], true);
  assert.ok(low > 0 && low < 10 && high > 10);
});

test("ranges of nothing, of one point and of equal values can be drawn", () => {
  assert.deepEqual(series.wholeRange([]), [0, 1]);
  const one = series.seriesOf(curve([5]));
  const [from, to] = series.wholeRange([one]);
  assert.ok(from < to);
  const [low, high] = series.valueRange([one], [from, to], false);
  assert.ok(low < 5 && high > 5);
  assert.deepEqual(series.valueRange([series.seriesOf(curve([null]))], [0, 1], false), [0, 1]);
});

test("lines of a logarithmic axis lie within it", () => {
  assert.deepEqual(series.decades(0.9, 12_000), [1, 10, 100, 1000, 10_000]);
  for (const [low, high] of [[1e-9, 1], [0.02, 3], [5, 9]]) {
    const ticks = series.decades(low, high);
    assert.ok(ticks.every((tick) => tick >= low && tick <= high));
    assert.ok(ticks.length <= 9);
  }
  assert.ok(series.decades(0.02, 3).length >= 2);
});

test("the point under a cursor", () => {
  const one = series.seriesOf(curve([5, 6, null]));
  assert.deepEqual(series.at(one, 0.9), { step: 1, value: 6 });
  assert.deepEqual(series.at(one, Infinity), { step: 2, value: NaN });
  assert.equal(series.at(series.seriesOf(curve([])), 1), null);
});

test("one spike that would flatten the rest asks for a logarithmic axis", () => {
  const calm = Array.from({ length: 5000 }, (_, i) => 1 + Math.exp(-i / 500));
  const spike = calm.map((y, i) => (i === 1234 ? 50 : y));
  assert.equal(series.hasSpike([series.seriesOf(curve(calm))]), false);
  assert.equal(series.hasSpike([series.seriesOf(curve(spike))]), true);
  assert.equal(series.hasSpike([series.seriesOf(curve(spike.map((y) => y - 2)))]), false);
  assert.equal(series.hasSpike([series.seriesOf(curve([null, null]))]), false);
});

test("the lines of an axis have as many digits as tell them apart", () => {
  assert.deepEqual(series.tickTexts([2.3075, 2.31, 2.3125, null]), ["2.3075", "2.31", "2.3125", ""]);
  assert.deepEqual(series.tickTexts([1, 2]), ["1", "2"]);
});

test("texts of ticks are what the ticks are", () => {
  assert.deepEqual(series.tickTexts([1.025, 1.05, 1.075, 1.1]), ["1.025", "1.05", "1.075", "1.1"]);
  assert.deepEqual(series.tickTexts([0, null, 1500]), ["0", "", "1,500"]);
});

test("a logarithmic axis within one decade still has lines", () => {
  const ticks = series.decades(6.9e-7, 1.15e-6);
  assert.ok(ticks.length >= 2);
  assert.ok(ticks.every((tick) => tick >= 6.9e-7 && tick <= 1.15e-6));
});

test("a logarithmic axis is offered where it shows more", () => {
  assert.ok(series.spansDecade([series.seriesOf(curve([0.01, 5]))]));
  assert.ok(!series.spansDecade([series.seriesOf(curve([0.5, 0.9]))]));
});
