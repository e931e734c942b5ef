/** One sample: a picture, named numbers, or a text. */

import { html } from "./html.js";
import { format } from "./numbers.js";
import { Picture } from "./pictures.js";

/** @param {{sample: import("./document.js").Sample, size?: number, label?: boolean}} props */
export function SampleView({ sample, size = 72, label = true }) {
  const name = `${sample.part} sample ${format(sample.index)}${sample.label ? `, ${sample.label}` : ""}`;
  return html`<span class="sample">
    ${sample.picture && html`<${Picture} pictures=${sample.picture} label=${name} size=${size} />`}
    ${sample.features &&
    html`<dl class="features">
      ${sample.features
        .slice(0, 8)
        .map(
          (one) => html`<div>
            <dt>${one.name}</dt>
            <dd>${typeof one.value === "number" ? format(one.value) : (one.value ?? "missing")}</dd>
          </div>`,
        )}
      ${sample.features.length > 8 && html`<div><dt>… ${sample.features.length - 8} more</dt></div>`}
    </dl>`}
    ${sample.text && html`<span class="sample-text">${sample.text}</span>`}
    ${label && html`<span class="sample-label">${sample.label && html`<b>${sample.label}</b> `}no. ${format(sample.index)}</span>`}
  </span>`;
}
