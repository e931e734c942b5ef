import assert from "node:assert/strict";
import { test } from "node:test";

import { courseOf } from "../../../sevensteps/view/web/profile.js";
import { stylesOf } from "../../../sevensteps/view/web/styles.js";

test("the training and the validation data have their colours, whatever the order", () => {
  const parts = [["batch", "training", "validation"], ["validation", "batch"], ["training", "validation"]];
  for (const list of parts) {
    for (const [index, style] of stylesOf(list.map((part) => ({ part }))).entries()) {
      assert.equal(style.colour, list[index] === "validation" ? 2 : 1);
      assert.equal(style.soft, list[index] === "batch");
    }
  }
});

test("two runs differ by their dashes", () => {
  const curves = ["a", "b"].flatMap((run) => ["training", "validation"].map((part) => ({ run, part })));
  const styles = stylesOf(curves);
  assert.deepEqual(styles.map((style) => style.colour), [1, 2, 1, 2]);
  assert.notDeepEqual(styles[0].dash, styles[2].dash);
});

test("no two of eighteen curves look alike, and the last colours have dashes", () => {
  const styles = stylesOf(Array.from({ length: 18 }, () => ({})));
  assert.equal(new Set(styles.map((style) => `${style.colour} ${style.dash}`)).size, 18);
  assert.ok(styles.slice(3, 6).every((style) => style.dash.length));
});

test("the course of a gradient is that of the layers that have one", () => {
  const data = btoa("\x00\x01\xfe\xff");
  const summary = { rows: 4, columns: 1, lo: 1e-6, hi: 1, scale: "log", zeros: true, data };
  const looks = {
    steps: [5],
    layers: ["a", "b", "c", "d"].map((name) => ({ name })),
    quantities: [{ id: "gradient", name: "gradient", unit: "", meaning: "", summary }],
  };
  const finding = { condition: "vanishing_gradient", onset: null, where: {} };
  const course = courseOf(finding, looks);
  assert.deepEqual(course.layers.map(({ name }) => name), ["a", "b", "c"]);
  assert.equal(course.layers[0].value, 0);
  assert.ok(Math.abs(course.layers[2].value - 1) < 1e-12);
  assert.equal(courseOf({ ...finding, condition: "overfitting" }, looks), null);
});
