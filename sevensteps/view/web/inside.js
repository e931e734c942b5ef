/** What a look shows beside the layers: weights as pictures, histograms, the confusion matrix. */

import { useLookIn } from "./following.js";
import { html } from "./html.js";
import { counted, format, nearest } from "./numbers.js";
import { Picture } from "./pictures.js";
import { NumbersBehind } from "./table.js";

/** @typedef {import("./document.js").Looks} Looks */
/** @typedef {import("./document.js").Histogram} Histogram */
/** @typedef {import("./document.js").Confusion} Confusion */

/** @param {{looks: Looks}} props */
export function Inside({ looks }) {
  const { weights, histograms = [], confusion } = looks;
  const index = useLookIn(looks.steps);
  const step = looks.steps[index];
  return html`<div class="inside">
    ${weights && weights.at.length > 0 && html`<${Weights} weights=${weights} index=${index} />`}
    ${histograms.length > 0 &&
    html`<figure class="histograms">
      <figcaption class="figure-title">How the numbers are spread</figcaption>
      <div class="histogram-list">
        ${histograms.map((one) => html`<${HistogramView} histogram=${one} at=${index} />`)}
      </div>
    </figure>`}
    ${confusion && html`<${ConfusionView} confusion=${confusion} step=${step} />`}
  </div>`;
}

/** @param {{weights: NonNullable<Looks["weights"]>, index: number}} props */
function Weights({ weights, index: at }) {
  const once = weights.at.length === 1;
  const pictures = weights.at[Math.min(at, weights.at.length - 1)];
  return html`<figure>
    <figcaption class="figure-title">
      Weights of ${weights.layer}, a picture to each unit${once ? ", at the end" : ""}
    </figcaption>
    <div class="pictures">
      ${Array.from(
        { length: pictures.count },
        (_, index) => html`<${Picture}
          key=${index}
          pictures=${pictures}
          index=${index}
          size=${56}
          label=${`weights of unit ${index} of ${weights.layer}`}
        />`,
      )}
    </div>
    ${pictures.signed && html`<p class="quiet">Blue: positive. Orange: negative.</p>`}
  </figure>`;
}

/** @param {{histogram: Histogram, at?: number}} props */
export function HistogramView({ histogram, at = 0 }) {
  const { edges, counts, name } = histogram;
  const now = counts[Math.min(at, counts.length - 1)];
  const highest = counts.reduce((most, row) => Math.max(most, ...row), 1);
  const total = now.reduce((a, b) => a + b, 0);
  const width = 100 / now.length;
  const zero = (100 * (0 - edges[0])) / (edges[edges.length - 1] - edges[0]);
  return html`<div class="histogram">
    <p class="histogram-name">${name}</p>
    <svg viewBox="0 0 100 40" preserveAspectRatio="none" role="img" aria-label=${`${name}: ${counted(total, "number")} between ${format(edges[0], 3)} and ${format(edges[edges.length - 1], 3)}`}>
      ${zero > 0 && zero < 100 && html`<line class="zero" x1=${zero} x2=${zero} y1="0" y2="40" />`}
      ${now.map((count, index) => {
        const height = (38 * count) / highest;
        return html`<rect x=${index * width + width * 0.06} width=${width * 0.88} y=${40 - height} height=${height} />`;
      })}
    </svg>
    <p class="histogram-ends" aria-hidden="true">
      <span>${format(edges[0], 3)}</span><span>${format(edges[edges.length - 1], 3)}</span>
    </p>
  </div>`;
}

/** @param {{confusion: Confusion, step: number}} props */
function ConfusionView({ confusion, step }) {
  const { classes, counts, part, steps } = confusion;
  const index = Math.max(0, nearest(steps, step));
  const table = counts[index];
  const totals = table.map((row) => row.reduce((a, b) => a + b, 0));
  const share = /** @param {number} row @param {number} column */ (row, column) =>
    totals[row] ? table[row][column] / totals[row] : 0;
  const wrong = table.flatMap((row, truth) =>
    row.map((count, answered) => ({ count, truth, answered })).filter((one) => one.truth !== one.answered && one.count),
  );
  wrong.sort((a, b) => b.count - a.count);
  return html`<figure class="confusion">
    <figcaption class="figure-title">
      What was answered, on the ${part} samples at step ${format(steps[index])}
    </figcaption>
    <div class="scroll" tabindex="0" role="group" aria-label="confusion matrix">
      <table>
        <thead>
          <tr><th scope="col"><span class="quiet">true ↓ answered →</span></th>
            ${classes.map((name) => html`<th scope="col">${name}</th>`)}</tr>
        </thead>
        <tbody>
          ${classes.map(
            (name, row) => html`<tr>
              <th scope="row">${name}</th>
              ${table[row].map(
                (count, column) => html`<td
                  class=${row === column ? "right" : count ? "wrong" : "none"}
                  style=${{ "--share": share(row, column).toFixed(3) }}
                >
                  ${count || ""}
                </td>`,
              )}
            </tr>`,
          )}
        </tbody>
      </table>
    </div>
    <p class="quiet">
      Blue is right, orange is wrong; the stronger, the more of its class.
      ${" "}${wrong.length
        ? `Most often wrong: ${wrong
            .slice(0, 3)
            .map((one) => `${classes[one.truth]} answered as ${classes[one.answered]} (${format(one.count)})`)
            .join(", ")}.`
        : "No sample is answered wrongly."}
    </p>
    <${NumbersBehind}
      title="the share of each class that is right"
      label="Right by class"
      head=${["class", "right", "of", "share"]}
      rows=${() =>
        classes.map((name, row) => [name, table[row][row], totals[row], `${(100 * share(row, row)).toFixed(1)} %`])}
    />
  </figure>`;
}
