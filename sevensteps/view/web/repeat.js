/** How to repeat it, and the glossary. */

import { Command } from "./copy.js";
import { html } from "./html.js";

const LONG = 48; // letters of a value that stands in a line of its own: a hash

/** @param {{repeat: import("./document.js").Repeat}} props */
export function RepeatView({ repeat }) {
  const facts = /** @param {boolean} long */ (long) =>
    repeat.facts
      .filter((fact) => fact.value.length > LONG === long)
      .map((fact) => html`<div><dt>${fact.name}</dt><dd>${fact.value}</dd></div>`);
  return html`${repeat.command && html`<${Command} text=${repeat.command} />`}
    ${repeat.recipe &&
    html`<details open>
      <summary>The recipe</summary>
      <${Command} text=${repeat.recipe} />
    </details>`}
    <dl class="facts">${facts(false)}</dl>
    <dl class="hashes">${facts(true)}</dl>`;
}

/** @param {{words: import("./document.js").Word[]}} props */
export function Glossary({ words }) {
  const sorted = [...words].sort((a, b) => a.word.localeCompare(b.word));
  return html`<details class="glossary">
    <summary>${words.length} words, with the numbers of this training</summary>
    <dl>
      ${sorted.map(
        (word) => html`<div>
          <dt>${word.word}</dt>
          <dd>${word.definition}${word.example && html` <span class="here">Here: ${word.example}</span>`}</dd>
        </div>`,
      )}
    </dl>
  </details>`;
}
