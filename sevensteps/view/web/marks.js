/** What is drawn on a chart beside its curves: ranges that are expected, levels, events, gaps. */

import { colour } from "./theme.js";

/** @typedef {import("uplot")} uPlot */
/** @typedef {import("./series.js").Series} Series */

/**
 * A vertical line: an event, or the step at which something began.
 *
 * @typedef {{step: number, text: string, kind: "event"|"onset"}} Mark
 */

/**
 * @param {uPlot} plot
 * @param {[number|null, number|null]|undefined} expected
 */
export function drawExpected(plot, expected) {
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
 * Values to compare the curves with; the legend names them, so that no text lies over a curve.
 *
 * @param {uPlot} plot
 * @param {Series[]} all
 */
export function drawLevels(plot, all) {
  const { ctx, bbox } = plot;
  const size = devicePixelRatio || 1;
  ctx.save();
  ctx.strokeStyle = colour("ink-soft");
  ctx.setLineDash([2 * size, 3 * size]);
  for (const level of all.flatMap((series) => series.levels)) {
    const y = plot.valToPos(level.value, "y", true);
    if (y >= bbox.top && y <= bbox.top + bbox.height) line(ctx, bbox.left, y, bbox.left + bbox.width, y);
  }
  ctx.restore();
}

/**
 * Crosses at the top where a number is not finite.
 *
 * @param {uPlot} plot
 * @param {number[]} gaps
 */
export function drawGaps(plot, gaps) {
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

/** @type {{[kind in Mark["kind"]]: string}} */
const COLOURS = { onset: "observed", event: "ink-faint" };

/**
 * Vertical lines, and above the curves the texts of those that have one.
 *
 * @param {uPlot} plot
 * @param {Mark[]} marks
 */
export function drawMarks(plot, marks) {
  const { ctx, bbox } = plot;
  const size = devicePixelRatio || 1;
  const right = bbox.left + bbox.width;
  const shown = marks
    .map((mark) => ({ mark, x: plot.valToPos(mark.step, "x", true) }))
    .filter(({ x }) => x >= bbox.left - 1 && x <= right + 1);
  ctx.save();
  ctx.font = `600 ${12 * size}px ${colour("sans") || "sans-serif"}`;
  for (const { mark, x } of shown) {
    ctx.strokeStyle = ctx.fillStyle = colour(COLOURS[mark.kind]);
    ctx.lineWidth = (mark.kind === "onset" ? 2 : 1) * size;
    ctx.setLineDash(mark.kind === "event" ? [3 * size, 3 * size] : []);
    line(ctx, x, bbox.top - (mark.text ? 6 * size : 0), x, bbox.top + bbox.height);
  }
  const texts = shown.filter(({ mark }) => mark.text);
  const boxes = texts.map(({ mark, x }) => ({ x, width: ctx.measureText(mark.text).width }));
  ctx.textAlign = "left";
  placeTexts(boxes, bbox.left, right, 10 * size).forEach((left, index) => {
    if (left === null) return;
    ctx.fillStyle = colour(COLOURS[texts[index].mark.kind]);
    ctx.fillText(texts[index].mark.text, left, bbox.top - 10 * size);
  });
  ctx.restore();
}

/**
 * Where texts in one line begin: each in the middle of its place as far as there is room, none over
 * another. A text without room has none: null.
 *
 * @param {{x: number, width: number}[]} texts
 * @param {number} left
 * @param {number} right
 * @param {number} gap
 * @returns {(number|null)[]}
 */
export function placeTexts(texts, left, right, gap) {
  /** @type {(number|null)[]} */
  const starts = texts.map(() => null);
  let free = left;
  const order = texts.map((_, index) => index).sort((a, b) => texts[a].x - texts[b].x);
  for (const index of order) {
    const { x, width } = texts[index];
    const start = Math.max(free, Math.min(x - width / 2, right - width));
    if (start + width > right) continue;
    starts[index] = start;
    free = start + width + gap;
  }
  return starts;
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
