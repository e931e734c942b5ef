/** Layers over time: depth and time in one picture, and the units of one layer. */

import { useMemo } from "preact/hooks";

import { useLookIn } from "./following.js";
import { Heatmap } from "./heatmap.js";
import { html } from "./html.js";
import { MISSING, capital, cell, counted, decodeMatrix, format, shortName, shortUnit, withUnit } from "./numbers.js";
import { axis, layer as chosenLayer, quantity as chosenQuantity, showLookAt } from "./state.js";
import { NumbersBehind } from "./table.js";
import { gradientOf, theme } from "./theme.js";
import { Text } from "./words.js";

/** @typedef {import("./document.js").Looks} Looks */
/** @typedef {import("./document.js").Finding["where"]} Where */
/** @typedef {import("./document.js").Quantity} Quantity */

const SHARES = ["dead", "saturated"];

/** Layers of a sequence are called by their numbers. @param {string} name */
const calledLayer = (name) => (/^\d+$/.test(name) ? `layer ${name}` : name);

/** @param {{looks: Looks, where: Where}} props */
export function Layers({ looks, where }) {
  const { layers, quantities, steps } = looks;
  const named = [...(where.layers ?? []), ...Object.keys(where.units ?? {})];
  const quantity = quantities.find((one) => one.id === chosenQuantity.value) ?? quantities[0];
  const measured = layers.filter((one) => quantity && one.over[quantity.id]);
  const layer =
    layers.find((one) => one.name === chosenLayer.value) ??
    measured.find((one) => named.includes(one.name)) ??
    measured[0] ??
    layers[0];
  const column = useLookIn(steps);
  if (!layer || !quantity) return null;
  return html`<${Tabs} quantities=${quantities} chosen=${quantity.id} />
    <p class="meaning"><${Text} text=${quantity.meaning} /></p>
    <${Depth} looks=${looks} quantity=${quantity} chosen=${layer.name} named=${named} column=${column} />
    <${Units} looks=${looks} quantity=${quantity} layer=${layer} where=${where} column=${column} />`;
}

/** @param {{quantities: Quantity[], chosen: string}} props */
function Tabs({ quantities, chosen }) {
  return html`<div class="tabs" role="group" aria-label="what is shown of the layers">
    ${quantities.map(
      (one) => html`<button
        type="button"
        aria-pressed=${one.id === chosen}
        onClick=${() => (chosenQuantity.value = one.id)}
      >
        ${one.name}
      </button>`,
    )}
  </div>`;
}

/**
 * Depth × time: a row to each layer, the input at the top.
 *
 * @param {{looks: Looks, quantity: Quantity, chosen: string, named: string[], column: number}} props
 */
function Depth({ looks, quantity, chosen, named, column }) {
  const { layers, steps } = looks;
  const matrix = useMemo(() => decodeMatrix(quantity.summary), [quantity]);
  const rowHeight = Math.max(14, Math.min(30, Math.round(360 / layers.length)));
  const describe = /** @param {number} row @param {number} at */ (row, at) =>
    `${layers[row]?.name}, step ${format(steps[at])}: ${valueText(cell(matrix, row, at), shortUnit(quantity.unit))}`;
  return html`<figure class="depth">
    <figcaption class="figure-title">${capital(quantity.name)} of every layer, over the training</figcaption>
    <div class=${rowHeight < 18 ? "depth-grid dense" : "depth-grid"}>
      <ul class="layer-names">
        ${layers.map(
          (one, row) => html`<li style=${{ height: `${rowHeight}px` }}>
            <button
              type="button"
              aria-pressed=${one.name === chosen}
              class=${named.includes(one.name) ? "blamed" : ""}
              title=${one.name}
              onClick=${() => (chosenLayer.value = one.name)}
            >
              ${shortName(calledLayer(one.name))}
            </button>
            <output>${valueText(cell(matrix, row, column), shortUnit(quantity.unit))}</output>
          </li>`,
        )}
      </ul>
      <${Heatmap}
        matrix=${matrix}
        map=${SHARES.includes(quantity.id) ? "share" : "amount"}
        height=${rowHeight * layers.length}
        label=${`${quantity.name} by layer and step`}
        marked=${column}
        describe=${describe}
        onPick=${(/** @type {number} */ row, /** @type {number} */ at) => {
          chosenLayer.value = layers[row].name;
          showLookAt(steps[at]);
        }}
      />
      <span></span>
      <${TimeAxis} steps=${steps} column=${column} />
    </div>
    <${Scale} matrix=${matrix} quantity=${quantity} named=${named.some((name) => layers.some((one) => one.name === name))} />
    <${NumbersBehind}
      title=${`${quantity.name} by layer`}
      head=${["layer", ...picked(steps).map((at) => `step ${format(steps[at])}`)]}
      rows=${() =>
        layers.map((one, row) => [
          one.name,
          ...picked(steps).map((at) => valueText(cell(matrix, row, at), shortUnit(quantity.unit))),
        ])}
    />
  </figure>`;
}

/** Up to ten columns of a table, the first and the last among them. @param {number[]} steps */
function picked(steps) {
  const count = Math.min(10, steps.length);
  if (count < 2) return steps.map((_, i) => i);
  return Array.from({ length: count }, (_, i) => Math.round((i * (steps.length - 1)) / (count - 1)));
}

