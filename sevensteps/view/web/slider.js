/** The slider through the looks, which moves everything at once. */

import { useEffect, useState } from "preact/hooks";

import { html } from "./html.js";
import { format } from "./numbers.js";
import { axis, look } from "./state.js";

/** @typedef {import("./document.js").Looks} Looks */

/** @param {{looks: Looks}} props */
export function LookSlider({ looks }) {
  const [playing, setPlaying] = useState(false);
  const last = looks.steps.length - 1;
  const index = Math.min(look.value, last);
  useEffect(() => {
    if (!playing) return undefined;
    const timer = setInterval(() => {
      if (look.value >= last) setPlaying(false);
      else look.value += 1;
    }, Math.max(60, Math.min(400, 8000 / (last + 1))));
    return () => clearInterval(timer);
  }, [playing, last]);
  const play = () => {
    if (!playing && look.value >= last) look.value = 0;
    setPlaying(!playing);
  };
  const loss = looks.loss?.[index];
  const end = axis.value?.[1] ?? 0;
  const position = `look ${index + 1} of ${last + 1}, step ${format(looks.steps[index])}`;
  return html`<div class="slider-bar">
    <button type="button" class="play" onClick=${play} aria-label=${playing ? "stop" : "play the looks"}>
      <svg viewBox="0 0 16 16" aria-hidden="true">
        ${playing ? html`<path d="M4 3h3v10H4zM9 3h3v10H9z" />` : html`<path d="M4 2.5v11l9-5.5z" />`}
      </svg>
    </button>
    <input
      type="range"
      min="0"
      max=${last}
      step="1"
      value=${index}
      aria-label="look"
      aria-valuetext=${position}
      onInput=${(/** @type {Event} */ event) =>
        (look.value = Number(/** @type {HTMLInputElement} */ (event.currentTarget).value))}
    />
    <output>
      <b>step ${format(looks.steps[index])}${end > looks.steps[last] ? html` <small>of ${format(end)}</small>` : ""}</b>
      <span>look ${index + 1} of ${last + 1}${index === last ? ", the last" : ""}</span>
      ${loss !== undefined && html`<span>loss ${format(loss, 3)}</span>`}
    </output>
  </div>`;
}
