/** What is drawn on a chart beside its curves: ranges that are expected, levels, events, gaps. */

import { colour } from "./theme.js";

/** @typedef {import("uplot")} uPlot */
/** @typedef {import("./series.js").Series} Series */

/**
 * A vertical line: an event, a look, the step at which something began.
 *
 * @typedef {{step: number, text: string, kind: "event"|"look"|"onset"}} Mark
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
 * @param {uPlot} plot
 * @param {Series[]} all
 */
export function drawLevels(plot, all) {
  const { ctx, bbox } = plot;
  const size = devicePixelRatio || 1;
  ctx.save();
  ctx.strokeStyle = ctx.fillStyle = colour("ink-soft");
  ctx.font = `${12 * size}px ${colour("sans") || "sans-serif"}`;
  ctx.textAlign = "right";
  ctx.setLineDash([2 * size, 3 * size]);
  for (const level of all.flatMap((series) => series.levels)) {
    const y = plot.valToPos(level.value, "y", true);
    if (!(y >= bbox.top && y <= bbox.top + bbox.height)) continue;
    line(ctx, bbox.left, y, bbox.left + bbox.width, y);
    label(ctx, level.name, bbox.left + bbox.width - 4 * size, y - 5 * size, size);
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

/**
 * @param {uPlot} plot
 * @param {Mark} mark
 */
export function drawMark(plot, mark) {
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
    ctx.font = `${mark.kind === "onset" ? "600 " : ""}${12 * size}px ${colour("sans") || "sans-serif"}`;
    const wide = ctx.measureText(mark.text).width;
    const left = x + wide + 8 * size > bbox.left + bbox.width;
    ctx.textAlign = left ? "right" : "left";
    label(ctx, mark.text, x + (left ? -6 : 6) * size, bbox.top + 11 * size, size);
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

/**
 * A text with a rim in the colour of the paper, to be read over lines.
 *
 * @param {CanvasRenderingContext2D} ctx
 * @param {string} text
 * @param {number} x
 * @param {number} y
 * @param {number} size
 */
function label(ctx, text, x, y, size) {
  ctx.save();
  ctx.setLineDash([]);
  ctx.lineJoin = "round";
  ctx.strokeStyle = colour("paper");
  ctx.lineWidth = 4 * size;
  ctx.strokeText(text, x, y);
  ctx.restore();
  ctx.fillText(text, x, y);
}
