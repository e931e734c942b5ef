/** Markup as tagged templates; whatever is put into one is text or a component, never markup. */

import { h } from "preact";
import htm from "htm";

/** @type {(strings: TemplateStringsArray, ...values: any[]) => any} */
export const html = htm.bind(h);

/**
 * A step's value as notation, which may break behind brackets and commas and nowhere else.
 *
 * @param {{text: string}} props
 */
export function Notation({ text }) {
  return html`<code>${text.split(/(?<=[(,])/).map((part) => html`${part}<wbr />`)}</code>`;
}
