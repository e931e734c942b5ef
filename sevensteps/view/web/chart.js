/** Curves over the steps, drawn by uPlot; a cursor that is read out, and the numbers behind. */

import { useEffect, useLayoutEffect, useMemo, useRef, useState } from "preact/hooks";

import { html } from "./html.js";
import { counted, format, withUnit } from "./numbers.js";
import { at, decades, seriesOf, valueRange, visible, wholeRange } from "./series.js";
import { hovered, zoom } from "./state.js";
import { NumbersBehind } from "./table.js";
import { SERIES, colour, theme } from "./theme.js";
import uPlot from "./uplot.js";

/** @typedef {import("./series.js").Series} Series */
/** @typedef {import("./document.js").Curve} Curve */

/**
 * A vertical line: an event, a look, the step at which something began.
 *
 * @typedef {{step: number, text: string, kind: "event"|"look"|"onset"}} Mark
 */

/**
 * @typedef {object} ChartProps
 * @property {string} title
 * @property {(Pick<Curve, "name"|"unit"|"steps"|"values"> & Partial<Curve>)[]} curves
 * @property {Mark[]} [marks]
 * @property {boolean} [log]
 * @property {[number|null, number|null]} [expected] - a band of values that are expected
 * @property {number} [height]
 * @property {boolean} [small] - without title, legend and table
 */

/** @param {ChartProps} props */
export function Chart({ title, curves, marks = [], log = false, expected, height = 240, small }) {
  const all = useMemo(
    () => curves.map(seriesOf).sort((a, b) => Number(b.xs.length > 300) - Number(a.xs.length > 300)),
    [curves],
  );
  const [logarithmic, setLogarithmic] = useState(log);
  const whole = useMemo(() => wholeRange(all), [all]);
  const box = useRef(/** @type {HTMLDivElement|null} */ (null));
  const plot = useRef(/** @type {uPlot|null} */ (null));
  const latest = useRef({ marks, gaps: /** @type {number[]} */ ([]) });
  latest.current.marks = marks;
  const mode = theme.value;
  const range = zoom.value ? clip(zoom.value, whole) : whole;

  useLayoutEffect(() => {
    if (!box.current) return undefined;
    const element = box.current;
    const options = { all, logarithmic, expected, height, latest, width: element.clientWidth };
    plot.current = makePlot(options, element);
    const observer = new ResizeObserver(() => {
      const width = element.clientWidth;
      if (plot.current && width && width !== plot.current.width) {
        plot.current.setSize({ width, height });
        draw(plot.current, all, range, logarithmic, expected, latest.current);
      }
    });
    observer.observe(element);
    return () => {
      observer.disconnect();
      plot.current?.destroy();
      plot.current = null;
    };
  }, [all, logarithmic, mode, height]);
  useLayoutEffect(() => {
    if (plot.current) draw(plot.current, all, range, logarithmic, expected, latest.current);
  }, [all, logarithmic, mode, height, range[0], range[1]]);
  useEffect(() => plot.current?.redraw(false), [marks]);

  const positive = all.every((series) => series.ys.every((y) => !(y <= 0)));
  return html`<figure class=${small ? "chart small" : "chart"}>
    ${!small &&
    html`<figcaption>
      <span class="chart-title">${title}</span>
      <span class="chart-tools">
        ${zoom.value &&
        html`<button type="button" onClick=${() => (zoom.value = null)}>whole training</button>`}
        ${positive &&
        html`<button
          type="button"
          aria-pressed=${logarithmic}
          onClick=${() => setLogarithmic(!logarithmic)}
        >
          log
        </button>`}
      </span>
    </figcaption>`}
    ${!small && html`<${Legend} all=${all} />`}
    <${Cursor} title=${title} all=${all} range=${range} plot=${plot}>
      <div class="plot" ref=${box}></div>
    <//>
    ${!small && html`<${Behind} all=${all} /><${PointsTable} title=${title} all=${all} />`}
  </figure>`;
}

