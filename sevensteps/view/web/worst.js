/** The samples with the largest loss; one of them explained. */

import { useState } from "preact/hooks";

import { html } from "./html.js";
import { capital, format } from "./numbers.js";
import { SampleView } from "./sample.js";
import { Table } from "./table.js";
import { Text } from "./words.js";

/** @typedef {import("./document.js").WorstSample} WorstSample */

/** @param {{worst: WorstSample[]}} props */
export function Worst({ worst }) {
  const [chosen, choose] = useState(0);
  const shown = worst[Math.min(chosen, worst.length - 1)];
  return html`<div class="worst">
    ${worst.length > 1 &&
    html`<ul class="worst-list">
      ${worst.map(
        (one, index) => html`<li>
          <button type="button" aria-pressed=${index === chosen} onClick=${() => choose(index)}>
            <${SampleView} sample=${one.sample} size=${64} label=${false} />
            <span class="worst-answer">
              <span>${one.truth}</span>
              <span aria-label="answered">→</span>
              <b class=${one.right === false ? "wrong" : "right"}>${one.answer}</b>
            </span>
            <span class="quiet">loss ${format(one.loss, 3)}</span>
            <span class="quiet">no. ${format(one.sample.index)}</span>
          </button>
        </li>`,
      )}
    </ul>`}
    <${Explained} one=${shown} />
  </div>`;
}

/** @param {{one: WorstSample}} props */
function Explained({ one }) {
  const { sample, outputs = [], why = [], layers = [] } = one;
  const most = Math.max(1e-12, ...outputs.map((row) => Math.abs(row.probability ?? 0)));
  return html`<article class="explained" aria-live="polite">
    <header>
      <${SampleView} sample=${sample} size=${132} label=${false} />
      <div>
        <h3>${capital(sample.part)} sample ${format(sample.index)}</h3>
        <p>
          It is <b>${one.truth}</b>, and was answered as
          ${" "}<b class=${one.right === false ? "wrong" : "right"}>${one.answer}</b>; its loss is
          ${" "}${format(one.loss)}.
        </p>
        ${why.map((text) => html`<p class="reason"><${Text} text=${text} /></p>`)}
      </div>
    </header>
    ${outputs.some((row) => row.probability !== null) &&
    html`<p class="quiet probabilities-title">The probability of each class: ${one.right === false ? "the answer in orange, the truth in blue" : "the answer, which is right, in blue"}.</p>
    <ul class="probabilities">
      ${outputs.map(
        (row) => html`<li class=${row.target ? "true" : row.name === one.answer ? "answered" : ""}>
          <span class="class-name">${row.name}</span>
          <span class="probability-bar"><i style=${{ width: `${(100 * (row.probability ?? 0)) / most}%` }}></i></span>
          <span class="class-number">${format(row.probability, 3)}</span>
        </li>`,
      )}
    </ul>`}
    ${outputs.length > 0 &&
    html`<details>
      <summary>Outputs and their gradients</summary>
      <${Table}
        title="outputs and their gradients"
        head=${["output", "value", "probability", "target", "dL/d output"]}
        rows=${outputs.map((row) => [
          row.name,
          shown(row.output),
          shown(row.probability),
          shown(row.target),
          shown(row.gradient),
        ])}
      />
    </details>`}
    ${layers.length > 0 &&
    html`<details>
      <summary>The gradient, from the loss back</summary>
      <${Table}
        title="the gradient from the loss back"
        head=${["layer", "kind", "length of dL/d output", "factor to the layer before"]}
        rows=${layers.map((row) => [
          row.name,
          row.kind,
          shown(row.gradient),
          row.factor === null ? "" : `× ${format(row.factor, 3)}`,
        ])}
      />
    </details>`}
  </article>`;
}

/** @param {number|null} value */
const shown = (value) => (value === null ? "" : format(value));
