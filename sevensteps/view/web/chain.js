/** The chain rule of the largest weight, drawn from the loss back. */

import { html } from "./html.js";
import { format } from "./numbers.js";
import { Text } from "./words.js";

/** @param {{chain: import("./document.js").Chain}} props */
export function ChainView({ chain }) {
  const sizes = chain.links.map((link) => Math.abs(link.running ?? 0)).filter((n) => n > 0);
  const low = Math.log(Math.min(...sizes)) - 0.7;
  const high = Math.log(Math.max(...sizes));
  const width = /** @param {number|null} running */ (running) =>
    running ? Math.max(2, (100 * (Math.log(Math.abs(running)) - low)) / (high - low || 1)) : 0;
  return html`<p><${Text} text=${chain.sentence} /></p>
    <ol class="chain">
      ${chain.links.map(
        (link, index) => html`<li>
          <span class="chain-name">${link.name}</span>
          <span class="chain-formula">${link.formula}</span>
          <span class="chain-factor">${
            link.value === null ? "" : html`${index ? "× " : ""}<b>${format(link.value)}</b>`
          }</span>
          <span class="chain-bar" aria-hidden="true"><i style=${{ width: `${width(link.running)}%` }}></i></span>
          <span class="chain-running">${link.running === null ? "" : `= ${format(link.running)}`}</span>
        </li>`,
      )}
    </ol>
    <p class="quiet">A bar is the size of the product so far, on a logarithmic scale. The gradient, computed in other ways:</p>
    <dl class="facts checks">
      <div><dt>weight</dt><dd><code>${chain.parameter}</code></dd></div>
      ${chain.checks.map((check) => html`<div><dt>${check.name}</dt><dd>${format(check.value, 10)}</dd></div>`)}
    </dl>`;
}