/** @param {number} value @param {string} unit */
const valueText = (value, unit) => (Number.isNaN(value) ? "–" : withUnit(value, unit, 3));

/**
 * The axis of the curves, from the first step to the last, with a line from each look to its step:
 * looks are dense where a training begins.
 *
 * @param {{steps: number[], column: number}} props
 */
function TimeAxis({ steps, column }) {
  const end = Math.max(axis.value?.[1] ?? 0, steps[steps.length - 1]) || 1;
  const every = Math.ceil(steps.length / 64);
  const lines = /** @param {number[]} columns */ (columns) =>
    columns.map((at) => `M${(100 * (at + 0.5)) / steps.length} 0L${(100 * steps[at]) / end} 20`).join("");
  const shown = steps.map((_, at) => at).filter((at) => at % every === 0);
  return html`<div class="time-axis" aria-hidden="true">
    <svg viewBox="0 0 100 20" preserveAspectRatio="none">
      <path d=${lines(shown)} /><path class="now" d=${lines([column])} />
    </svg>
    ${[0, Math.round(end / 2), end].map(
      (step) => html`<span style=${{ left: `${(100 * step) / end}%` }}>${step ? "" : "step "}${format(step)}</span>`,
    )}
  </div>`;
}

/** @param {{matrix: import("./numbers.js").Decoded, quantity: Quantity, named?: boolean}} props */
function Scale({ matrix, quantity, named }) {
  const map = SHARES.includes(quantity.id) ? "share" : "amount";
  const [low, high] = quantity.expected ?? [null, null];
  const healthy = [
    low === null ? null : `from ${withUnit(low, shortUnit(quantity.unit), 2)}`,
    high === null ? null : `up to ${withUnit(high, shortUnit(quantity.unit), 2)}`,
  ].filter(Boolean);
  return html`<p class="scale-legend">
    <span>${matrix.scale === "log" && matrix.values[0] === 0 ? "0 and above it " : ""}${withUnit(matrix.lo, shortUnit(quantity.unit), 3)}</span>
    <span class="ramp" style=${{ background: gradientOf(map, theme.value) }}></span>
    <span>${withUnit(matrix.hi, shortUnit(quantity.unit), 3)}</span>
    ${!shortUnit(quantity.unit) && quantity.unit && html`<span class="quiet">${quantity.unit}</span>`}
    ${matrix.scale === "log" && html`<span class="quiet">logarithmic</span>`}
    ${matrix.data.includes(MISSING) && html`<span class="none-swatch"></span><span>not measured here</span>`}
    ${healthy.length > 0 && html`<span class="quiet">healthy: ${healthy.join(" ")}</span>`}
    ${named && html`<span class="quiet named-layer">orange: named by the verdict</span>`}
  </p>`;
}

/**
 * The units of one layer over time.
 *
 * @param {{looks: Looks, quantity: Quantity, layer: import("./document.js").Layer, where: Where,
 *   column: number}} props
 */
function Units({ looks, quantity, layer, where, column }) {
  const packed = layer.over[quantity.id];
  const matrix = useMemo(() => packed && decodeMatrix(packed), [packed]);
  if (!matrix) {
    return html`<p class="nothing">
      ${capital(quantity.name)} was not measured of ${calledLayer(layer.name)}. Choose another layer above.
    </p>`;
  }
  const each = layer.units / matrix.rows;
  const nameOf = /** @param {number} row */ (row) =>
    each <= 1 ? `unit ${row}` : `units ${Math.floor(row * each)} to ${Math.ceil((row + 1) * each) - 1}`;
  const blamed = new Set(
    (where.units?.[layer.name] ?? []).map((unit) => Math.min(matrix.rows - 1, Math.floor(unit / each))),
  );
  const height = Math.max(60, Math.min(320, matrix.rows * 10));
  return html`<figure class="units-figure">
    <figcaption class="figure-title">
      ${capital(quantity.name)} of the ${counted(layer.units, "unit")} of ${calledLayer(layer.name)}${layer.rows ? `; a row is ${layer.rows}` : ""}
    </figcaption>
    <div class="depth-grid">
      <div class="unit-axis" style=${{ height: `${height}px` }} aria-hidden="true">
        <span>unit 0</span><span>${matrix.rows > 1 ? format(layer.units - 1) : ""}</span>
        ${[...blamed].map(
          (row) => html`<i style=${{ top: `${(100 * row) / matrix.rows}%`, height: `${100 / matrix.rows}%` }}></i>`,
        )}
      </div>
      <${Heatmap}
        matrix=${matrix}
        map=${SHARES.includes(quantity.id) ? "share" : "amount"}
        height=${height}
        label=${`${quantity.name} by unit of ${layer.name} and step`}
        marked=${column}
        describe=${(/** @type {number} */ row, /** @type {number} */ at) =>
          `${nameOf(row)}, step ${format(looks.steps[at])}: ${valueText(cell(matrix, row, at), shortUnit(quantity.unit))}`}
        onPick=${(/** @type {number} */ _row, /** @type {number} */ at) => showLookAt(looks.steps[at])}
      />
      <span></span>
      <${TimeAxis} steps=${looks.steps} column=${column} />
    </div>
    <${Scale} matrix=${matrix} quantity=${quantity} />
  </figure>`;
}
