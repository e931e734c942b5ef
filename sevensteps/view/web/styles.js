/**
 * How the curves of a chart look: the training data are blue and the validation data orange in every
 * report, and where there are more curves than that a dash tells apart what a colour may not.
 */

/** @typedef {import("./document.js").Curve} Curve */

/** Lengths of lines and gaps, in pixels; the first is an unbroken line. */
export const DASHES = [[], [8, 4], [2, 3], [10, 3, 2, 3], [16, 4], [5, 2, 1, 2, 1, 2]];
const COLOURS = 6; // series-1 to series-6 of the stylesheet
const SOLID = 3; // curves that colour alone tells apart
const PARTS = { training: 1, batch: 1, validation: 2 };

/**
 * @typedef {object} Style
 * @property {number} colour - of series-1, series-2, …
 * @property {number[]} dash
 * @property {boolean} soft - of single batches: thin, behind the others
 */

/**
 * The style of each curve. By what its samples are, and the run by the dash; of more runs, or of
 * curves of anything else, one after the other.
 *
 * @param {Pick<Curve, "part"|"run">[]} curves
 * @returns {Style[]}
 */
export function stylesOf(curves) {
  const runs = [...new Set(curves.map((curve) => curve.run))];
  if (runs.length < DASHES.length - 2 && curves.every((curve) => curve.part)) {
    return curves.map(({ part, run }) => ({
      colour: PARTS[part ?? "training"],
      dash: DASHES[runs.indexOf(run)],
      soft: part === "batch",
    }));
  }
  return curves.map((_, index) => ({
    colour: (index % COLOURS) + 1,
    dash: DASHES[Math.floor(index / SOLID) % DASHES.length],
    soft: false,
  }));
}
