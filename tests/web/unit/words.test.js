import assert from "node:assert/strict";
import { test } from "node:test";

import { glossaryOf, split } from "../../../sevensteps/view/web/words.js";

const words = (...list) => glossaryOf(list.map((word) => ({ word, definition: "…" })));
const marked = (text, glossary) =>
  split(text, glossary).filter((part) => typeof part !== "string").map((part) => part.word);

test("words of the glossary are found as whole words, in any case, and in the plural", () => {
  const glossary = words("loss", "layer", "learning rate", "bias");
  assert.deepEqual(marked("The Loss of all layers", glossary), ["loss", "layer"]);
  assert.deepEqual(marked("glossy player, biased", glossary), []);
  assert.deepEqual(marked("a learning rate and biases", glossary), ["learning rate", "bias"]);
});

test("names of code are no words", () => {
  assert.deepEqual(marked("loss_fn and loss(x)", words("loss")), []);
});

test("each word is marked once, the longest first, and no letter is lost", () => {
  const glossary = words("gradient", "gradient descent", "loss");
  const text = "gradient descent: the gradient of the loss, and the loss";
  const parts = split(text, glossary);
  assert.deepEqual(marked(text, glossary), ["gradient descent", "gradient", "loss"]);
  assert.equal(parts.map((part) => (typeof part === "string" ? part : part.text)).join(""), text);
});

test("a word of signs is no pattern, and an empty glossary marks nothing", () => {
  assert.deepEqual(marked("a [c] .* d", words(".*", "[c]")), ["[c]", ".*"]);
  assert.deepEqual(split("the loss", glossaryOf([])), ["the loss"]);
});

test("other forms are those of the document", () => {
  const glossary = glossaryOf([{ word: "datum", forms: ["data"], definition: "" }]);
  assert.deepEqual(marked("the data", glossary), ["datum"]);
});
