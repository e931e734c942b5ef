/** The data: how many, of which classes, on which scale, and some of the samples. */

import { html } from "./html.js";
import { HistogramView } from "./inside.js";
import { format } from "./numbers.js";
import { SampleView } from "./sample.js";
import { Text } from "./words.js";

/** @param {{data: import("./document.js").DataPart}} props */
export function Data({ data }) {
  const { parts, classes = [], facts, samples = [], histograms = [], notes = [] } = data;
  return html`<dl class="facts">
      <div><dt>source</dt><dd>${data.source}</dd></div>
      ${parts.map((part) => html`<div><dt>${part.name}</dt><dd>${format(part.samples)} samples</dd></div>`)}
      ${facts.map((fact) => html`<div><dt>${fact.name}</dt><dd>${fact.value}</dd></div>`)}
    </dl>
    ${notes.map((note) => html`<p><${Text} text=${note} /></p>`)}
    ${classes.length > 0 && html`<${Classes} classes=${classes} />`}
    ${histograms.length > 0 &&
    html`<div class="histogram-list">
      ${histograms.map((one) => html`<${HistogramView} histogram=${one} />`)}
    </div>`}
    ${samples.length > 0 &&
    html`<h3>Some samples</h3>
      <ul class="samples">
        ${samples.map((sample) => html`<li><${SampleView} sample=${sample} /></li>`)}
      </ul>`}`;
}

/** @param {{classes: NonNullable<import("./document.js").DataPart["classes"]>}} props */
function Classes({ classes }) {
  const parts = [...new Set(classes.flatMap((one) => Object.keys(one.count)))];
  const most = Math.max(1, ...classes.flatMap((one) => Object.values(one.count)));
  return html`<h3>Samples of each class</h3>
    <ul class="legend">
      ${parts.map(
        (part, index) => html`<li><span class="swatch" data-series=${index + 1}></span>${part}</li>`,
      )}
    </ul>
    <ul class="class-bars">
      ${classes.map(
        (one) => html`<li>
          <span class="class-name">${one.name}</span>
          <span class="class-counts">
            ${parts.map(
              (part, index) => html`<span
                class="class-bar"
                data-series=${index + 1}
                style=${{ width: `${(100 * (one.count[part] ?? 0)) / most}%` }}
              ></span>`,
            )}
          </span>
          <span class="class-number">${parts.map((part) => format(one.count[part] ?? 0)).join(" · ")}</span>
        </li>`,
      )}
    </ul>`;
}
