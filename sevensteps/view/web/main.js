/** Shows the document of the page in the place that the page has for it. */

import { render } from "preact";

import { SCHEMA } from "./document.js";
import { html } from "./html.js";
import { Page } from "./page.js";

/**
 * @param {import("./document.js").Document} content
 * @param {Element} place
 */
export function show(content, place) {
  place.replaceChildren(); // what stands there for those without scripts
  if (!(content.schema <= SCHEMA)) {
    const text = `This document has schema ${content.schema}; this page shows schema ${SCHEMA} and older ones.`;
    render(html`<p role="alert">${text}</p>`, place);
    return;
  }
  const parts = Object.fromEntries(Object.entries(content).filter(([, part]) => part !== null));
  render(html`<${Page} document=${parts} />`, place);
}

const place = document.getElementById("sevensteps-page");
const source = document.getElementById("sevensteps-document");
if (document.documentElement.dataset.home === "notebook") {
  new ResizeObserver(() => {
    const height = document.documentElement.offsetHeight;
    parent.postMessage({ sevensteps: "height", height }, "*");
  }).observe(document.body);
}
if (place && source) show(JSON.parse(source.textContent ?? ""), place);
