/** Two or more runs: what differs in the recipe first, then their results. */

import { html } from "./html.js";
import { format } from "./numbers.js";
import { Inside } from "./inside.js";
import { Layers } from "./layers.js";
import { Table } from "./table.js";
import { SurfaceView } from "./surface.js";
import { ShortVerdict } from "./verdict.js";
import { Text } from "./words.js";

/** @typedef {import("./document.js").Document} Document */

/**
 * Documents of several runs in columns; they follow the same slider.
 *
 * @param {{documents: Document[]}} props
 */
export function SideBySide({ documents }) {
  /** @type {[string, (each: Document) => any][]} */
  const rows = [
    ["Verdict", (each) => each.verdict && html`<${ShortVerdict} document=${each} />`],
    [
      "Layers over time",
      (each) =>
        each.looks?.layers.length &&
        html`<${Layers} looks=${each.looks} where=${each.verdict?.findings[0]?.where ?? {}} />`,
    ],
    ["Weights and answers", (each) => each.looks && html`<${Inside} looks=${each.looks} />`],
    [
      "The loss surface",
      (each) => each.surface && html`<${SurfaceView} surface=${each.surface} steps=${each.looks?.steps} />`,
    ],
  ];
  const columns = { "--runs": documents.length };
  return rows
    .map(([title, view]) => ({ title, views: documents.map(view) }))
    .filter(({ views }) => views.some(Boolean))
    .map(
      ({ title, views }) => html`<h3 key=${title}>${title}</h3>
        <div class="side-by-side" style=${columns}>
          ${views.map(
            (view, index) => html`<div class="each">
              <p class="each-name">${documents[index].title}</p>
              ${view || html`<p class="nothing">not in this document</p>`}
            </div>`,
          )}
        </div>`,
    );
}

/** @param {{comparison: import("./document.js").Comparison}} props */
export function ComparisonView({ comparison }) {
  const { runs, recipe, results, notes = [] } = comparison;
  const different = recipe.filter((row) => !row.same);
  const same = recipe.filter((row) => row.same);
  return html`<h3>What differs in the recipe</h3>
    ${different.length
      ? html`<div class="scroll" tabindex="0" role="group" aria-label="what differs"><table class="differences">
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
        </table></div>`
      : html`<p>Nothing: the recipes are the same.</p>`}
    ${same.length > 0 &&
    html`<p class="quiet">The same: ${same.map((row) => `${row.name} ${row.values[0] ?? ""}`).join(" · ")}.</p>`}
    <h3>What came of it</h3>
    <${Table}
      title="results"
      head=${["result", ...runs]}
      rows=${results.map((row) => [
        row.name,
        ...row.values.map((value) => (typeof value === "number" ? format(value) : (value ?? "–"))),
      ])}
    />
    ${notes.map((note) => html`<p><${Text} text=${note} /></p>`)}`;
}
