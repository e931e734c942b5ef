/** The page: what is there of a document, in order, and what is not. */

import { batch } from "@preact/signals";
import { useEffect, useMemo, useState } from "preact/hooks";

import { ChainView } from "./chain.js";
import { ComparisonView, SideBySide } from "./comparison.js";
import { Curves } from "./curves.js";
import { Data } from "./data.js";
import { Following } from "./following.js";
import { Guard } from "./guard.js";
import { html } from "./html.js";
import { Inside } from "./inside.js";
import { Layers } from "./layers.js";
import { counted, decodeSteps, withUnit } from "./numbers.js";
import { RaceView } from "./race.js";
import { Glossary, RepeatView } from "./repeat.js";
import { LookSlider } from "./slider.js";
import { axis, look, lookSteps } from "./state.js";
import { Steps } from "./steps.js";
import { SurfaceView } from "./surface.js";
import { theme, toggleTheme } from "./theme.js";
import { Headline, Verdict } from "./verdict.js";
import { WordNote, setWords } from "./words.js";
import { Worst } from "./worst.js";

/** @typedef {import("./document.js").Document} Document */

/**
 * A section of the page; `view` is null where the document has nothing for it.
 *
 * `short` is its name in the contents.
 *
 * @typedef {{id: string, title: string, short?: string, lead?: string, view: any,
 *   follows?: boolean}} Section
 */

/**
 * @param {Document} document
 * @returns {Section[]}
 */
function sectionsOf(document) {
  const { looks, steps, curves, data, worst, chain, surface, words, repeat, race, comparison } = document;
  const findings = document.verdict?.findings ?? [];
  const where = findings[0]?.where ?? {};
  const alone = document.kind === "explanation" && worst?.length === 1;
  const blamed = [...new Set(findings.map((finding) => finding.step))];
  const some = /** @param {any[]|undefined} list */ (list) => Boolean(list && list.length);
  return [
    { id: "comparison", title: "What differs, and what came of it", short: "What differs", view: comparison && html`<${ComparisonView} comparison=${comparison} />` },
    { id: "race", title: "Who is ahead, and by how much", short: "The race", view: race && html`<${RaceView} race=${race} />` },
    {
      id: "steps",
      title: "The seven steps of this training",
      short: "The seven steps",
      lead: "A training is seven choices: what was chosen, why, and what it did to these numbers.",
      view: some(steps) && html`<${Steps} panels=${steps} blamed=${blamed} />`,
    },
    {
      id: "curves",
      title: curvesTitle(document),
      short: "Curves",
      view: some(curves) && html`<${Curves} document=${document} />`,
      follows: true,
    },
    {
      id: "layers",
      title: "What happened in each layer",
      short: "Layers over time",
      lead: looks && `${counted(looks.layers.length, "layer")}, at ${counted(looks.steps.length, "look")} at the training. Choose a row to see its units, a column to go to its look.`,
      view: looks && some(looks.layers) && html`<${Layers} looks=${looks} where=${where} />`,
      follows: true,
    },
    {
      id: "runs",
      title: "Run beside run, at the same step",
      short: "Run beside run",
      view: some(comparison?.documents) && html`<${SideBySide} documents=${comparison?.documents} />`,
      follows: true,
    },
    {
      id: "inside",
      title: "What the weights became, and what was answered",
      short: "Weights and answers",
      view:
        looks &&
        (looks.weights || some(looks.histograms) || looks.confusion) &&
        html`<${Inside} looks=${looks} />`,
      follows: true,
    },
    { id: "data", title: "The data of this training", short: "Data", view: data && html`<${Data} data=${data} />` },
    {
      id: "worst",
      title: alone ? "How its answer came about" : "The samples that it gets most wrong",
      short: "Worst samples",
      lead: alone ? "" : "Those with the largest loss: the truth → the answer. Choose one to see how its answer came about.",
      view: some(worst) && html`<${Worst} worst=${worst} />`,
    },
    { id: "chain", title: "The gradient of one weight, factor by factor", short: "Chain rule", view: chain && html`<${ChainView} chain=${chain} />` },
    {
      id: "surface",
      title: "The landscape of the loss",
      short: "Loss surface",
      lead: "The loss around the weights, along two directions; a line joins equal losses. The orange path is the way of the training.",
      view:
        surface &&
        html`<${SurfaceView} surface=${surface} steps=${looks?.steps} />
          ${looks && looks.steps.length > 1 && html`<div class="own-slider"><${LookSlider} looks=${looks} /></div>`}`,
    },
    { id: "words", title: "Words used here", short: "Words", view: some(words) && html`<${Glossary} words=${words} />` },
    { id: "repeat", title: "How to repeat it", view: repeat && html`<${RepeatView} repeat=${repeat} />` },
  ];
}

