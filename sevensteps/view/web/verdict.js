/** The verdict: what is wrong, its evidence, where it began, the remedy and its trials. */

import { useMemo } from "preact/hooks";

import { Chart } from "./chart.js";
import { Command } from "./copy.js";
import { Evidence, EvidenceRow, Within, asExpected, curveOf } from "./evidence.js";
import { html } from "./html.js";
import { Network } from "./network.js";
import { capital, format, sentence, withUnit } from "./numbers.js";
import { ByLayer } from "./profile.js";
import { Trials } from "./trials.js";
import { Text } from "./words.js";

/** @typedef {import("./document.js").Document} Document */
/** @typedef {import("./document.js").Finding} Finding */
/** @typedef {import("./document.js").Remedy} Remedy */

export const STEPS = ["initialize", "predict", "loss", "gradient", "step", "repeat", "stop"];

const STATES = {
  error: "Keeps the training from working",
  warning: "Learns less than it could",
  info: "Worth knowing",
  healthy: "Healthy",
  unknown: "Too little was seen",
};

/** @param {string} condition */
export const inWords = (condition) => condition.replaceAll("_", " ");

/**
 * The sentence of the whole page.
 *
 * @param {{verdict: NonNullable<Document["verdict"]>}} props
 */
export function Headline({ verdict }) {
  const title = verdict.findings[0]?.title;
  return html`<div class=${`verdict ${verdict.state}`}>
    <p class="state"><${StateIcon} state=${verdict.state} />${STATES[verdict.state]}</p>
    <h1 id="verdict-h">${title ? sentence(title) : verdict.sentence}</h1>
  </div>`;
}

/** @param {{document: Document}} props */
export function Verdict({ document }) {
  const { verdict } = document;
  if (!verdict) return null;
  const { findings } = verdict;
  return html`<section class="findings" id="findings" aria-labelledby="verdict-h">
    ${findings.length > 0 && html`<${StepStrip} findings=${findings} /><${FirstRemedy} document=${document} />`}
    ${findings.length > 1 && html`<${Rivals} findings=${findings} />`}
    ${findings.map(
      (finding, index) =>
        html`<${FindingView} finding=${finding} document=${document} rank=${index + 1} key=${index} />`,
    )}
    ${verdict.evidence && verdict.evidence.length > 0 && html`<div class="grounds">
      <h2 class="rivals-title">On what this rests</h2>
      <${Evidence} evidence=${verdict.evidence} />
    </div>`}
    <p class="basis">${without(verdict.basis, verdict.sentence)}</p>
    <${NotFound} document=${document} />
  </section>`;
}

/**
 * All findings beside each other, so that none hides behind the first.
 *
 * @param {{findings: Finding[]}} props
 */
function Rivals({ findings }) {
  return html`<h2 class="rivals-title">${findings.length} findings, the most likely cause first</h2>
    <ol class="rivals">
      ${findings.map(
        (finding, index) => html`<li class=${index ? "" : "first"}>
          <p class="rival-head">
            <span class="number">${index + 1}</span>
            <a href=${`#finding-${index + 1}`}>${nameOf(finding)}</a>
          </p>
          <p class="chips"><${Chips} finding=${finding} /></p>
          ${finding.evidence[0] && html`<${EvidenceRow} measure=${finding.evidence.find((one) => !asExpected(one)) ?? finding.evidence[0]} />`}
        </li>`,
      )}
    </ol>`;
}

/** A condition as a title. @param {Finding} finding */
function nameOf(finding) {
  return capital(finding.title ?? inWords(finding.condition));
}

/**
 * The verdict of one of several runs: short, its findings to open.
 *
 * @param {{document: Document}} props
 */
export function ShortVerdict({ document }) {
  const { verdict } = document;
  if (!verdict) return null;
  return html`<div class=${`verdict ${verdict.state}`}>
    <p class="state"><${StateIcon} state=${verdict.state} />${STATES[verdict.state]}</p>
    <p class="short-sentence">${verdict.sentence}</p>
    ${verdict.findings.map(
      (finding, index) =>
        html`<${FindingView} finding=${finding} document=${document} rank=${index + 1} short key=${index} />`,
    )}
  </div>`;
}

