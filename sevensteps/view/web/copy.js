/** A line to type, with a button that copies it. */

import { useState } from "preact/hooks";

import { html } from "./html.js";

/** @param {{text: string}} props */
export function Command({ text }) {
  const [copied, setCopied] = useState(false);
  const copy = async () => {
    try {
      await navigator.clipboard.writeText(text);
      setCopied(true);
      setTimeout(() => setCopied(false), 2000);
    } catch {
      setCopied(false); // a page in a file may not write to the clipboard: the text can be selected
    }
  };
  return html`<div class="command">
    <pre tabindex="0"><code>${text}</code></pre>
    <button type="button" onClick=${copy}>${copied ? "copied" : "copy"}</button>
  </div>`;
}
