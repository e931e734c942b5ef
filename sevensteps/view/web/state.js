/** What the reader has chosen; everything on the page follows it. */

import { signal } from "@preact/signals";

import { nearest } from "./numbers.js";

/** The steps of the looks that the slider goes through. */
export const lookSteps = signal(/** @type {number[]} */ ([]));

/** The look that the slider stands at: its index in `lookSteps`. */
export const look = signal(0);

/** @param {number} step */
export function showLookAt(step) {
  look.value = Math.max(0, nearest(lookSteps.value, step));
}

/** The step under the cursor of any chart; null: none. */
export const hovered = signal(/** @type {number|null} */ (null));

/** The first and the last step of the training: one axis for everything that is drawn over time. */
export const axis = signal(/** @type {[number, number]|null} */ (null));

/** The steps that all curves show; null: all. */
export const zoom = signal(/** @type {[number, number]|null} */ (null));

/** The layer whose units are shown. */
export const layer = signal("");

/** The quantity that is shown of layers. */
export const quantity = signal("");

/** The word that explains itself, and the element under which it does. */
export const word = signal(/** @type {{word: string, anchor: HTMLElement}|null} */ (null));
