/** Evidence, drawn: what was observed beside what is expected. */

import { html } from "./html.js";
import { capital, format } from "./numbers.js";
import { decades, evenly } from "./series.js";
import { Text } from "./words.js";

/** @typedef {import("./document.js").Measure} Measure */
/** @typedef {import("./document.js").EvidenceBar} EvidenceBar */

const NUMBER = "(-?\\d[\\d,]*(?:\\.\\d+)?(?:e[-+]?\\d+)?)";
const SHARE = new RegExp(`^${NUMBER} of (?:the )?${NUMBER}`);

/** @param {string} text */
const read = (text) => Number(text.replaceAll(",", ""));

/**
 * What can be drawn of a measure: its own bar, or one that its words say ("below 0.5", "1 of 30").
 *
 * @param {Measure} measure
 * @returns {(EvidenceBar & {whole?: number})|null}
 */
export function barOf(measure) {
  if (measure.bar) return measure.bar;
  const { observed, expected } = measure;
  if (typeof observed === "string" && typeof expected === "string") {
    const seen = SHARE.exec(observed);
    if (!seen) return null;
    const whole = read(seen[2]);
    const wanted = SHARE.exec(expected);
    if (wanted) return { observed: read(seen[1]), expected: [read(wanted[1]), whole], whole };
    if (expected === "few" || expected === "none") {
      return { observed: read(seen[1]), expected: [0, expected === "few" ? whole / 10 : 0], whole };
    }
    return null;
  }
  if (typeof observed !== "number" || !Number.isFinite(observed)) return null;
  const range = typeof expected === "number" ? numberRange(expected) : rangeOf(String(expected));
  if (!range) return null;
  const numbers = [observed, ...range].filter((n) => n !== null && n !== 0).map(Number);
  const log = numbers.every((n) => n > 0) && Math.max(...numbers) / Math.min(...numbers) > 30;
  return { observed, expected: range, log };
}

/** @param {number} expected @returns {[number, number]} */
const numberRange = (expected) => [expected, expected];

/**
 * The range that words say.
 *
 * @param {string} text
 * @returns {[number|null, number|null]|null}
 */
export function rangeOf(text) {
  /** @type {[RegExp, (a: number, b: number) => [number|null, number|null]][]} */
  const forms = [
    [new RegExp(`^${NUMBER} (?:to|–|-|…) ${NUMBER}`), (a, b) => [a, b]],
    [new RegExp(`^between ${NUMBER} and ${NUMBER}`), (a, b) => [a, b]],
    [new RegExp(`^(?:below|less than|at most|under|up to|not above|no more than|<|≤) ?${NUMBER}`), (a) => [null, a]],
    [new RegExp(`^(?:above|more than|at least|over|not below|from|>|≥) ?${NUMBER}`), (a) => [a, null]],
    [new RegExp(`^(?:about|around|near|≈|~) ?${NUMBER}`), (a) => [a * 0.8, a * 1.25]],
    [new RegExp(`^${NUMBER}$`), (a) => [a, a]],
  ];
  for (const [pattern, range] of forms) {
    const match = pattern.exec(text.trim());
    if (match) return range(read(match[1]), read(match[2] ?? "0"));
  }
  return null;
}

/**
 * Where the parts of a bar lie, in shares of its width.
 *
 * @param {EvidenceBar & {whole?: number}} bar
 */
export function places(bar) {
  const { place } = axisOf(bar);
  const [from, to] = bar.expected;
  return {
    observed: place(bar.observed),
    from: from === null ? 0 : place(from),
    to: to === null ? 1 : place(to),
  };
}

/**
 * The scale of a bar: its ends, and where a number lies between them.
 *
 * @param {EvidenceBar & {whole?: number}} bar
 */
function axisOf(bar) {
  const ends = bar.expected.filter((n) => n !== null).map(Number);
  const all = [bar.observed, ...ends];
  if (bar.log && all.every((n) => n > 0)) {
    const low = Math.min(...all) / Math.sqrt(10);
    const high = Math.max(...all) * Math.sqrt(10);
    const place = /** @param {number} n */ (n) => Math.log(n / low) / Math.log(high / low);
    return { low, high, log: true, place };
  }
  const low = Math.min(0, ...all);
  const high = bar.whole ?? (Math.max(0, ...all) * 1.15 || 1);
  return { low, high, log: false, place: /** @param {number} n */ (n) => (n - low) / (high - low || 1) };
}

