/** uPlot, which a script of its own puts beside the modules. */

/** @type {typeof import("uplot")} */
const uPlot = /** @type {any} */ (globalThis).uPlot;

export default uPlot;
