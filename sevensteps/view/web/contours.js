/** Lines of equal height through a grid: marching squares. */

/**
 * @typedef {[number, number, number, number]} Segment - x and y of both ends, in cells
 */

/**
 * The segments of the line at one height. Points of the grid are at whole numbers, from 0 on; where
 * a number is missing there is no line.
 *
 * @param {(row: number, column: number) => number} value
 * @param {number} rows
 * @param {number} columns
 * @param {number} height
 * @returns {Segment[]}
 */
export function contour(value, rows, columns, height) {
  /** @type {Segment[]} */
  const segments = [];
  for (let row = 0; row + 1 < rows; row++) {
    for (let column = 0; column + 1 < columns; column++) {
      const corners = [
        value(row, column),
        value(row, column + 1),
        value(row + 1, column + 1),
        value(row + 1, column),
      ];
      if (corners.some(Number.isNaN)) continue;
      const crossings = crossingsOf(corners, height).map(([x, y]) => [column + x, row + y]);
      for (let i = 0; i + 1 < crossings.length; i += 2) {
        const [[x0, y0], [x1, y1]] = [crossings[i], crossings[i + 1]];
        segments.push([x0, y0, x1, y1]);
      }
    }
  }
  return segments;
}

/** Corners of a cell in order around it. */
const CORNERS = [[0, 0], [1, 0], [1, 1], [0, 1]];

/**
 * Where the sides of one cell cross the height: 0, 2 or 4 points in order around it.
 *
 * @param {number[]} corners
 * @param {number} height
 * @returns {number[][]}
 */
function crossingsOf(corners, height) {
  /** @type {number[][]} */
  const points = [];
  for (let i = 0; i < 4; i++) {
    const [a, b] = [corners[i], corners[(i + 1) % 4]];
    if (a < height === b < height) continue;
    const share = (height - a) / (b - a);
    const [from, to] = [CORNERS[i], CORNERS[(i + 1) % 4]];
    points.push([from[0] + (to[0] - from[0]) * share, from[1] + (to[1] - from[1]) * share]);
  }
  return points;
}

/**
 * Heights of `count` lines between two numbers, evenly or by equal ratios.
 *
 * @param {number} low
 * @param {number} high
 * @param {boolean} log
 * @param {number} count
 * @returns {number[]}
 */
export function heights(low, high, log, count) {
  return Array.from({ length: count }, (_, i) => {
    const share = (i + 1) / (count + 1);
    return log && low > 0 ? low * (high / low) ** share : low + (high - low) * share;
  });
}
