/** The trials of a remedy: a dot for each seed, untouched, remedied and changed at random. */

import { html } from "./html.js";
import { counted, format, sentence } from "./numbers.js";

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
      <b class=${trial.proven ? "proven" : ""}>${trial.proven ? "Proven by trial" : "Tried, not proven"}</b>
      ${" "}on ${counted(trial.seeds.length, "seed")}: ${trial.measure}
      ${difference !== null && ` ${difference >= 0 ? "rises" : "falls"} by ${format(Math.abs(difference), 3)}`}.
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
              aria-label=${`${name}: ${values.map((n) => format(n, 3)).join(", ")}`}
            >
              ${values.map((n) => n !== null && html`<i style=${{ left: place(n) }}></i>`)}
            </span>
            <span class="trial-mean">${format(mean(values), 3)}</span>
          </div>`,
        )}
      <div class="trial-row scale" aria-hidden="true">
        <span class="trial-name"></span>
        <span class="trial-ends"><span>${format(low, 3)}</span><span>${trial.measure}</span><span>${format(high, 3)}</span></span>
        <span class="trial-mean">mean</span>
      </div>
      ${interval && difference !== null && html`<${Difference} difference=${difference} interval=${interval} />`}
    </div>
    ${!interval && trial.note && html`<p class="source">${sentence(trial.note)}</p>`}
  </figure>`;
}

/** @param {(number|null)[]} values */
export function mean(values) {
  const known = values.filter((n) => n !== null).map(Number);
  return known.length ? known.reduce((a, b) => a + b, 0) / known.length : null;
}

/**
 * The difference with its interval, beside no difference at all.
 *
 * @param {{difference: number, interval: [number, number]}} props
 */
function Difference({ difference, interval }) {
  const reach = 1.1 * Math.max(...interval.map(Math.abs), Math.abs(difference)) || 1;
  const low = Math.min(0, ...interval) < 0 ? -reach : -0.1 * reach;
  const high = Math.max(0, ...interval) > 0 ? reach : 0.1 * reach;
  const share = /** @param {number} n */ (n) => (100 * (n - low)) / (high - low);
  const [from, to] = interval;
  const signed = /** @param {number} n */ (n) => `${n > 0 ? "+" : ""}${format(n, 3)}`;
  const text = `95 % interval ${signed(from)} to ${signed(to)}`;
  return html`<div class="trial-row difference">
    <span class="trial-name">difference</span>
    <span class="trial-axis" role="img" aria-label=${`difference ${signed(difference)}, ${text}`}>
      <em style=${{ left: `${share(0)}%` }}></em>
      <u style=${{ left: `${share(from)}%`, width: `${share(to) - share(from)}%` }}></u>
      <i style=${{ left: `${share(difference)}%` }}></i>
    </span>
    <span class="trial-mean">${signed(difference)}</span>
    <span class="trial-name"></span>
    <span class="trial-interval">${text}; no difference, the black line, lies ${from > 0 || to < 0 ? "outside" : "inside: chance could do this"}</span>
  </div>`;
}
