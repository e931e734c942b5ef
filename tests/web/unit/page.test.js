import assert from "node:assert/strict";
import { test } from "node:test";

import { isExpected } from "../../../sevensteps/view/web/evidence.js";
import { capital, format, sentence, shortName } from "../../../sevensteps/view/web/numbers.js";
import { axisOf } from "../../../sevensteps/view/web/page.js";

test("one axis goes from step 0 to the last step of all that is drawn", () => {
  const curves = [{ steps: [23, 230], values: [1, 2] }, { steps: { first: 0, every: 10, count: 93 }, values: [] }];
  assert.deepEqual(axisOf({ curves, looks: { steps: [0, 1, 319] } }), [0, 920]);
  assert.deepEqual(axisOf({ comparison: { documents: [{ curves }, {}] } }), [0, 920]);
  assert.deepEqual(axisOf({ curves, events: [{ step: 921 }] }), [0, 921]);
  assert.equal(axisOf({}), null);
});

test("what lies in the expected range is not marked as wrong", () => {
  assert.ok(isExpected({ observed: 0.968, expected: [null, 2.43] }));
  assert.ok(!isExpected({ observed: 3.6, expected: [null, 0.1] }));
  assert.ok(!isExpected({ observed: -1, expected: [0, 1] }));
});

test("numbers are grouped from a thousand on, whole or not", () => {
  assert.equal(format(1627.34), "1,627");
  assert.equal(format(1627), "1,627");
  assert.equal(format(156_000), "156,000");
  assert.equal(format(2e-5), "2\u00a0·\u00a010⁻⁵");
});

test("sentences begin with a capital and end", () => {
  assert.equal(sentence("as asked"), "As asked.");
  assert.equal(sentence(""), "");
  assert.equal(capital("|gradient|"), "|gradient|");
});

test("long names of layers still differ when they are short", () => {
  const names = Array.from({ length: 12 }, (_, i) => `encoder_with_a_long_name.layers.${i}.self_attention.out_proj`);
  const short = names.map((name) => shortName(name));
  assert.equal(new Set(short).size, names.length);
  assert.ok(short.every((name) => name.length <= 26), short.join(" "));
  assert.equal(shortName("layer1"), "layer1");
  assert.ok(shortName("x".repeat(60)).length <= 24);
});
