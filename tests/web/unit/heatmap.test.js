import assert from "node:assert/strict";
import { test } from "node:test";

import { paint } from "../../../sevensteps/view/web/heatmap.js";
import { colourMap } from "../../../sevensteps/view/web/theme.js";

const colours = Uint32Array.from({ length: 256 }, (_, i) => i);

test("where there is room, every cell is a pixel", () => {
  const data = Uint8Array.from([0, 127, 254, 255, 3, 9]);
  const drawn = paint({ rows: 2, columns: 3, data }, colours, 300, 200);
  assert.deepEqual([drawn.width, drawn.height], [3, 2]);
  assert.deepEqual([...drawn.pixels], [...data]);
});

test("of 5,000 × 1,000 cells the one that stands out is drawn", () => {
  const rows = 5000;
  const columns = 1000;
  for (const [row, column] of [[0, 0], [4999, 999], [2345, 678]]) {
    const data = new Uint8Array(rows * columns).fill(10);
    data[row * columns + column] = 200;
    const { pixels, width, height } = paint({ rows, columns, data }, colours, 700, 320);
    assert.deepEqual([width, height], [700, 320]);
    const at = Math.floor((row * height) / rows) * width + Math.floor((column * width) / columns);
    assert.equal(pixels[at], 200);
    assert.equal(pixels.filter((pixel) => pixel === 200).length, 1);
  }
});

test("cells without a number do not hide their neighbours, and are seen where there is no other", () => {
  const data = Uint8Array.from([255, 0, 255, 255]);
  assert.deepEqual([...paint({ rows: 1, columns: 4, data }, colours, 2, 1).pixels], [0, 255]);
});

test("a colour map has 255 colours that cannot be mistaken, and nothing for no number", () => {
  for (const name of ["amount", "share", "signed", "grey"]) {
    for (const mode of ["light", "dark"]) {
      const map = colourMap(name, mode);
      assert.equal(map[255], 0);
      assert.ok(new Set(map.slice(0, 255)).size > 150, `${name}, ${mode}`);
      assert.ok(map.slice(0, 255).every((pixel) => pixel >>> 24 === 255));
    }
  }
});

test("lightness runs one way, so that a map can be read without colours", () => {
  const light = (pixel) =>
    0.2126 * (pixel & 255) + 0.7152 * ((pixel >> 8) & 255) + 0.0722 * ((pixel >> 16) & 255);
  for (const name of ["amount", "share", "grey"]) {
    for (const [mode, sign] of [["light", -1], ["dark", 1]]) {
      const values = [...colourMap(name, mode).slice(0, 255)].map(light);
      for (let i = 5; i < 255; i += 5) assert.ok(sign * (values[i] - values[i - 5]) > -0.01);
    }
  }
});
