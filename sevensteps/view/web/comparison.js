/** Two or more runs: what differs in the recipe first, then their results. */

import { html } from "./html.js";
import { format } from "./numbers.js";
import { Table } from "./table.js";
import { Text } from "./words.js";

/** @param {{comparison: import("./document.js").Comparison}} props */
export function ComparisonView({ comparison }) {
  const { runs, recipe, results, notes = [] } = comparison;
  const different = recipe.filter((row) => !row.same);
  const same = recipe.filter((row) => row.same);
  return html`<h3>What differs in the recipe</h3>
    ${different.length
      ? html`<table class="differences">
          <thead>
            <tr><th scope="col">step</th>${runs.map((run) => html`<th scope="col">${run}</th>`)}</tr>
          </thead>
          <tbody>
            ${different.map(
              (row) => html`<tr>
                <th scope="row">${row.name}</th>
                ${row.values.map((value) => html`<td>${value === null ? "–" : html`<code>${value}</code>`}</td>`)}
              </tr>`,
            )}
          </tbody>
        </table>`
      : html`<p>Nothing: the recipes are the same.</p>`}
    ${same.length > 0 &&
    html`<p class="quiet">The same: ${same.map((row) => `${row.name} ${row.values[0] ?? ""}`).join(" · ")}.</p>`}
    <h3>What came of it</h3>
    <${Table}
      title="results"
      head=${["", ...runs]}
      rows=${results.map((row) => [
        row.name,
        ...row.values.map((value) => (typeof value === "number" ? format(value) : (value ?? "–"))),
      ])}
    />
    ${notes.map((note) => html`<p><${Text} text=${note} /></p>`)}`;
}
