/** A slice of the loss surface, with the path of the training. */

import { useMemo } from "preact/hooks";

import { contour, heights } from "./contours.js";
import { useLookIn } from "./following.js";
import { Heatmap } from "./heatmap.js";
import { html } from "./html.js";
import { cell, decodeMatrix, format } from "./numbers.js";
import { gradientOf, theme } from "./theme.js";
import { Text } from "./words.js";

/** @typedef {import("./document.js").Surface} Surface */

/** @param {{surface: Surface, steps: number[]|undefined}} props */
export function SurfaceView({ surface, steps }) {
  const { across, up, names, path, notes } = surface;
  const matrix = useMemo(() => decodeMatrix(surface.losses), [surface]);
  const contours = useMemo(() => contoursOf(matrix), [matrix]);
  const width = across[across.length - 1] - across[0] || 1;
  const height = up[up.length - 1] - up[0] || 1;
  // the numbers stand for the middle of a cell
  const [halfX, halfY] = [width / across.length / 2, height / up.length / 2];
  const x = /** @param {number} a */ (a) => (100 * (a - across[0] + halfX)) / (width + 2 * halfX);
  const y = /** @param {number} b */ (b) => 100 - (100 * (b - up[0] + halfY)) / (height + 2 * halfY);
  const line = path.map((point) => `${x(point.across).toFixed(2)},${y(point.up).toFixed(2)}`).join(" ");
  const step = steps?.[useLookIn(steps ?? [])];
  const now = step === undefined ? undefined : path.reduce(
    (best, point) => (!best || Math.abs(point.step - step) < Math.abs(best.step - step) ? point : best),
    path[0],
  );
  const end = path[path.length - 1];
  const close =
    path.length > 0 &&
    Math.abs(x(end.across) - x(path[0].across)) < 8 &&
    Math.abs(y(end.up) - y(path[0].up)) < 5;
  return html`<figure class="surface">
    <div class="surface-box">
      <p class="axis-up">${names[1]}</p>
      <${Heatmap}
        matrix=${matrix}
        map="amount"
        height=${380}
        flip
        smooth
        label="the loss in a slice of the weights"
        describe=${(/** @type {number} */ row, /** @type {number} */ column) =>
          `loss ${format(cell(matrix, row, column))} at ${format(across[column], 3)}, ${format(up[row], 3)}`}
      >
        <div class="path-frame"><svg class="path" viewBox="0 0 100 100" preserveAspectRatio="none" aria-hidden="true">
          <path class="contours" d=${contours} /><polyline class="path-under" points=${line} /><polyline class="path-line" points=${line} />
        </svg>
        ${path.length > 0 &&
        html`<${Dot} kind="start" left=${x(path[0].across)} top=${y(path[0].up)} text=${close ? "start, end" : "start"} />
          <${Dot} kind="end" left=${x(end.across)} top=${y(end.up)} text=${close ? "" : "end"} />`}
        ${now && html`<${Dot} kind="now" left=${x(now.across)} top=${y(now.up)} text="" />`}</div>
      <//>
      <p class="axis-across">${names[0]}</p>
    </div>
    <p class="scale-legend">
      <span>loss ${format(matrix.lo, 3)}</span>
      <span class="ramp" style=${{ background: gradientOf("amount", theme.value) }}></span>
      <span>${format(matrix.hi, 3)}</span>
      ${matrix.scale === "log" && html`<span class="quiet">logarithmic</span>`}
    </p>
    ${notes.map((note) => html`<p><${Text} text=${note} /></p>`)}
  </figure>`;
}

const LINES = 9;

/**
 * Lines of equal loss, as a path in a square of 100, the first row at the bottom.
 *
 * @param {import("./numbers.js").Decoded} matrix
 */
function contoursOf(matrix) {
  const { rows, columns, lo, hi, scale } = matrix;
  const x = /** @param {number} n */ (n) => ((100 * (n + 0.5)) / columns).toFixed(2);
  const y = /** @param {number} n */ (n) => (100 - (100 * (n + 0.5)) / rows).toFixed(2);
  const value = /** @param {number} row @param {number} column */ (row, column) => cell(matrix, row, column);
  return heights(lo, hi, scale === "log", LINES)
    .flatMap((height) => contour(value, rows, columns, height))
    .map(([x0, y0, x1, y1]) => `M${x(x0)} ${y(y0)}L${x(x1)} ${y(y1)}`)
    .join("");
}

/** @param {{kind: string, left: number, top: number, text: string}} props */
function Dot({ kind, left, top, text }) {
  const style = { left: `${left}%`, top: `${top}%` };
  return html`<span class=${`path-dot ${kind}${left > 80 ? " left" : ""}`} style=${style} aria-hidden="true"><i></i>${text}</span>`;
}
