/** The seven steps as panels: value, reason, what it did to these numbers. */

import { Notation, html } from "./html.js";
import { sentence } from "./numbers.js";
import { Text } from "./words.js";

/** @param {{panels: import("./document.js").StepPanel[], blamed: string[]}} props */
export function Steps({ panels, blamed }) {
  return html`<ol class="panels">
    ${panels.map(
      (panel, index) => html`<li
        id=${`step-${panel.name}`}
        class=${blamed.includes(panel.name) ? "panel blamed" : "panel"}
      >
        <div class="panel-name">
          <h3><span class="number">${index + 1}</span>${panel.name}</h3>
          <p class="question">${panel.question}</p>
        </div>
        <div>
          ${panel.value
            ? html`<p class="value"><${Notation} text=${panel.value} /></p>`
            : html`<p class="value none">not known</p>`}
          ${panel.reason && !blamed.includes(panel.name) && html`<p class="reason"><${Text} text=${sentence(panel.reason)} /></p>`}
          ${blamed.includes(panel.name) && html`<p class="to-blame"><a href="#verdict">to blame: see the verdict</a></p>`}
        </div>
        ${panel.did.length > 0 &&
        html`<ul class="did">
          ${panel.did.map((text) => html`<li>${text}</li>`)}
        </ul>`}
      </li>`,
    )}
  </ol>`;
}
