/** What is measured at each layer at one look, from the input to the output: where it fades or grows. */

import { html } from "./html.js";
import { cell, decodeMatrix, format, nearest } from "./numbers.js";

/** @typedef {import("./document.js").Finding} Finding */
/** @typedef {import("./document.js").Looks} Looks */

/** The quantity whose course from layer to layer is what a condition says. @type {Record<string, string>} */
const COURSE = {
  vanishing_gradient: "gradient",
  exploding_gradient: "gradient",
  signal_vanishes: "signal",
  signal_explodes: "signal",
};

/**
 * The number of each layer that has one, at the look nearest to where a finding began.
 *
 * @param {Finding} finding
 * @param {Looks} looks
 */
export function courseOf(finding, looks) {
  const quantity = looks.quantities.find(({ id }) => id === COURSE[finding.condition]);
  if (!quantity) return null;
  const matrix = decodeMatrix(quantity.summary);
  const column = nearest(looks.steps, finding.onset ?? 0);
  const layers = looks.layers
    .map(({ name }, row) => ({ name, value: cell(matrix, row, column) }))
    .filter(({ value }) => Number.isFinite(value));
  return layers.length > 2 ? { quantity, step: looks.steps[column], layers } : null;
}

/** @param {{finding: Finding, looks: Looks}} props */
export function ByLayer({ finding, looks }) {
  const course = courseOf(finding, looks);
  if (!course) return null;
  const { quantity, step, layers } = course;
  const known = layers.map(({ value }) => value).filter((value) => value > 0);
  const [low, high] = [Math.min(...known) / 2, Math.max(...known)];
  const share = /** @param {number} value */ (value) => (value > 0 ? Math.log(value / low) / Math.log(high / low) : 0);
  const named = new Set(finding.where.layers ?? []);
  return html`<h3>The ${quantity.name} from layer to layer, at step ${format(step)}</h3>
    <ol class="course">
      ${layers.map(
        ({ name, value }) => html`<li class=${named.has(name) ? "blamed" : ""}>
          <span class="course-name">${/^\d+$/.test(name) ? `layer ${name}` : name}</span>
          <span aria-hidden="true"><i style=${{ width: `${(100 * share(value)).toFixed(1)}%` }}></i></span>
          <span>${format(value, 3)}</span>
        </li>`,
      )}
    </ol>
    <p class="quiet">
      From the input, above, to the output, below; ${quantity.unit}, on a logarithmic scale:
      between the shortest and the longest bar lies a factor of about ${format(Number((high / (2 * low)).toPrecision(2)))}.
    </p>`;
}
