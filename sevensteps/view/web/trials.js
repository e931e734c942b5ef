/** The trials of a remedy: a dot for each seed, untouched, remedied and changed at random. */

import { html } from "./html.js";
import { counted, format } from "./numbers.js";

/** @typedef {import("./document.js").Trial} Trial */

/**
 * The ends of an axis for all results.
 *
 * @param {Trial} trial
 * @returns {[number, number]}
 */
export function axisOf(trial) {
  const all = [...trial.untouched, ...trial.remedied, ...trial.random];
  const numbers = all.filter((n) => n !== null).map(Number).filter(Number.isFinite);
  if (!numbers.length) return [0, 1];
  const low = Math.min(...numbers);
  const high = Math.max(...numbers);
  if (low >= 0 && high <= 1 && high > 0.2) return [0, 1];
  const room = (high - low || Math.abs(high) || 1) * 0.08;
  return [low - room, high + room];
}

/** @param {{trial: Trial}} props */
export function Trials({ trial }) {
  const [low, high] = axisOf(trial);
  /** @type {[string, string, (number|null)[]][]} */
  const rows = [
    ["untouched", "untouched", trial.untouched],
    ["with this change", "remedied", trial.remedied],
    ["changed at random", "random", trial.random],
  ];
  const place = /** @param {number} n */ (n) => `${(100 * (n - low)) / (high - low)}%`;
  const { difference, interval } = trial;
  return html`<figure class="trial">
    <figcaption>
      <b class=${trial.proven ? "proven" : ""}>${trial.proven ? "Proven by trial" : "Tried"}</b>
      ${" "}on ${counted(trial.seeds.length, "seed")}: ${trial.measure}
      ${difference !== null &&
      ` ${difference >= 0 ? "rises" : "falls"} by ${format(Math.abs(difference), 3)}${
        interval ? ` (95 % interval ${format(interval[0], 3)} to ${format(interval[1], 3)})` : ""
      }`}.
    </figcaption>
    <div class="trial-rows">
      ${rows
        .filter(([, , values]) => values.length)
        .map(
          ([name, kind, values]) => html`<div class=${`trial-row ${kind}`}>
            <span class="trial-name">${name}</span>
            <span
              class="trial-axis"
              role="img"
              aria-label=${`${name}: ${values.map((n) => format(n)).join(", ")}`}
            >
              ${values.map((n) => n !== null && html`<i style=${{ left: place(n) }}></i>`)}
            </span>
          </div>`,
        )}
      <div class="trial-row scale" aria-hidden="true">
        <span class="trial-name"></span>
        <span class="trial-ends"><span>${format(low, 3)}</span><span>${format(high, 3)}</span></span>
      </div>
    </div>
    ${trial.note && html`<p class="source">${trial.note}</p>`}
  </figure>`;
}
