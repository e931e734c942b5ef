/** What the reader has chosen; everything on the page follows it. */

import { signal } from "@preact/signals";

/** The look that is shown: its index. */
export const look = signal(0);

/** The step under the cursor of any chart; null: none. */
export const hovered = signal(/** @type {number|null} */ (null));

/** The steps that all curves show; null: all. */
export const zoom = signal(/** @type {[number, number]|null} */ (null));

/** The layer whose units are shown. */
export const layer = signal("");

/** The quantity that is shown of layers. */
export const quantity = signal("");

/** The word that explains itself, and the element under which it does. */
export const word = signal(/** @type {{word: string, anchor: HTMLElement}|null} */ (null));