/** @param {Measure["observed"]} value */
const shown = (value) => (typeof value === "number" ? format(value) : String(value ?? "not finite"));

/** @param {{evidence: Measure[]}} props */
export function Evidence({ evidence }) {
  return html`<ul class="evidence">
    ${evidence.map((measure) => html`<li><${EvidenceRow} measure=${measure} /></li>`)}
  </ul>`;
}

/** @param {{measure: Measure}} props */
export function EvidenceRow({ measure }) {
  const bar = barOf(measure);
  return html`<div class=${bar && isExpected(bar) ? "measure as-expected" : "measure"}>
    <p class="measure-name"><${Text} text=${capital(measure.measure)} /></p>
    <dl class="measure-numbers">
      <div class="observed"><dt><span class="dot" aria-hidden="true"></span>observed</dt><dd>${shown(measure.observed)}</dd></div>
      <div class="expected"><dt><span class="band" aria-hidden="true"></span>expected</dt><dd>${shown(measure.expected)}</dd></div>
    </dl>
    ${bar && html`<${Bar} bar=${bar} />`}
    ${measure.source && html`<p class="source">${measure.source}</p>`}
  </div>`;
}

/** Whether a measure was as it is expected. @param {Measure} measure */
export function asExpected(measure) {
  const bar = barOf(measure);
  return bar !== null && isExpected(bar);
}

/**
 * The measures that were as expected, in a sentence: a card is for what speaks for the finding.
 *
 * @param {{evidence: Measure[]}} props
 */
export function Within({ evidence }) {
  if (!evidence.length) return null;
  const texts = evidence.map((one) => `${one.measure} ${shown(one.observed)} (expected ${shown(one.expected)})`);
  return html`<p class="quiet within">As expected, all the same: <${Text} text=${texts.join("; ")} />.</p>`;
}

/** Whether what was observed lies in the range. @param {EvidenceBar} bar */
export function isExpected({ observed, expected: [low, high] }) {
  return (low === null || observed >= low) && (high === null || observed <= high);
}

/**
 * What was observed over the steps as curves: the same list each time.
 *
 * @type {WeakMap<object, object[]>}
 */
const curves = new WeakMap();

/** @param {NonNullable<Measure["drawn"]>} drawn */
export function curveOf(drawn) {
  const list = curves.get(drawn) ?? [drawn];
  curves.set(drawn, list);
  return list;
}

const TICKS = 5; // at most
const APART = 0.17; // of the width, so that no two texts touch

/**
 * The lines of a bar's scale: round numbers, and the ends of what is expected where there is room.
 *
 * @param {EvidenceBar & {whole?: number}} bar
 * @returns {{place: number, text: string}[]}
 */
export function ticksOf(bar) {
  const { place, low, high, log } = axisOf(bar);
  const limits = bar.expected.filter((n) => n !== null && n >= low && n <= high).map(Number);
  const round = log ? decades(low, high) : evenly(low, high, TICKS);
  /** @type {number[]} */
  const ticks = [];
  for (const tick of [...limits, ...(bar.whole ? [0, bar.whole] : []), ...round]) {
    const free = ticks.every((other) => Math.abs(place(other) - place(tick)) >= APART);
    if (free && ticks.length < TICKS) ticks.push(tick);
  }
  return ticks.sort((a, b) => a - b).map((tick) => ({ place: place(tick), text: format(tick, 3) }));
}

/** @param {{bar: EvidenceBar & {whole?: number}}} props */
function Bar({ bar }) {
  const { observed, from, to } = places(bar);
  const percent = /** @param {number} share */ (share) => `${(100 * share).toFixed(2)}%`;
  const width = Math.max(0.006, to - from);
  return html`<div class="bar" aria-hidden="true">
    <span class="bar-expected" style=${{ left: percent(Math.min(from, 1 - width)), width: percent(width) }}></span>
    <span class="bar-line" style=${{ left: 0, width: percent(observed) }}></span>
    <span class="bar-observed" style=${{ left: percent(observed) }}></span>
    ${ticksOf(bar).map(
      ({ place, text }) => html`<i style=${{ left: percent(place) }}><b style=${{ transform: `translateX(${(-100 * place).toFixed(1)}%)` }}>${text}</b></i>`,
    )}
  </div>`;
}