/**
 * The first and the last step of all that is drawn over time.
 *
 * @param {Document} document
 * @returns {[number, number]|null}
 */
export function axisOf({ curves = [], events = [], looks, comparison }) {
  const inner = comparison?.documents?.map(axisOf).map((one) => one?.[1] ?? 0) ?? [];
  const ends = curves.map(({ steps }) => decodeSteps(steps).at(-1) ?? 0);
  const last = Math.max(0, ...inner, ...ends, ...events.map((event) => event.step), looks?.steps.at(-1) ?? 0);
  return last ? [0, last] : null;
}

/**
 * What the first curve came to, in words.
 *
 * @param {Document} document
 */
function curvesTitle({ curves = [] }) {
  const groups = [...new Set(curves.map((curve) => curve.group))];
  const names = groups.length > 1 ? `${groups.slice(0, -1).join(", ")} and ${groups.at(-1)}` : (groups[0] ?? "");
  return `${names[0]?.toUpperCase() ?? ""}${names.slice(1)}, step by step`;
}

/** @param {{document: Document}} props */
export function Page({ document }) {
  useMemo(() => {
    setWords(document.words ?? []);
    axis.value = axisOf(document);
  }, [document]);
  const sections = useMemo(() => sectionsOf(document), [document]);
  const shown = sections.filter((section) => section.view);
  const { missing = {}, comparison } = document;
  const looks =
    document.looks ??
    comparison?.documents
      ?.map((each) => each.looks)
      .reduce((a, b) => ((b?.steps.length ?? 0) > (a?.steps.length ?? 0) ? b : a), undefined);
  useEffect(() => {
    if (!looks) return;
    batch(() => {
      lookSteps.value = looks.steps;
      look.value = Math.max(0, looks.steps.length - 1);
    });
  }, [looks]);
  const following = shown.filter((section) => section.follows);
  const slides = looks && looks.steps.length > 1;
  const first = following.length ? shown.indexOf(following[0]) : shown.length;
  const last = following.length ? shown.indexOf(following[following.length - 1]) + 1 : shown.length;
  return html`<a class="skip" href="#content">to the content</a>
    <div class=${shown.length > 1 ? "columns" : "columns alone"}>
      <${Contents} sections=${shown} verdict=${Boolean(document.verdict)} />
      <main id="content" tabindex="-1">
        <${Header} document=${document} />
        <${Guard}><${Verdict} document=${document} /><//>
        ${shown.slice(0, first).map(sectionOf)}
        ${following.length > 0 &&
        html`<div class="follows">
          ${shown.slice(first, last).map(sectionOf)}
          ${slides && html`<${LookSlider} looks=${looks} />`}
        </div>`}
        ${shown.slice(last).map(sectionOf)}
        <${Missing} missing=${missing} sections=${sections} />
      </main>
    </div>
    <footer>
      made by sevensteps${document.version ? ` ${document.version}` : ""}${document.made ? `, ${document.made.slice(0, 10)}` : ""}
    </footer>
    <${WordNote} />`;
}

/**
 * What the document does not have, with the reason; parts with the same reason together.
 *
 * @param {{missing: {[part: string]: string}, sections: Section[]}} props
 */
