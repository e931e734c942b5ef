/** What is read of a chart: the legend, a cursor that says where it is, and the numbers behind. */

import { html } from "./html.js";
import { counted, format, shortUnit, withUnit } from "./numbers.js";
import { at } from "./series.js";
import { hovered, zoom } from "./state.js";
import { NumbersBehind } from "./table.js";

/** @typedef {import("uplot")} uPlot */
/** @typedef {import("./series.js").Series} Series */

/**
 * The name of each curve with its value under the cursor, else its last; then the levels, and the
 * range that is expected.
 *
 * @param {{all: import("./chart.js").Styled[], expected?: [number|null, number|null]}} props
 */
export function Legend({ all, expected }) {
  const step = hovered.value;
  const levels = all.flatMap((series) => series.levels.map((level) => ({ ...level, unit: series.unit })));
  return html`<ul class="legend">
    ${all.map((series) => {
      const point = at(series, step ?? Infinity);
      return html`<li key=${series.name}>
        <svg class="line-swatch" data-series=${series.style.colour} aria-hidden="true">
          <path d="M0 2H26" stroke-dasharray=${series.style.dash.join(" ")} stroke-width=${series.style.soft && all.length > 1 ? 1.2 : 2.5} />
        </svg>
        <span>${series.name}</span>
        <output>
          ${point ? withUnit(point.value, shortUnit(series.unit)) : "–"}
          ${point && html` <small>at step ${format(Math.round(point.step))}</small>`}
        </output>
      </li>`;
    })}
    ${levels.map(
      (level) => html`<li key=${level.name}>
        <span class="swatch level"></span><span>${level.name}</span>
        <output>${withUnit(level.value, shortUnit(level.unit))}</output>
      </li>`,
    )}
    ${expected && html`<li key="expected"><span class="swatch band"></span><span>expected ${rangeText(expected)}</span></li>`}
  </ul>`;
}

/** @param {[number|null, number|null]} range */
function rangeText([low, high]) {
  if (low === null) return `below ${format(high, 3)}`;
  return high === null ? `above ${format(low, 3)}` : `${format(low, 3)} to ${format(high, 3)}`;
}

/**
 * What lets a keyboard move the cursor, and says where it is.
 *
 * @param {{title: string, all: Series[], range: [number, number], plot: {current: uPlot|null},
 *   children?: any}} props
 */
export function Cursor({ title, all, range, plot, children }) {
  const step = Math.round(Math.max(range[0], Math.min(range[1], hovered.value ?? range[1])));
  const text = all
    .map((series) => `${series.name} ${withUnit(at(series, step)?.value, shortUnit(series.unit))}`)
    .join(", ");
  /** @param {KeyboardEvent} event */
  const key = (event) => {
    const leap = Math.max(1, (range[1] - range[0]) / 100);
    const moves = { ArrowLeft: -leap, ArrowRight: leap, PageDown: -10 * leap, PageUp: 10 * leap };
    const width = range[1] - range[0];
    let to = step;
    if (event.key in moves) to += moves[/** @type {keyof typeof moves} */ (event.key)];
    else if (event.key === "Home") to = range[0];
    else if (event.key === "End") to = range[1];
    else if (event.key === "+") zoom.value = [step - width / 4, step + width / 4];
    else if (event.key === "-") zoom.value = [step - width, step + width];
    else if (event.key === "0" || event.key === "Escape") zoom.value = null;
    else return;
    event.preventDefault();
    to = Math.max(range[0], Math.min(range[1], to));
    plot.current?.setCursor({ left: plot.current.valToPos(to, "x"), top: 10 });
    hovered.value = to;
  };
  return html`<div
    class="cursor"
    role="slider"
    tabindex="0"
    aria-label=${`${title}: step`}
    aria-valuemin=${Math.round(range[0])}
    aria-valuemax=${Math.round(range[1])}
    aria-valuenow=${step}
    aria-valuetext=${`step ${format(step)}: ${text}`}
    onKeyDown=${key}
    onDblClick=${() => (zoom.value = null)}
  >
    ${children}
  </div>`;
}

/** @param {{all: Series[], spiky: boolean}} props */
export function Behind({ all, spiky }) {
  const most = all.reduce((a, b) => (a.behind > b.behind ? a : b));
  const seeds = most.spread ? ` of ${most.spread.seeds} seeds, the band from the least to the largest` : "";
  const points = most.xs.length;
  return html`<p class="behind">
    ${counted(most.behind, "point")} behind ${all.length > 1 ? `“${most.name}”` : "the curve"}${seeds}${points > 1000
      ? "; every pixel column shows the least and the largest of its own, so no spike is lost. "
      : ". "}
    ${spiky && "The axis is logarithmic, because a spike would flatten all else. "}
    <span class="how-to-zoom">Drag to zoom, double-click to see all.</span>
  </p>`;
}

const ROWS = 60;

/** @param {{title: string, all: Series[]}} props */
export function PointsTable({ title, all }) {
  const rows = () => {
    const longest = all.reduce((a, b) => (a.xs.length > b.xs.length ? a : b));
    const { xs, ys } = longest;
    const every = Math.max(1, Math.ceil(xs.length / ROWS));
    const picked = new Set([xs.length - 1]);
    for (let i = 0; i < xs.length; i += every) picked.add(i);
    let low = -1;
    let high = -1;
    ys.forEach((y, i) => {
      if (Number.isNaN(y)) return;
      if (low < 0 || y < ys[low]) low = i;
      if (high < 0 || y > ys[high]) high = i;
    });
    if (low >= 0) picked.add(low).add(high);
    return [...picked]
      .filter((i) => i >= 0)
      .sort((a, b) => a - b)
      .map((i) => [
        format(Math.round(xs[i])),
        ...all.map((series) => withUnit(at(series, xs[i])?.value, shortUnit(series.unit))),
      ]);
  };
  return html`<${NumbersBehind}
    title=${title}
    head=${["step", ...all.map((series) => series.name)]}
    rows=${rows}
  />`;
}
