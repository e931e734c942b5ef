import assert from "node:assert/strict";
import { test } from "node:test";

import * as numbers from "../../../sevensteps/view/web/numbers.js";

const base64 = (array) => Buffer.from(array.buffer).toString("base64");

test("numbers as a list and as float32 are the same", () => {
  assert.deepEqual([...numbers.decodeNumbers([1, null, 2.5])], [1, NaN, 2.5]);
  const packed = { f32: base64(new Float32Array([1, NaN, 2.5])) };
  assert.deepEqual([...numbers.decodeNumbers(packed)], [1, NaN, 2.5]);
  assert.deepEqual([...numbers.decodeSteps({ first: 3, every: 2, count: 3 })], [3, 5, 7]);
});

test("a matrix gives back its ends, and NaN where there is no number", () => {
  const data = base64(new Uint8Array([0, 254, 127, 255]));
  const linear = numbers.decodeMatrix({ rows: 2, columns: 2, lo: -1, hi: 1, scale: "linear", data });
  assert.equal(numbers.cell(linear, 0, 0), -1);
  assert.equal(numbers.cell(linear, 0, 1), 1);
  assert.equal(numbers.cell(linear, 1, 0), 0);
  assert.ok(Number.isNaN(numbers.cell(linear, 1, 1)));
  const log = numbers.decodeMatrix({ rows: 1, columns: 4, lo: 1e-4, hi: 1, scale: "log", data });
  assert.ok(Math.abs(numbers.cell(log, 0, 2) - 1e-2) < 1e-12);
  const zeros = numbers.decodeMatrix({ rows: 1, columns: 2, lo: 1e-4, hi: 1, scale: "log", zeros: true, data: btoa("\x00\x01") });
  assert.equal(numbers.cell(zeros, 0, 0), 0);
  assert.ok(Math.abs(numbers.cell(zeros, 0, 1) - 1e-4) < 1e-12);
  assert.throws(() => numbers.decodeMatrix({ rows: 9, columns: 2, lo: 0, hi: 1, scale: "log", data }));
});

test("numbers are written for people", () => {
  const cases = [
    [0, "0"], [3, "3"], [1196, "1,196"], [-12345678, "−12,345,678"], [0.0326293, "0.03263"],
    [0.5, "0.5"], [12.3456, "12.35"], [123456.7, "123,457"], [0.00001234, "1.234\u00a0·\u00a010⁻⁵"],
    [1e-9, "10⁻⁹"], [2.5e21, "2.5\u00a0·\u00a010²¹"], [null, "not finite"], [NaN, "not finite"],
    [Infinity, "∞"], [100.04, "100"], [0.001, "0.001"],
  ];
  for (const [number, text] of cases) assert.equal(numbers.format(number), text);
  assert.equal(numbers.withUnit(3, "ms"), "3\u00a0ms");
  assert.equal(numbers.counted(1, "step"), "1 step");
  assert.equal(numbers.counted(2000, "step"), "2,000 steps");
});

test("the nearest of sorted numbers", () => {
  assert.equal(numbers.nearest([], 1), -1);
  assert.equal(numbers.nearest([1, 5, 9], 6), 1);
  assert.equal(numbers.nearest([1, 5, 9], 99), 2);
  assert.equal(numbers.nearest([1, 5, 9], -1), 0);
});
