/** What follows the slider: at once where it is seen, all else when the slider rests. */

import { effect, signal } from "@preact/signals";
import { createContext } from "preact";
import { useContext, useEffect, useMemo, useRef } from "preact/hooks";

import { html } from "./html.js";
import { nearest } from "./numbers.js";
import { look, lookSteps } from "./state.js";

const REST = 150; // milliseconds without a move

/** The look that a section shows: that of the slider, later where the section is out of sight. */
const Shown = createContext(look);

/**
 * Which of the looks of one training is shown: of several side by side, the nearest in time.
 *
 * @param {number[]} steps
 */
export function useLookIn(steps) {
  const index = useContext(Shown).value;
  if (steps === lookSteps.value) return Math.min(index, steps.length - 1);
  return Math.max(0, nearest(steps, lookSteps.value[index] ?? Infinity));
}

/** The step of the look that is shown; undefined without looks. */
export function useLookStep() {
  return /** @type {number|undefined} */ (lookSteps.value[useContext(Shown).value]);
}

/**
 * A section of the page whose parts read the look with `useLookIn`: a move of the slider costs what
 * the sections in sight cost, however long the page is.
 *
 * @param {{id: string, labelledby: string, children?: any}} props
 */
export function Following({ id, labelledby, children }) {
  const box = useRef(/** @type {HTMLElement|null} */ (null));
  const shown = useMemo(() => signal(look.peek()), []);
  useEffect(() => {
    if (!box.current) return undefined;
    let seen = true;
    let timer = 0;
    const follow = () => {
      clearTimeout(timer);
      shown.value = look.peek();
    };
    const observer = new IntersectionObserver(
      (entries) => {
        seen = entries[entries.length - 1].isIntersecting;
        if (seen) follow();
      },
      { rootMargin: "200px" },
    );
    observer.observe(box.current);
    const stop = effect(() => {
      look.value;
      if (seen) return follow();
      clearTimeout(timer);
      timer = window.setTimeout(follow, REST);
    });
    addEventListener("beforeprint", follow);
    return () => {
      observer.disconnect();
      stop();
      clearTimeout(timer);
      removeEventListener("beforeprint", follow);
    };
  }, [shown]);
  return html`<section id=${id} aria-labelledby=${labelledby} ref=${box}>
    <${Shown.Provider} value=${shown}>${children}<//>
  </section>`;
}
