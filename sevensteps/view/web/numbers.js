/** The numbers of a document, decoded, and written for people. */

/** @typedef {import("./document.js").Numbers} Numbers */
/** @typedef {import("./document.js").Steps} Steps */
/** @typedef {import("./document.js").Matrix} Matrix */

/**
 * The bytes of a Base64 text.
 *
 * @param {string} text
 * @returns {Uint8Array}
 */
export function bytes(text) {
  const raw = atob(text);
  const out = new Uint8Array(raw.length);
  for (let i = 0; i < raw.length; i++) out[i] = raw.charCodeAt(i);
  return out;
}

/**
 * Numbers as float64; NaN where one is not finite.
 *
 * @param {Numbers} numbers
 * @returns {Float64Array}
 */
export function decodeNumbers(numbers) {
  if (Array.isArray(numbers)) return Float64Array.from(numbers, (n) => (n === null ? NaN : n));
  const raw = bytes(numbers.f32);
  const view = new DataView(raw.buffer);
  const out = new Float64Array(raw.length >> 2);
  for (let i = 0; i < out.length; i++) out[i] = view.getFloat32(4 * i, true);
  return out;
}

/**
 * @param {Steps} steps
 * @returns {Float64Array}
 */
export function decodeSteps(steps) {
  if (Array.isArray(steps)) return Float64Array.from(steps);
  const out = new Float64Array(steps.count);
  for (let i = 0; i < out.length; i++) out[i] = steps.first + i * steps.every;
  return out;
}

/** A byte that stands for no number. */
export const MISSING = 255;

/**
 * A matrix with its bytes, and what each of the 255 stands for.
 *
 * @typedef {object} Decoded
 * @property {number} rows
 * @property {number} columns
 * @property {number} lo
 * @property {number} hi
 * @property {"linear"|"log"} scale
 * @property {Uint8Array} data
 * @property {Float64Array} values - of bytes 0 to 255; the last is NaN
 */

/** @type {WeakMap<Matrix, Decoded>} */
const decoded = new WeakMap();

/**
 * @param {Matrix} matrix
 * @returns {Decoded}
 */
export function decodeMatrix(matrix) {
  let result = decoded.get(matrix);
  if (!result) {
    const { rows, columns, lo, hi, scale, zeros } = matrix;
    const values = new Float64Array(256).fill(NaN);
    for (let b = 0; b < MISSING; b++) {
      const share = zeros ? (b - 1) / 253 : b / 254;
      values[b] = scale === "log" ? lo * (hi / lo) ** share : lo + (hi - lo) * share;
    }
    if (zeros) values[0] = 0;
    const data = bytes(matrix.data);
    if (data.length !== rows * columns) throw new Error("a matrix has other bytes than cells");
    result = { rows, columns, lo, hi, scale, data, values };
    decoded.set(matrix, result);
  }
  return result;
}

/**
 * The number in one cell; NaN where there is none.
 *
 * @param {Decoded} matrix
 * @param {number} row
 * @param {number} column
 */
export function cell(matrix, row, column) {
  return matrix.values[matrix.data[row * matrix.columns + column]];
}

const GROUPED = new Intl.NumberFormat("en-US", { maximumFractionDigits: 0 });
const SUPERSCRIPT = "⁰¹²³⁴⁵⁶⁷⁸⁹";
const NO_BREAK = "\u00a0";

/**
 * A number for people: whole numbers in groups of three, others with `digits` digits that count,
 * very small and very large ones with a power of ten.
 *
 * @param {number|null|undefined} number
 * @param {number} [digits]
 * @returns {string}
 */
export function format(number, digits = 4) {
  if (number === null || number === undefined || Number.isNaN(number)) return "not finite";
  if (!Number.isFinite(number)) return number > 0 ? "∞" : "−∞";
  if (number === 0) return "0";
  const size = Math.abs(number);
  const sign = number < 0 ? "−" : "";
  if (Number.isInteger(number) && size < 1e15) return sign + GROUPED.format(size);
  if (size < 1e-3 || size >= 1e7) {
    let [mantissa, exponent] = size.toExponential(digits - 1).split("e");
    mantissa = mantissa.includes(".") ? mantissa.replace(/\.?0+$/, "") : mantissa;
    const power = exponent.replace("+", "").replace("-", "⁻").replace(/\d/g, (d) => SUPERSCRIPT[+d]);
    return `${sign}${mantissa === "1" ? "" : `${mantissa}${NO_BREAK}·${NO_BREAK}`}10${power}`;
  }
  if (size >= 10 ** digits) return sign + GROUPED.format(size);
  const text = size.toPrecision(digits).replace(/(\.\d*?)0+$/, "$1").replace(/\.$/, "");
  return sign + (size < 1000 ? text : text.replace(/^\d+/, (whole) => GROUPED.format(Number(whole))));
}

/**
 * The same with its unit, on the same line.
 *
 * @param {number|null|undefined} number
 * @param {string} [unit]
 * @param {number} [digits]
 */
export function withUnit(number, unit = "", digits = 4) {
  const text = format(number, digits);
  if (!unit || text === "not finite") return text;
  return `${text}${NO_BREAK}${unit}`;
}

/**
 * A dotted name in at most `most` letters: its longest parts lose letters, so that names which differ
 * only at their ends still do.
 *
 * @param {string} name
 * @param {number} [most]
 */
export function shortName(name, most = 24) {
  const parts = name.split(".");
  for (let over = name.length - most; over > 0; over = parts.join(".").length - most) {
    const longest = parts.reduce((at, part, i) => (part.length > parts[at].length ? i : at), 0);
    if (parts[longest].length <= 4) break;
    const keep = Math.max(3, parts[longest].length - over - 1);
    parts[longest] = `${parts[longest].replace("…", "").slice(0, keep)}…`;
  }
  return parts.join(".");
}

/** A text with a capital letter first. @param {string} text */
export const capital = (text) => text.slice(0, 1).toUpperCase() + text.slice(1);

/** A unit that stands behind every number; a longer one stands once, in words. @param {string} unit */
export const shortUnit = (unit) => (unit.length <= 3 ? unit : "");

/** A text as a sentence: a capital letter first, and an end. @param {string} text */
export const sentence = (text) =>
  text ? capital(text) + (/[.!?:]$/.test(text) ? "" : ".") : "";

/**
 * "1 step", "2 steps".
 *
 * @param {number} count
 * @param {string} noun
 * @param {string} [plural]
 */
export function counted(count, noun, plural = `${noun}s`) {
  return `${format(count)} ${count === 1 ? noun : plural}`;
}

/**
 * The index of the element of sorted `xs` that is nearest to `x`; -1 where there are none.
 *
 * @param {ArrayLike<number>} xs
 * @param {number} x
 */
export function nearest(xs, x) {
  const right = lowerBound(xs, x);
  if (!xs.length) return -1;
  if (right === 0) return 0;
  if (right === xs.length) return xs.length - 1;
  return x - xs[right - 1] <= xs[right] - x ? right - 1 : right;
}

/**
 * The first index at which sorted `xs` is not below `x`.
 *
 * @param {ArrayLike<number>} xs
 * @param {number} x
 */
export function lowerBound(xs, x) {
  let low = 0;
  let high = xs.length;
  while (low < high) {
    const middle = (low + high) >> 1;
    if (xs[middle] < x) low = middle + 1;
    else high = middle;
  }
  return low;
}