/** @param {{state: keyof typeof STATES}} props */
function StateIcon({ state }) {
  const shapes = {
    error: html`<path d="M5 5l6 6M11 5l-6 6" />`,
    warning: html`<path d="M8 4v5M8 11.6v.4" />`,
    info: html`<path d="M8 7.5v4M8 4.4v.4" />`,
    healthy: html`<path d="M4.6 8.2l2.4 2.4 4.4-5" />`,
    unknown: html`<path d="M5 8h6" />`,
  };
  return html`<svg class="state-icon" viewBox="0 0 16 16" aria-hidden="true">
    <circle cx="8" cy="8" r="7.5" />${shapes[state]}
  </svg>`;
}

/** @param {{findings: Finding[]}} props */
function StepStrip({ findings }) {
  const [first, ...others] = findings.map((finding) => finding.step);
  const elsewhere = mendedElsewhere(findings[0]);
  /** @param {string} name */
  const kind = (name) => (name === first ? "blamed" : others.some((other) => other === name) ? "suspect" : "");
  return html`<div class="strip-frame">
    <ol class="strip" aria-label=${`the seven steps; to blame: ${first}`}>
      ${STEPS.map(
        (name, index) => html`<li class=${kind(name)}>
          <a href=${`#step-${name}`}><span>${index + 1}</span>${name}</a>
        </li>`,
      )}
    </ol>
    <p class="strip-note">
      Of the seven steps of a training, ${stepName(first)} is ${elsewhere ? `where it goes wrong; it is mended in ${elsewhere}` : "to blame"}.
    </p>
  </div>`;
}

/**
 * What to do, where the page is opened: the first remedy of the first finding, in a line.
 *
 * @param {{document: Document}} props
 */
function FirstRemedy({ document }) {
  const finding = document.verdict?.findings[0];
  const remedy = finding?.remedies[0];
  if (!finding || !remedy) return null;
  const changes = document.kind === "watched" && remedy.advice ? [] : Object.entries(remedy.change);
  return html`<p class="first-remedy">
    <b>What to do first. </b>
    ${changes.map(([step, value]) => {
      const now = valueOf(step, document);
      if (!STEPS.includes(step)) return html`Prepare ${stepName(step)} with <code class="new">${value}</code>. `;
      const before = now && html`from <code class="was">${now}</code> `;
      return html`Change ${stepName(step)} ${before}to <code class="new">${value}</code>. `;
    })}
    <${Text} text=${sentence(changes.length ? remedy.why : remedy.advice || remedy.why)} />
    ${" "}<a href="#what-to-change">${finding.trials.length ? "What trials of it showed" : finding.remedies.length > 1 ? "How, and what else" : "How"}</a>
  </p>`;
}

/** What the training had for a step. @param {string} step @param {Document} document */
const valueOf = (step, document) => document.steps?.find((panel) => panel.name === step)?.value;

/** @param {{finding: Finding, document: Document, rank: number, short?: boolean}} props */
function FindingView({ finding, document, rank, short }) {
  const alone = (document.verdict?.findings.length ?? 0) < 2;
  const body = html`<${FindingBody} finding=${finding} document=${document} first=${rank === 1 && !short} />`;
  if (rank === 1 && !short) {
    return html`<article class="finding" id="finding-1" aria-label=${nameOf(finding)}>
      ${alone ? html`<h2 class="for-readers">The finding in detail</h2><p class="chips"><${Chips} finding=${finding} step=${false} /></p>` : html`<h2 class="finding-title">The first in detail</h2>`}
      ${body}
    </article>`;
  }
  return html`<details class=${`finding folded ${finding.severity}`} id=${short ? undefined : `finding-${rank}`}>
    <summary><${FindingHead} finding=${finding} rank=${short ? undefined : rank} /></summary>
    ${body}
  </details>`;
}

/** @param {{finding: Finding, rank?: number, symptom?: boolean}} props */
function FindingHead({ finding, rank, symptom }) {
  return html`<span class="finding-head">${rank && html`<span class="number">${rank} </span>`}<b>${nameOf(finding)}</b> <${Chips} finding=${finding} step=${!symptom} /></span>`;
}