/**
 * @param {[number, number]} range
 * @param {[number, number]} whole
 * @returns {[number, number]}
 */
function clip(range, whole) {
  const from = Math.max(range[0], whole[0]);
  const to = Math.min(range[1], whole[1]);
  return from < to ? [from, to] : whole;
}

/** @param {uPlot} _ @param {number[]} ticks */
const stepTicks = (_, ticks) => ticks.map((t, i) => (i ? format(t) : `step ${format(t)}`));

/** @param {uPlot} _ @param {(number|null)[]} ticks */
const valueTicks = (_, ticks) => ticks.map((t) => (t === null ? "" : format(t, 3)));

/** @type {(plot: uPlot, axis: number, low: number, high: number) => number[]} */
const logTicks = (_plot, _axis, low, high) => decades(low, high);

/**
 * @typedef {{marks: Mark[], gaps: number[]}} Latest
 */

/**
 * @param {uPlot} plot
 * @param {Series[]} all
 * @param {[number, number]} range
 * @param {boolean} log
 * @param {[number|null, number|null]|undefined} expected
 * @param {Latest} latest
 */
function draw(plot, all, range, log, expected, latest) {
  const columns = Math.max(50, Math.round(plot.bbox.width));
  const { tables, gaps } = visible(all, range, columns, log);
  latest.gaps = gaps;
  const levels = all.flatMap((series) => series.levels.map((level) => level.value));
  const also = [...levels, ...(expected ?? []).map((n) => n ?? NaN)];
  const [low, high] = valueRange(all, range, log, also);
  plot.batch(() => {
    plot.setData(/** @type {any} */ (uPlot.join(/** @type {any} */ (tables))), false);
    plot.setScale("x", { min: range[0], max: range[1] });
    plot.setScale("y", { min: low, max: high });
  });
}

/**
 * @param {{all: Series[], logarithmic: boolean, height: number, width: number,
 *   expected: [number|null, number|null]|undefined, latest: {current: Latest}}} options
 * @param {HTMLElement} element
 */
function makePlot({ all, logarithmic, height, width, expected, latest }, element) {
  const ink = colour("ink-soft");
  const font = `12px ${colour("sans") || "sans-serif"}`;
  const axis = { stroke: ink, font, ticks: { show: false }, grid: { stroke: colour("line"), width: 1 } };
  /** @type {any[]} */
  const series = [{}];
  /** @type {any[]} */
  const bands = [];
  all.forEach((one, index) => {
    const stroke = colour(SERIES[index % SERIES.length]);
    const dense = all.length > 1 && one.xs.length > 300;
    const points = { show: one.xs.length <= 60, size: 5, fill: stroke, stroke };
    const dash = index < SERIES.length ? undefined : [7, 4];
    series.push({ label: one.name, stroke, dash, width: dense ? 1 : 1.7, alpha: dense ? 0.7 : 1, points });
    if (one.spread) {
      const edge = { stroke: "transparent", points: { show: false } };
      series.push({ ...edge }, { ...edge });
      bands.push({ series: [series.length - 1, series.length - 2], fill: `${stroke}30` });
    }
  });
  return new uPlot(
    {
      width: width || 600,
      height,
      legend: { show: false },
      cursor: {
        drag: { x: true, y: false, setScale: false },
        sync: { key: "steps", setSeries: false, scales: ["x", null] },
        points: { show: false },
        y: false,
        bind: { dblclick: () => null },
      },
      scales: {
        x: { time: false, auto: false },
        y: { auto: false, distr: logarithmic ? 3 : 1, log: 10 },
      },
      axes: [
        { ...axis, grid: { show: false }, size: 28, space: 80, values: stepTicks },
        {
          ...axis,
          size: 58,
          space: 36,
          values: valueTicks,
          ...(logarithmic ? { splits: logTicks, filter: (_, ticks) => ticks } : {}),
        },
      ],
      series,
      bands,
      padding: [14, 12, 0, 0],
      hooks: {
        drawClear: [(plot) => drawExpected(plot, expected)],
        draw: [
          (plot) => drawLevels(plot, all),
          (plot) => drawGaps(plot, latest.current.gaps),
          (plot) => latest.current.marks.forEach((mark) => drawMark(plot, mark)),
        ],
        setCursor: [
          (plot) => {
            const left = plot.cursor.left ?? -1;
            hovered.value = left < 0 ? null : plot.posToVal(left, "x");
          },
        ],
        setSelect: [
          (plot) => {
            const { left, width: wide } = plot.select;
            if (wide < 4) return;
            zoom.value = [plot.posToVal(left, "x"), plot.posToVal(left + wide, "x")];
            plot.setSelect({ left: 0, width: 0, top: 0, height: 0 }, false);
          },
        ],
      },
    },
    [[], ...series.slice(1).map(() => [])],
    element,
  );
}

