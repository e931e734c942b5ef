import assert from "node:assert/strict";
import { test } from "node:test";

import { placeTexts } from "../../../sevensteps/view/web/marks.js";

test("texts in one line never lie over each other, and never outside", () => {
  const texts = [3, 5, 50, 98].map((x) => ({ x, width: 20 }));
  const starts = placeTexts(texts, 0, 100, 4);
  const shown = starts.map((start, i) => [start, i]).filter(([start]) => start !== null).sort((a, b) => a[0] - b[0]);
  assert.ok(shown.length >= 3);
  let free = 0;
  for (const [start, i] of shown) {
    assert.ok(start >= free && start + texts[i].width <= 100);
    free = start + texts[i].width + 4;
  }
});

test("a text for which there is no room is left out", () => {
  assert.deepEqual(placeTexts([{ x: 50, width: 200 }], 0, 100, 4), [null]);
  assert.deepEqual(placeTexts([], 0, 100, 4), []);
});