/** One of the seven in a sentence. @param {string} step */
const stepName = (step) => (STEPS.includes(step) ? `step ${STEPS.indexOf(step) + 1} (${step})` : `the ${step}`);

/**
 * The steps that the first remedy changes, where that is not the one to blame; else "".
 *
 * @param {Finding} finding
 */
function mendedElsewhere(finding) {
  const changed = Object.keys(finding.remedies[0]?.change ?? {});
  return changed.includes(finding.step) ? "" : changed.map(stepName).join(" and ");
}

/**
 * Which step, how sure, and since when; of what only follows from another cause no step.
 *
 * @param {{finding: Finding, step?: boolean}} props
 */
function Chips({ finding, step: named = true }) {
  return html`${named && html`<span class="chip blamed">${stepName(finding.step)}</span>`}
    <span class="chip" title="how sure the diagnosis is of this cause">${withUnit(Math.round(100 * finding.confidence), "%")} sure</span>
    ${finding.onset !== null &&
    html`<span class="chip">
      ${finding.onset ? `began at step ${format(finding.onset)}` : "from the start"}
    </span>`}`;
}

/** @param {{finding: Finding, document: Document, first?: boolean}} props */
function FindingBody({ finding, document, first = false }) {
  const layers = document.looks?.layers ?? [];
  const named = [...(finding.where.layers ?? []), ...Object.keys(finding.where.units ?? {})];
  const drawn = layers.some(
    (layer) => named.includes(layer.name) || finding.where.parameters?.some((p) => p.startsWith(`${layer.name}.`)),
  );
  const heading = finding.title ? "" : (document.verdict?.sentence ?? "");
  const rest = without(finding.explanation, heading);
  const speaking = finding.evidence.filter((one) => !asExpected(one));
  const cards = speaking.length ? speaking : finding.evidence;
  const within = finding.evidence.filter((one) => !cards.includes(one));
  return html`<div class="finding-body">
    ${rest && html`<p class="explanation"><${Text} text=${rest} /></p>`}
    ${finding.consequence && html`<p class="consequence"><b>What it means for you.</b> <${Text} text=${finding.consequence} /></p>`}
    ${finding.evidence.length > 0 && html`<h3>The evidence</h3><${Evidence} evidence=${cards} /><${Within} evidence=${within} />`}
    <${Beginning} finding=${finding} document=${document} />
    ${document.looks && html`<${ByLayer} finding=${finding} looks=${document.looks} />`}
    ${drawn && html`<h3>Where in the network</h3><${Network} layers=${layers} where=${finding.where} />`}
    ${finding.remedies.length > 0 && html`<h3 id=${first ? "what-to-change" : undefined}>What to change</h3>`}
    ${finding.remedies.map(
      (remedy, index) => html`${finding.remedies.length > 1 && index < 2 &&
        html`<p class="which">${index ? "Or" : "Try this first"}</p>`}
        <${RemedyView} remedy=${remedy} document=${document} finding=${finding} />`,
    )}
    ${finding.symptoms.length > 0 &&
    html`<div class="symptoms">
      <h3>What follows from it</h3>
      ${finding.symptoms.map(
        (symptom) => html`<details>
          <summary><${FindingHead} finding=${symptom} symptom /></summary>
          <div class="finding-body">
            <p class="explanation"><${Text} text=${symptom.explanation} /></p>
            <${Evidence} evidence=${symptom.evidence} />
          </div>
        </details>`,
      )}
    </div>`}
  </div>`;
}

/**
 * The curve with the step at which it began, and under it what was measured in the layer.
 *
 * @param {{finding: Finding, document: Document}} props
 */
