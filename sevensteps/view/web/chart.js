/** Curves over the steps, drawn by uPlot; a cursor that is read out, and the numbers behind. */

import { useEffect, useLayoutEffect, useMemo, useRef, useState } from "preact/hooks";

import { useLookStep } from "./following.js";
import { html } from "./html.js";
import { drawExpected, drawGaps, drawLevels, drawMarks } from "./marks.js";
import { capital, format } from "./numbers.js";
import { Behind, Cursor, Legend, PointsTable } from "./readout.js";
import { decades, hasSpike, seriesOf, spansDecade, tickTexts, valueRange, visible, wholeRange } from "./series.js";
import { axis, hovered, zoom } from "./state.js";
import { stylesOf } from "./styles.js";
import { colour, theme } from "./theme.js";
import uPlot from "./uplot.js";

/** @typedef {import("./series.js").Series} Series */
/** @typedef {Series & {style: import("./styles.js").Style}} Styled */
/** @typedef {import("./document.js").Curve} Curve */

/** @typedef {import("./marks.js").Mark} Mark */

/**
 * @typedef {object} ChartProps
 * @property {string} title
 * @property {(Pick<Curve, "name"|"unit"|"steps"|"values"> & Partial<Curve>)[]} curves
 * @property {Mark[]} [marks]
 * @property {boolean} [log]
 * @property {[number|null, number|null]} [expected] - a band of values that are expected
 * @property {number} [height]
 * @property {boolean} [looked] - whether the look of the slider is marked
 * @property {boolean} [plain] - without what stands behind each point
 */

/** @param {ChartProps} props */
export function Chart({ title, curves, marks = [], log = false, expected, height = 240, looked, plain }) {
  const all = useMemo(
    () => {
      const styles = stylesOf(curves);
      const drawn = curves.map((curve, index) => ({ ...seriesOf(curve), style: styles[index] }));
      return drawn.sort((a, b) => Number(isSoft(b)) - Number(isSoft(a))); // the first lie behind
    },
    [curves],
  );
  const positive = useMemo(() => all.every((series) => !series.ys.some((y) => y <= 0)), [all]);
  const spiky = useMemo(() => positive && hasSpike(all), [all]);
  const [logarithmic, setLogarithmic] = useState(log || spiky);
  const own = useMemo(() => wholeRange(all), [all]);
  const whole = axis.value ?? own;
  const box = useRef(/** @type {HTMLDivElement|null} */ (null));
  const plot = useRef(/** @type {uPlot|null} */ (null));
  const latest = useRef({ marks, gaps: /** @type {number[]} */ ([]) });
  latest.current.marks = marks;
  const mode = theme.value;
  const range = zoom.value ? clip(zoom.value, whole) : whole;
  const named = marks.some((mark) => mark.text);
  const switchable = positive && (logarithmic || spansDecade(all));

  useLayoutEffect(() => {
    if (!box.current) return undefined;
    const element = box.current;
    const options = { all, logarithmic, expected, height, latest, width: element.clientWidth, named };
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

  return html`<figure class="chart">
    <figcaption>
      <div>
        ${all.length > 1 && !plain && html`<span class="chart-title">${capital(title)}</span>`}
        <${Legend} all=${all} expected=${expected} />
      </div>
      <span class="chart-tools">
        <button type="button" class=${zoom.value ? "" : "unused"} onClick=${() => (zoom.value = null)}>whole training</button>
        ${switchable &&
        html`<button
          type="button"
          aria-pressed=${logarithmic}
          aria-label="logarithmic axis"
          onClick=${() => setLogarithmic(!logarithmic)}
        >
          log
        </button>`}
      </span>
    </figcaption>
    <${Cursor} title=${title} all=${all} range=${range} plot=${plot}>
      <div class="plot" ref=${box}></div>
      ${looked && html`<${LookMark} range=${range} />`}
    <//>
    ${!plain && html`<${Behind} all=${all} spiky=${spiky && logarithmic} />`}
    <${PointsTable} title=${title} all=${all} />
  </figure>`;
}

/**
 * The look of the slider: an element over the picture, so that a move of the slider draws no curve
 * again.
 *
 * @param {{range: [number, number]}} props
 */
function LookMark({ range }) {
  const step = useLookStep();
  if (step === undefined || step < range[0] || step > range[1]) return null;
  return html`<i class="look-mark" style=${{ "--share": (step - range[0]) / (range[1] - range[0]) }}></i>`;
}

/**
 * Write where the curves lie in the picture, as shares of it, for what is laid over them.
 *
 * @param {uPlot} plot
 * @param {HTMLElement|null} element
 */
function sayWhere({ bbox, ctx }, element) {
  const { width, height } = ctx.canvas;
  const places = { left: bbox.left / width, top: bbox.top / height, width: bbox.width / width, height: bbox.height / height };
  for (const [name, share] of Object.entries(places)) element?.style.setProperty(`--plot-${name}`, `${100 * share}%`);
}

/** Whether a curve is thin, behind the others. @param {Styled} series */
const isSoft = (series) => series.style.soft || series.xs.length > 300;

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
const valueTicks = (_, ticks) => tickTexts(ticks);

/** Of a tick in pixels, about: superscripts and points are narrow. @param {string} text */
const widthOf = (text) => [...text].reduce((sum, letter) => sum + (/[0-9∞−]/.test(letter) ? 6.7 : 4), 0);

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
 * @param {{all: Styled[], logarithmic: boolean, height: number, width: number, named: boolean,
 *   expected: [number|null, number|null]|undefined, latest: {current: Latest}}} options
 * @param {HTMLElement} element
 */
function makePlot({ all, logarithmic, height, width, expected, latest, named }, element) {
  const ink = colour("ink-soft");
  const font = `12px ${colour("sans") || "sans-serif"}`;
  const lines = { stroke: ink, font, ticks: { show: false }, grid: { stroke: colour("line"), width: 1 } };
  /** @type {any[]} */
  const series = [{}];
  /** @type {any[]} */
  const bands = [];
  all.forEach((one) => {
    const stroke = colour(`series-${one.style.colour}`);
    const soft = all.length > 1 && isSoft(one);
    const points = { show: one.xs.length <= 60 && !one.style.soft, size: 5, fill: stroke, stroke };
    series.push({ label: one.name, stroke, dash: one.style.dash, width: soft ? 1 : 1.7, alpha: soft ? 0.55 : 1, points });
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
        { ...lines, grid: { show: false }, size: 28, space: 80, values: stepTicks },
        {
          ...lines,
          size: (/** @type {uPlot} */ _, /** @type {string[]|null} */ texts) =>
            Math.max(width < 500 ? 50 : 72, ...(texts ?? []).map((text) => 18 + widthOf(text))),
          space: 30,
          values: valueTicks,
          ...(logarithmic ? { splits: logTicks, filter: (_, ticks) => ticks } : {}),
        },
      ],
      series,
      bands,
      padding: [named ? 26 : 12, 24, 0, 0], // texts of marks stand above the curves, never over them
      hooks: {
        drawClear: [(plot) => drawExpected(plot, expected)],
        draw: [
          (plot) => drawLevels(plot, all),
          (plot) => drawGaps(plot, latest.current.gaps),
          (plot) => drawMarks(plot, latest.current.marks),
          (plot) => sayWhere(plot, element.parentElement),
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
