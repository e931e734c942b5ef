/** Words that explain themselves: underlined in texts, with a note that opens under them. */

import { useEffect, useLayoutEffect, useRef } from "preact/hooks";

import { html } from "./html.js";
import { word as opened } from "./state.js";

/** @typedef {import("./document.js").Word} Word */

/**
 * A text cut at the words of a glossary; each word only where it stands first.
 *
 * @param {string} text
 * @param {Glossary} glossary
 * @returns {(string|{text: string, word: string})[]}
 */
export function split(text, glossary) {
  if (!glossary.pattern) return [text];
  /** @type {Set<string>} */
  const done = new Set();
  /** @type {(string|{text: string, word: string})[]} */
  const parts = [];
  let from = 0;
  for (const match of text.matchAll(glossary.pattern)) {
    const entry = glossary.byForm.get(match[0].toLowerCase());
    if (!entry || done.has(entry.word)) continue;
    done.add(entry.word);
    if (match.index > from) parts.push(text.slice(from, match.index));
    parts.push({ text: match[0], word: entry.word });
    from = match.index + match[0].length;
  }
  if (from < text.length) parts.push(text.slice(from));
  return parts;
}

/** @typedef {{byForm: Map<string, Word>, pattern: RegExp|null}} Glossary */

/**
 * @param {Word[]} words
 * @returns {Glossary}
 */
export function glossaryOf(words) {
  /** @type {Map<string, Word>} */
  const byForm = new Map();
  for (const word of words) {
    for (const form of [word.word, ...(word.forms ?? plurals(word.word))]) {
      if (form && !byForm.has(form.toLowerCase())) byForm.set(form.toLowerCase(), word);
    }
  }
  const forms = [...byForm.keys()].sort((a, b) => b.length - a.length);
  const escaped = forms.map((form) => form.replace(/[.*+?^${}()|[\]\\]/g, "\\$&"));
  const start = "(?<![\\p{L}\\p{N}_])";
  const end = "(?![\\p{L}\\p{N}_(])";
  const pattern = forms.length ? new RegExp(`${start}(?:${escaped.join("|")})${end}`, "giu") : null;
  return { byForm, pattern };
}

/** @param {string} word */
function plurals(word) {
  if (/[^aeiou]y$/.test(word)) return [`${word.slice(0, -1)}ies`];
  return [/(?:s|x|ch|sh)$/.test(word) ? `${word}es` : `${word}s`];
}

/** @type {Glossary} */
let glossary = { byForm: new Map(), pattern: null };

/** @param {Word[]} words */
export function setWords(words) {
  glossary = glossaryOf(words);
}

/** What stands behind a word and may not begin a line. */
const ENDS = /^[.,:;!?)\]’”%]+/;

/**
 * A text whose technical words explain themselves.
 *
 * @param {{text: string}} props
 */
export function Text({ text }) {
  const parts = split(text, glossary);
  return parts.map((part, index) => {
    const before = index ? parts[index - 1] : "";
    if (typeof part === "string") return typeof before === "string" ? part : part.replace(ENDS, "");
    const after = parts[index + 1];
    const ends = typeof after === "string" ? (ENDS.exec(after)?.[0] ?? "") : "";
    const button = html`<${WordButton} ...${part} />`;
    return ends ? html`<span class="unbroken">${button}${ends}</span>` : button;
  });
}

/** @param {{text: string, word: string}} props */
function WordButton({ text, word }) {
  /** @param {Event} event */
  const toggle = (event) => {
    const anchor = /** @type {HTMLElement} */ (event.currentTarget);
    opened.value = opened.value?.anchor === anchor ? null : { word, anchor };
  };
  return html`<button type="button" class="word" aria-haspopup="dialog" onClick=${toggle}>
    ${text}
  </button>`;
}

/** The note of the word that is open. */
export function WordNote() {
  const box = useRef(/** @type {HTMLElement|null} */ (null));
  const shown = opened.value;
  const entry = shown ? glossary.byForm.get(shown.word.toLowerCase()) : undefined;
  useLayoutEffect(() => {
    if (!box.current || !shown) return;
    const place = shown.anchor.getBoundingClientRect();
    const width = Math.min(340, document.documentElement.clientWidth - 24);
    const most = document.documentElement.clientWidth - width - 12;
    box.current.style.width = `${width}px`;
    box.current.style.left = `${Math.max(12, Math.min(place.left - 12, most))}px`;
    box.current.style.top = `${place.bottom + window.scrollY + 8}px`;
    box.current.focus();
  }, [shown]);
  useEffect(() => {
    if (!shown) return undefined;
    /** @param {Event} event */
    const close = (event) => {
      if (event instanceof KeyboardEvent) {
        if (event.key !== "Escape") return;
        shown.anchor.focus();
      } else if (event.target instanceof Node) {
        if (box.current?.contains(event.target) || shown.anchor.contains(event.target)) return;
      }
      opened.value = null;
    };
    addEventListener("keydown", close);
    addEventListener("pointerdown", close);
    return () => {
      removeEventListener("keydown", close);
      removeEventListener("pointerdown", close);
    };
  }, [shown]);
  if (!entry) return null;
  return html`<aside class="note" role="dialog" aria-label=${entry.word} tabindex="-1" ref=${box}>
    <strong>${entry.word}</strong>
    <p>${entry.definition}</p>
    ${entry.example && html`<p class="here">Here: ${entry.example}</p>`}
  </aside>`;
}