function Beginning({ finding, document }) {
  const curves = useMemo(() => {
    const all = document.curves ?? [];
    const group = (all.find((curve) => curve.group === "loss") ?? all[0])?.group;
    const list = all.filter((curve) => curve.group === group);
    const evaluated = list.filter((curve) => curve.name !== "loss of each step");
    if (finding.onset === null && evaluated.length > 1) return evaluated;
    return list.sort((a, b) => b.behind - a.behind).slice(0, 1);
  }, [document, finding]);
  const marks = useMemo(
    () =>
      finding.onset === null
        ? []
        : [
            {
              step: finding.onset,
              text: finding.onset ? `step ${format(finding.onset)}` : "from the start",
              kind: "onset",
            },
          ],
    [finding],
  );
  if (!curves.length) return null;
  const measured = finding.evidence.flatMap(({ drawn }) => (drawn ? [drawn] : []));
  const title =
    finding.onset === null
      ? "The loss over the training"
      : finding.onset
        ? `It began at step ${format(finding.onset)}`
        : "It was there from the start";
  return html`<h3>${title}</h3>
    <${Chart} title=${curves.map((curve) => curve.name).join(", ")} curves=${curves} marks=${marks}
      height=${200} log=${curves[0].log} plain />
    ${measured.map(
      (drawn) => html`<${Chart}
        title=${drawn.name}
        curves=${curveOf(drawn)}
        marks=${marks}
        height=${140}
        expected=${drawn.expected}
        log=${drawn.log}
        plain
      />`,
    )}`;
}

/** @param {{remedy: Remedy, document: Document, finding: Finding}} props */
function RemedyView({ remedy, document, finding }) {
  const trials = finding.trials.filter((trial) => sameChange(trial.change, remedy.change));
  if (document.kind === "watched" && !remedy.command && remedy.advice) {
    return html`<div class="remedy">
      <p class="own-loop"><${Text} text=${sentence(remedy.advice)} /></p>
      <p class="advice"><${Text} text=${sentence(remedy.why)} /></p>
      ${remedy.code && remedy.code.length > 0 && html`<${Code} lines=${remedy.code} />`}
      ${trials.map((trial) => html`<${Trials} trial=${trial} />`)}
    </div>`;
  }
  return html`<div class="remedy">
    ${Object.entries(remedy.change).map(([step, value]) => {
      const now = valueOf(step, document);
      return html`<p class="change">
        <span class="chip">${stepName(step)}</span>
        ${now && html`<code class="was">${now}</code><span class="arrow" aria-label="becomes">→</span>`}
        <code class="new">${value}</code>
      </p>`;
    })}
    <p><${Text} text=${sentence(remedy.why)} />${remedy.advice && html` <span class="advice">In a loop of your own: ${remedy.advice}.</span>`}</p>
    ${remedy.code && remedy.code.length > 0 && html`<${Code} lines=${remedy.code} />`}
    ${remedy.command && html`<${Command} text=${remedy.command} />`}
    ${trials.map((trial) => html`<${Trials} trial=${trial} />`)}
  </div>`;
}

/** A text without the sentence that stands above it. @param {string} text @param {string} said */
const without = (text, said) => (text.startsWith(said) ? text.slice(said.length).trim() : text);

/** @param {{[step: string]: string}} a @param {{[step: string]: string}} b */
function sameChange(a, b) {
  const keys = Object.keys(a);
  return keys.length === Object.keys(b).length && keys.every((key) => a[key] === b[key]);
}

/** @param {{lines: import("./document.js").CodeLine[]}} props */
function Code({ lines }) {
  const file = lines.find((line) => line.file)?.file;
  const marks = { keep: " ", remove: "−", add: "+" };
  return html`<figure class="code">
    ${file && html`<figcaption>${file}</figcaption>`}
    <pre tabindex="0"><code>${lines.map(
      (line) => html`<span class=${line.kind}><i>${line.line ?? ""}</i><b>${marks[line.kind]}</b>${line.text}
</span>`,
    )}</code></pre>
  </figure>`;
}

const FEW = 6; // reasons that are shown at once

/** @param {{document: Document}} props */
function NotFound({ document }) {
  const { ruled_out: ruledOut = [], not_judged: notJudged = [] } = document;
  /** @param {string} title @param {import("./document.js").Named[]} list */
  const list = (title, list) =>
    list.length > 0 &&
    html`<details class="named" open=${list.length <= FEW}>
      <summary>${title} <span class="count">${list.length}</span></summary>
      <dl>
        ${list.map((one) => html`<div><dt>${sentence(one.title ?? inWords(one.name))}</dt><dd>${sentence(one.why)}</dd></div>`)}
      </dl>
    </details>`;
  return html`<div class="not-found">
    ${list("Ruled out", ruledOut)} ${list("Not judged, and why", notJudged)}
  </div>`;
}