/**
 * @param {uPlot} plot
 * @param {[number|null, number|null]|undefined} expected
 */
function drawExpected(plot, expected) {
  if (!expected) return;
  const { ctx, bbox } = plot;
  const place = /** @param {number} y */ (y) =>
    Math.max(bbox.top, Math.min(bbox.top + bbox.height, plot.valToPos(y, "y", true)));
  const top = expected[1] === null ? bbox.top : place(expected[1]);
  const bottom = expected[0] === null ? bbox.top + bbox.height : place(expected[0]);
  ctx.save();
  ctx.fillStyle = colour("expected-soft");
  ctx.fillRect(bbox.left, top, bbox.width, bottom - top);
  ctx.restore();
}

/**
 * @param {uPlot} plot
 * @param {Series[]} all
 */
function drawLevels(plot, all) {
  const { ctx, bbox } = plot;
  const size = devicePixelRatio || 1;
  ctx.save();
  ctx.strokeStyle = ctx.fillStyle = colour("ink-soft");
  ctx.font = `${11 * size}px ${colour("sans") || "sans-serif"}`;
  ctx.textAlign = "right";
  ctx.setLineDash([2 * size, 3 * size]);
  for (const level of all.flatMap((series) => series.levels)) {
    const y = plot.valToPos(level.value, "y", true);
    if (!(y >= bbox.top && y <= bbox.top + bbox.height)) continue;
    line(ctx, bbox.left, y, bbox.left + bbox.width, y);
    ctx.save();
    ctx.setLineDash([]);
    ctx.lineJoin = "round";
    ctx.strokeStyle = colour("paper");
    ctx.lineWidth = 4 * size;
    ctx.strokeText(level.name, bbox.left + bbox.width - 4 * size, y - 5 * size);
    ctx.restore();
    ctx.fillText(level.name, bbox.left + bbox.width - 4 * size, y - 5 * size);
  }
  ctx.restore();
}

/**
 * Crosses at the top where a number is not finite.
 *
 * @param {uPlot} plot
 * @param {number[]} gaps
 */
function drawGaps(plot, gaps) {
  const { ctx, bbox } = plot;
  const size = devicePixelRatio || 1;
  ctx.save();
  ctx.strokeStyle = colour("observed");
  ctx.lineWidth = 1.5 * size;
  for (const step of gaps) {
    const x = plot.valToPos(step, "x", true);
    const y = bbox.top + 5 * size;
    line(ctx, x - 3 * size, y - 3 * size, x + 3 * size, y + 3 * size);
    line(ctx, x - 3 * size, y + 3 * size, x + 3 * size, y - 3 * size);
  }
  ctx.restore();
}

/**
 * @param {uPlot} plot
 * @param {Mark} mark
 */
