/** The curves of a training, a chart to each group, with events and the look that is shown. */

import { useMemo } from "preact/hooks";

import { Chart } from "./chart.js";
import { useLookStep } from "./following.js";
import { html } from "./html.js";
import { format, sentence } from "./numbers.js";
import { axis, lookSteps } from "./state.js";

/** @typedef {import("./document.js").Curve} Curve */
/** @typedef {import("./document.js").Document} Document */

/**
 * @param {Curve[]} curves
 * @returns {[string, Curve[]][]}
 */
export function groupsOf(curves) {
  /** @type {Map<string, Curve[]>} */
  const groups = new Map();
  for (const curve of curves) groups.set(curve.group, [...(groups.get(curve.group) ?? []), curve]);
  return [...groups];
}

function LookStep() {
  return html`the look of the slider, step ${format(useLookStep())}`;
}

/** @param {{document: Document}} props */
export function Curves({ document }) {
  const { curves = [], events = [], verdict } = document;
  const groups = useMemo(() => groupsOf(curves), [curves]);
  const looked = lookSteps.value.length > 0;
  const onset = verdict?.findings[0]?.onset ?? null;
  const end = axis.value?.[1] ?? Infinity;
  const between = useMemo(() => events.filter((event) => event.step > 0 && event.step < end), [events, end]);
  const marks = useMemo(
    () => [
      ...between.map((event) => ({ step: event.step, text: "", kind: "event" })),
      ...(onset === null ? [] : [{ step: onset, text: "", kind: "onset" }]),
    ],
    [between, onset],
  );
  return html`${(onset !== null || looked || between.length > 0) &&
    html`<ul class="legend marks">
      ${onset !== null &&
      html`<li><span class="mark onset"></span>${onset ? `where the finding began, step ${format(onset)}` : "the finding is there from the start"}</li>`}
      ${looked && html`<li><span class="mark look"></span><${LookStep} /></li>`}
      ${between.length > 0 && html`<li><span class="mark event"></span>what happened, listed below</li>`}
    </ul>`}
    <div class="curves">
      ${groups.map(
        ([group, list], index) => html`<${Chart}
          key=${group}
          title=${group}
          curves=${list}
          marks=${marks}
          looked=${looked}
          height=${index ? 180 : 280}
          log=${list[0].log}
        />`,
      )}
    </div>
    ${events.length > 0 &&
    html`<ul class="events">
      ${events.map(
        (event) => html`<li>
          <span class="event-step">step ${format(event.step)}</span>
          <span>${sentence(event.text)}</span>
        </li>`,
      )}
    </ul>`}`;
}
