/** Heat maps on a canvas: a matrix of bytes through a colour map, a cell to one or more pixels. */

import { useLayoutEffect, useRef, useState } from "preact/hooks";

import { html } from "./html.js";
import { MISSING } from "./numbers.js";
import { colourMap, theme } from "./theme.js";

/** @typedef {import("./numbers.js").Decoded} Decoded */
/** @typedef {import("./theme.js").MapName} MapName */

/**
 * The pixels of a matrix. Where there are more cells than pixels, a pixel has the largest number of
 * its cells, so that what stands out is not lost.
 *
 * @param {Pick<Decoded, "rows"|"columns"|"data">} matrix
 * @param {Uint32Array} colours - of each byte
 * @param {number} width
 * @param {number} height
 * @returns {{pixels: Uint32Array, width: number, height: number}} as many as there are cells, or
 *   fewer
 */
export function paint({ rows, columns, data }, colours, width, height) {
  const across = Math.min(columns, Math.max(1, width));
  const down = Math.min(rows, Math.max(1, height));
  const pixels = new Uint32Array(across * down);
  if (across === columns && down === rows) {
    for (let i = 0; i < pixels.length; i++) pixels[i] = colours[data[i]];
    return { pixels, width: across, height: down };
  }
  // one more than the byte, so that 0 stands for no number: MISSING + 1 in 8 bits
  const most = new Uint8Array(across * down);
  const columnOf = Uint16Array.from({ length: columns }, (_, c) => Math.floor((c * across) / columns));
  for (let row = 0, i = 0; row < rows; row++) {
    const start = Math.floor((row * down) / rows) * across;
    for (let column = 0; column < columns; column++, i++) {
      const above = (data[i] + 1) & 255;
      const place = start + columnOf[column];
      if (above > most[place]) most[place] = above;
    }
  }
  for (let i = 0; i < pixels.length; i++) pixels[i] = colours[(most[i] + MISSING) & 255];
  return { pixels, width: across, height: down };
}

/**
 * @typedef {object} HeatmapProps
 * @property {Decoded} matrix
 * @property {MapName} map
 * @property {number} height - in pixels
 * @property {string} label - what it shows, for those who hear it
 * @property {number} [marked] - a column to mark
 * @property {boolean} [flip] - whether row 0 is at the bottom
 * @property {boolean} [smooth] - whether colours run into each other
 * @property {(row: number, column: number) => string} describe - one cell, in words
 * @property {(row: number, column: number) => void} [onPick]
 * @property {(row: number|null, column: number|null) => void} [onHover]
 * @property {any} [children] - drawn over it
 */

/** @param {HeatmapProps} props */
export function Heatmap({ matrix, map, height, label, marked, flip, smooth, describe, onPick, onHover, children }) {
  const canvas = useRef(/** @type {HTMLCanvasElement|null} */ (null));
  const [cell, setCell] = useState(/** @type {[number, number]|null} */ (null));
  const mode = theme.value;
  const { rows, columns } = matrix;
  useLayoutEffect(() => {
    const context = canvas.current?.getContext("2d");
    if (!canvas.current || !context) return;
    const scale = devicePixelRatio || 1;
    const width = Math.round(canvas.current.clientWidth * scale) || 800;
    const drawn = paint(matrix, colourMap(map, mode), width, Math.round(height * scale));
    canvas.current.width = drawn.width;
    canvas.current.height = drawn.height;
    const image = context.createImageData(drawn.width, drawn.height);
    new Uint32Array(image.data.buffer).set(drawn.pixels);
    context.putImageData(image, 0, 0);
  }, [matrix, map, mode, height]);

  /** @param {PointerEvent|MouseEvent} event @returns {[number, number]} */
  const cellAt = (event) => {
    const place = /** @type {HTMLElement} */ (event.currentTarget).getBoundingClientRect();
    const limit = /** @param {number} n @param {number} most */ (n, most) =>
      Math.max(0, Math.min(most - 1, Math.floor(n)));
    const row = limit(((event.clientY - place.top) / place.height) * rows, rows);
    const column = limit(((event.clientX - place.left) / place.width) * columns, columns);
    return [flip ? rows - 1 - row : row, column];
  };
  /** @param {[number, number]|null} to */
  const move = (to) => {
    setCell(to);
    onHover?.(to && to[0], to && to[1]);
  };
  /** @param {KeyboardEvent} event */
  const key = (event) => {
    const [row, column] = cell ?? [0, marked ?? 0];
    const up = flip ? 1 : -1;
    /** @type {{[key: string]: [number, number]}} */
    const moves = { ArrowUp: [up, 0], ArrowDown: [-up, 0], ArrowLeft: [0, -1], ArrowRight: [0, 1] };
    if (event.key in moves) {
      const [down, right] = moves[event.key];
      move([
        Math.max(0, Math.min(rows - 1, row + down)),
        Math.max(0, Math.min(columns - 1, column + right)),
      ]);
    } else if (event.key === "Enter" || event.key === " ") onPick?.(row, column);
    else return;
    event.preventDefault();
  };
  const [row, column] = cell ?? [0, marked ?? 0];
  const down = flip ? rows - 1 - row : row;
  return html`<div
    class="heatmap"
    role="slider"
    tabindex="0"
    aria-label=${label}
    aria-valuemin="0"
    aria-valuemax=${rows * columns - 1}
    aria-valuenow=${row * columns + column}
    aria-valuetext=${describe(row, column)}
    style=${{ height: `${height}px` }}
    onPointerMove=${(/** @type {PointerEvent} */ event) => move(cellAt(event))}
    onPointerLeave=${() => move(null)}
    onBlur=${() => move(null)}
    onClick=${(/** @type {MouseEvent} */ event) => onPick?.(...cellAt(event))}
    onKeyDown=${key}
  >
    <canvas ref=${canvas} class=${`${flip ? "flipped" : ""} ${smooth ? "smooth" : ""}`} aria-hidden="true"></canvas>
    ${marked !== undefined &&
    html`<span
      class="marked-column"
      style=${{ left: `${(100 * marked) / columns}%`, width: `${100 / columns}%` }}
    ></span>`}
    ${children}
    ${cell &&
    html`<span
      class=${column > columns / 2 ? "tip left" : "tip"}
      style=${{
        left: `${(100 * (column + 0.5)) / columns}%`,
        top: `${(100 * (down + 0.5)) / rows}%`,
      }}
      >${describe(row, column)}</span
    >`}
  </div>`;
}
