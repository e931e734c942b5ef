/** The table behind a drawing; made when it is opened. */

import { useState } from "preact/hooks";

import { html } from "./html.js";

/**
 * @param {{title: string, head: string[], rows: () => (string|number)[][], label?: string}} props
 */
export function NumbersBehind({ title, head, rows, label = "Numbers" }) {
  const [open, setOpen] = useState(false);
  return html`<details
    class="behind-table"
    onToggle=${(/** @type {Event} */ event) =>
      setOpen(/** @type {HTMLDetailsElement} */ (event.currentTarget).open)}
  >
    <summary>${label}<span class="for-readers"> of ${title}</span></summary>
    ${open && html`<${Table} title=${title} head=${head} rows=${rows()} />`}
  </details>`;
}

/** @param {{title: string, head: string[], rows: (string|number)[][]}} props */
export function Table({ title, head, rows }) {
  return html`<div class="scroll" tabindex="0" role="group" aria-label=${title}>
    <table>
      <thead>
        <tr>
          ${head.map((name) => html`<th scope="col">${name}</th>`)}
        </tr>
      </thead>
      <tbody>
        ${rows.map(
          (row) => html`<tr>
            ${row.map((value, index) =>
              index ? html`<td>${value}</td>` : html`<th scope="row">${value}</th>`,
            )}
          </tr>`,
        )}
      </tbody>
    </table>
  </div>`;
}
