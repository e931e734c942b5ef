import assert from "node:assert/strict";
import { test } from "node:test";

import { barOf, places, rangeOf, ticksOf } from "../../../sevensteps/view/web/evidence.js";
import { dots } from "../../../sevensteps/view/web/network.js";
import { axisOf } from "../../../sevensteps/view/web/trials.js";

const measure = (observed, expected) => ({ measure: "m", observed, expected, source: "" });

test("what is expected is read from words", () => {
  const cases = [
    ["below 0.5", [null, 0.5]], ["at most 1,000", [null, 1000]], ["< 3", [null, 3]],
    ["at least 0.945", [0.945, null]], ["above 1e-3", [0.001, null]],
    ["0.1 to 10", [0.1, 10]], ["between 1 and 2", [1, 2]], ["0.3", [0.3, 0.3]],
    ["below 2.43, the first", [null, 2.43]], ["few", null], ["finite", null],
  ];
  for (const [text, range] of cases) assert.deepEqual(rangeOf(text), range, text);
});

test("evidence is drawn where it is a number, and only there", () => {
  assert.deepEqual(barOf(measure("1 of 30", "30 of 30")), { observed: 1, expected: [30, 30], whole: 30 });
  assert.deepEqual(barOf(measure("30 of 30", "few")).expected, [0, 3]);
  assert.equal(barOf(measure(5, "below 0.001")).log, true);
  assert.equal(barOf(measure(0.9, "below 0.5")).log, false);
  assert.equal(barOf(measure("softmax, softmax", "softmax")), null);
  assert.equal(barOf(measure(null, "below 1")), null);
  const own = { observed: 3, expected: [null, 1] };
  assert.equal(barOf({ ...measure(3, "below 1"), bar: own }), own);
});

test("observed and expected lie within the bar", () => {
  for (const bar of [
    { observed: 5, expected: [null, 1] }, { observed: 1e-9, expected: [0.1, 10], log: true },
    { observed: -2, expected: [0, null] }, { observed: 0, expected: [0, 0] },
  ]) {
    for (const place of Object.values(places(bar))) assert.ok(place >= 0 && place <= 1, place);
  }
});

test("a bar has a scale with the ends of what is expected, and no two texts touch", () => {
  for (const [bar, texts] of [
    [{ observed: 3.6, expected: [null, 0.1], log: true }, ["0.1", "1", "10"]],
    [{ observed: 0.3, expected: [null, 1] }, ["0", "0.5", "1"]],
    [{ observed: 1, expected: [30, 30], whole: 30 }, ["0", "10", "20", "30"]],
    [{ observed: 0, expected: [0, 0] }, ["0", "0.5", "1"]],
  ]) {
    const ticks = ticksOf(bar);
    assert.deepEqual(ticks.map(({ text }) => text), texts);
    ticks.forEach((tick, i) => assert.ok(!i || tick.place - ticks[i - 1].place >= 0.17));
    assert.ok(ticks.every(({ place }) => place >= 0 && place <= 1));
  }
});

test("blamed units are among the dots", () => {
  assert.deepEqual(dots(3, [1]), [false, true, false]);
  assert.equal(dots(5000, [4999]).at(-1), true);
  assert.equal(dots(5000, [4999]).filter(Boolean).length, 1);
  assert.deepEqual(dots(2, [7, -1]), [false, false]);
});

test("an axis of trials has room for all results", () => {
  const trial = { untouched: [0.1, null], remedied: [0.9], random: [] };
  assert.deepEqual(axisOf(trial), [0, 1]);
  const [low, high] = axisOf({ untouched: [-5], remedied: [-1], random: [-9] });
  assert.ok(low < -9 && high > -1);
  assert.deepEqual(axisOf({ untouched: [], remedied: [null], random: [] }), [0, 1]);
});
