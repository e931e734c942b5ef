/** The network as a row of layers, with the layers and units that a finding names. */

import { html } from "./html.js";
import { counted } from "./numbers.js";

/** @typedef {import("./document.js").Finding} Finding */
/** @typedef {import("./document.js").Layer} Layer */

const DOTS = 48;

/**
 * Which of at most `DOTS` dots are blamed, and how many units one stands for.
 *
 * @param {number} units
 * @param {number[]} blamed
 * @returns {boolean[]}
 */
export function dots(units, blamed) {
  const count = Math.min(units, DOTS);
  const marks = Array(count).fill(false);
  for (const unit of blamed) {
    if (unit >= 0 && unit < units) marks[Math.floor((unit * count) / units)] = true;
  }
  return marks;
}

/** @param {{layers: Layer[], where: Finding["where"]}} props */
export function Network({ layers, where }) {
  const named = new Set([...(where.layers ?? []), ...Object.keys(where.units ?? {})]);
  for (const parameter of where.parameters ?? []) named.add(parameter.replace(/\.[^.]*$/, ""));
  return html`<ol class="network" aria-label="the network, with the layers of this finding marked">
    ${layers.map((layer) => {
      const units = where.units?.[layer.name] ?? [];
      const marked = named.has(layer.name);
      return html`<li class=${marked ? "blamed" : ""}>
        <span class="units" aria-hidden="true">
          ${dots(layer.units, units).map(
            (blamed) => html`<i class=${blamed || (marked && !units.length) ? "blamed" : ""}></i>`,
          )}
        </span>
        <span class="layer-name">${/^\d+$/.test(layer.name) ? `layer ${layer.name}` : layer.name}</span>
        <span class="layer-kind">
          ${layer.kind}${layer.kind && layer.units ? " · " : ""}${layer.units ? counted(layer.units, "unit") : ""}
        </span>
        ${marked &&
        html`<span class="layer-blame">
          ${units.length ? `${counted(units.length, "unit")} here` : "here"}
        </span>`}
      </li>`;
    })}
  </ol>`;
}