function drawMark(plot, mark) {
  const { ctx, bbox } = plot;
  const x = plot.valToPos(mark.step, "x", true);
  if (!(x >= bbox.left - 1 && x <= bbox.left + bbox.width + 1)) return;
  const size = devicePixelRatio || 1;
  const colours = { onset: "observed", look: "ink", event: "ink-faint" };
  ctx.save();
  ctx.strokeStyle = ctx.fillStyle = colour(colours[mark.kind]);
  ctx.lineWidth = (mark.kind === "onset" ? 2 : 1) * size;
  if (mark.kind === "event") ctx.setLineDash([3 * size, 3 * size]);
  line(ctx, x, bbox.top, x, bbox.top + bbox.height);
  ctx.setLineDash([]);
  if (mark.text) {
    ctx.font = `${mark.kind === "onset" ? "600 " : ""}${11 * size}px ${colour("sans") || "sans-serif"}`;
    const wide = ctx.measureText(mark.text).width;
    const left = x + wide + 8 * size > bbox.left + bbox.width;
    ctx.textAlign = left ? "right" : "left";
    ctx.fillText(mark.text, x + (left ? -5 : 5) * size, bbox.top + (mark.kind === "event" ? 24 : 11) * size);
  }
  if (mark.kind === "look") {
    ctx.beginPath();
    ctx.arc(x, bbox.top + bbox.height, 4 * size, 0, 2 * Math.PI);
    ctx.fill();
  }
  ctx.restore();
}

/**
 * @param {CanvasRenderingContext2D} ctx
 * @param {number} x0
 * @param {number} y0
 * @param {number} x1
 * @param {number} y1
 */
function line(ctx, x0, y0, x1, y1) {
  ctx.beginPath();
  ctx.moveTo(x0, y0);
  ctx.lineTo(x1, y1);
  ctx.stroke();
}

/** @param {{all: Series[]}} props */
function Legend({ all }) {
  const step = hovered.value;
  return html`<ul class="legend">
    ${all.map((series, index) => {
      const point = at(series, step ?? Infinity);
      return html`<li key=${series.name}>
        <span
          class=${index < SERIES.length ? "swatch" : "swatch dashed"}
          data-series=${(index % SERIES.length) + 1}
        ></span>
        <span>${series.name}</span>
        <output>
          ${point ? withUnit(point.value, series.unit) : "–"}
          ${point && html` <small>at step ${format(Math.round(point.step))}</small>`}
        </output>
      </li>`;
    })}
  </ul>`;
}

/**
 * What lets a keyboard move the cursor, and says where it is.
 *
 * @param {{title: string, all: Series[], range: [number, number], plot: {current: uPlot|null},
 *   children?: any}} props
 */
function Cursor({ title, all, range, plot, children }) {
  const step = Math.round(Math.max(range[0], Math.min(range[1], hovered.value ?? range[1])));
  const text = all
    .map((series) => `${series.name} ${withUnit(at(series, step)?.value, series.unit)}`)
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

/** @param {{all: Series[]}} props */
function Behind({ all }) {
  const most = all.reduce((a, b) => (a.behind > b.behind ? a : b));
  const seeds = most.spread ? ` of ${most.spread.seeds} seeds, the band from the least to the largest` : "";
  const points = most.xs.length;
  return html`<p class="behind">
    ${counted(most.behind, "point")} behind ${all.length > 1 ? `“${most.name}”` : "the curve"}${seeds};
    ${points > 1000
      ? " every pixel column shows the least and the largest of its own, so no spike is lost. "
      : " all are drawn. "}
    Drag to zoom, double-click to see all.
  </p>`;
}

const ROWS = 60;

/** @param {{title: string, all: Series[]}} props */
function PointsTable({ title, all }) {
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
        ...all.map((series) => withUnit(at(series, xs[i])?.value, series.unit)),
      ]);
  };
  return html`<${NumbersBehind}
    title=${title}
    head=${["step", ...all.map((series) => series.name)]}
    rows=${rows}
  />`;
}
