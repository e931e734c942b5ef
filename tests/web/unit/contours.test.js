import assert from "node:assert/strict";
import { test } from "node:test";

import { contour, heights } from "../../../sevensteps/view/web/contours.js";

test("a line of equal height of a cone is a circle", () => {
  const centre = 20;
  const cone = (row, column) => Math.hypot(row - centre, column - centre);
  const segments = contour(cone, 41, 41, 10);
  assert.ok(segments.length > 40);
  for (const [x0, y0, x1, y1] of segments) {
    assert.ok(Math.abs(Math.hypot(x0 - centre, y0 - centre) - 10) < 0.05);
    assert.ok(Math.hypot(x1 - x0, y1 - y0) <= Math.SQRT2);
  }
});

test("the lines of a slope are straight, a plain has none, and a gap breaks one", () => {
  for (const [x0, , x1] of contour((_, column) => column, 5, 9, 3.25)) {
    assert.ok(Math.abs(x0 - 3.25) < 1e-12 && Math.abs(x1 - 3.25) < 1e-12);
  }
  assert.equal(contour((_, column) => column, 5, 9, 3.25).length, 4);
  assert.deepEqual(contour(() => 1, 5, 9, 1), []);
  assert.equal(contour((row, column) => (row === 2 ? NaN : column), 5, 9, 3.25).length, 2);
});

test("a saddle has two lines that do not cross", () => {
  assert.equal(contour((row, column) => (row === column ? 1 : 0), 2, 2, 0.5).length, 2);
});

test("heights lie between the ends", () => {
  assert.deepEqual(heights(0, 4, false, 3), [1, 2, 3]);
  assert.ok(Math.abs(heights(0.01, 100, true, 3)[1] - 1) < 1e-12);
});
