/** Markup as tagged templates; whatever is put into one is text or a component, never markup. */

import { h } from "preact";
import htm from "htm";

/** @type {(strings: TemplateStringsArray, ...values: any[]) => any} */
export const html = htm.bind(h);
