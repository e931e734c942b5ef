/** Small pictures, one to each frame, on canvases of as many pixels as they have. */

import { useLayoutEffect, useRef } from "preact/hooks";

import { html } from "./html.js";
import { MISSING, decodeMatrix } from "./numbers.js";
import { colourMap, theme } from "./theme.js";

/** @typedef {import("./document.js").Pictures} Pictures */

/**
 * One of the pictures, as pixels. Of signed ones 0 is the middle of the colours.
 *
 * @param {Pictures} pictures
 * @param {number} index
 * @param {"light"|"dark"} mode
 */
export function pixelsOf(pictures, index, mode) {
  const { height, width, signed } = pictures;
  const { data, lo, hi, values } = decodeMatrix(pictures.pixels);
  const colours = colourMap(signed ? "signed" : "grey", mode);
  const most = Math.max(Math.abs(lo), Math.abs(hi)) || 1;
  const pixels = new Uint32Array(height * width);
  const start = index * height * width;
  for (let i = 0; i < pixels.length; i++) {
    const byte = data[start + i];
    if (byte === MISSING) continue;
    pixels[i] = colours[signed ? Math.round(127 + (127 * values[byte]) / most) : byte];
  }
  return pixels;
}

/** @param {{pictures: Pictures, index?: number, label: string, size?: number}} props */
export function Picture({ pictures, index = 0, label, size = 64 }) {
  const canvas = useRef(/** @type {HTMLCanvasElement|null} */ (null));
  const mode = theme.value;
  const { height, width } = pictures;
  useLayoutEffect(() => {
    const context = canvas.current?.getContext("2d");
    if (!canvas.current || !context) return;
    canvas.current.width = width;
    canvas.current.height = height;
    const image = context.createImageData(width, height);
    new Uint32Array(image.data.buffer).set(pixelsOf(pictures, index, mode));
    context.putImageData(image, 0, 0);
  }, [pictures, index, mode]);
  const scale = size / Math.max(height, width);
  return html`<canvas
    class="picture"
    role="img"
    aria-label=${label}
    ref=${canvas}
    style=${{ width: `${width * scale}px`, height: `${height * scale}px` }}
  ></canvas>`;
}