function Missing({ missing, sections }) {
  /** @type {Map<string, string[]>} */
  const parts = new Map();
  for (const [part, why] of Object.entries(missing)) {
    const section = sections.find((one) => one.id === (part === "looks" ? "layers" : part));
    const name = section?.short ?? section?.title ?? part.replaceAll("_", " ");
    parts.set(why, [...(parts.get(why) ?? []), name]);
  }
  if (!parts.size) return null;
  return html`<section id="missing" aria-labelledby="missing-h">
    <h2 id="missing-h">What is not here</h2>
    <dl class="missing">
      ${[...parts].map(
        ([why, names]) => html`<div><dt>${names.map((name) => html`<span>${name}</span>`)}</dt><dd>${why}</dd></div>`,
      )}
    </dl>
  </section>`;
}

/** @param {Section} section */
function sectionOf({ id, title, lead, view }) {
  return html`<${Following} id=${id} key=${id} labelledby=${`${id}-h`}>
    <h2 id=${`${id}-h`}>${title}</h2>
    ${lead && html`<p class="lead">${lead}</p>`} <${Guard}>${view}<//>
  <//>`;
}

const KINDS = {
  run: "Training",
  watched: "Watched training",
  race: "Race",
  comparison: "Comparison",
  explanation: "Explanation",
};

/** @param {{document: Document}} props */
function Header({ document }) {
  const { title, subtitle, figures = [], kind } = document;
  const dark = theme.value === "dark";
  return html`<header class="top" id="verdict">
    <div class="top-line">
      <p class="kind">
        ${KINDS[kind] ?? kind}${document.verdict && html` <b>${title}</b>`}
        ${document.verdict && subtitle && html`<span class="subtitle">${subtitle}</span>`}
      </p>
      <button type="button" class="theme" onClick=${toggleTheme} aria-label=${dark ? "light colours" : "dark colours"}>
        <svg viewBox="0 0 16 16" aria-hidden="true">
          ${dark
            ? html`<circle cx="8" cy="8" r="3" /><path d="M8 1v2M8 13v2M1 8h2M13 8h2M3 3l1.5 1.5M11.5 11.5L13 13M3 13l1.5-1.5M11.5 4.5L13 3" />`
            : html`<path d="M13.5 9.8A5.8 5.8 0 0 1 6.2 2.5a5.8 5.8 0 1 0 7.3 7.3z" />`}
        </svg>
      </button>
    </div>
    ${document.verdict
      ? html`<${Headline} verdict=${document.verdict} />`
      : html`<h1>${title}</h1>${subtitle && html`<p class="subtitle">${subtitle}</p>`}`}
    ${figures.length > 0 &&
    html`<dl class="figures">
      ${figures.map(
        (figure) => html`<div>
          <dt>${figure.name}</dt>
          <dd>${typeof figure.value === "string" ? figure.value : withUnit(figure.value, figure.unit)}</dd>
        </div>`,
      )}
    </dl>`}
  </header>`;
}

/** @param {{sections: Section[], verdict: boolean}} props */
function Contents({ sections, verdict }) {
  const [current, setCurrent] = useState("");
  useEffect(() => {
    const ids = ["verdict", "findings", ...sections.map((one) => one.id)];
    const inView = new Set();
    const observer = new IntersectionObserver(
      (entries) => {
        for (const { target, isIntersecting } of entries) {
          if (isIntersecting) inView.add(target.id);
          else inView.delete(target.id);
        }
        const id = ids.find((one) => inView.has(one)) ?? "";
        setCurrent(id === "findings" ? "verdict" : id);
      },
      { rootMargin: "-10% 0px -75% 0px" },
    );
    for (const id of ids) {
      const place = document.getElementById(id);
      if (place) observer.observe(place);
    }
    return () => observer.disconnect();
  }, [sections.length]);
  const here = /** @param {string} id */ (id) => (id === current ? "true" : undefined);
  return html`<nav class="contents" aria-label="on this page">
    <ol>
      ${verdict && html`<li><a href="#verdict" aria-current=${here("verdict")}>Verdict</a></li>`}
      ${sections.map(
        ({ id, short, title }) => html`<li><a href=${`#${id}`} aria-current=${here(id)}>${short ?? title}</a></li>`,
      )}
    </ol>
  </nav>`;
}
