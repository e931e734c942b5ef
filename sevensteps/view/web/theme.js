/** Light or dark, and the colours of what is drawn on a canvas. */

import { computed, signal } from "@preact/signals";

const dark = typeof matchMedia === "function" ? matchMedia("(prefers-color-scheme: dark)") : null;
const systemDark = signal(Boolean(dark?.matches));
dark?.addEventListener("change", (event) => (systemDark.value = event.matches));

/** What the reader chose; null: what the system says. */
export const chosen = signal(/** @type {"light"|"dark"|null} */ (null));

export const theme = computed(() => chosen.value ?? (systemDark.value ? "dark" : "light"));

export function toggleTheme() {
  chosen.value = theme.value === "dark" ? "light" : "dark";
  document.documentElement.dataset.theme = chosen.value;
}

/**
 * A colour of the page, by the name of its variable.
 *
 * @param {string} name
 * @returns {string}
 */
export function colour(name) {
  return getComputedStyle(document.documentElement).getPropertyValue(`--${name}`).trim();
}

/** Stops of the colour maps, each from its lowest number to its highest. */
const MAPS = {
  light: {
    amount: ["#f1efe8", "#c9d8e6", "#8fb4d3", "#4f88b9", "#235d94", "#0d3767"],
    share: ["#f1efe8", "#f3d3bb", "#e9a67b", "#d5763f", "#ad4a16", "#6e2908"],
    signed: ["#b3470f", "#e3a27a", "#f6f4ee", "#8fb4d3", "#1d588f"],
    grey: ["#fbfaf7", "#17191c"],
  },
  dark: {
    amount: ["#191d23", "#1c3a58", "#23618f", "#4790c4", "#8fc1e6", "#e2f1fd"],
    share: ["#191d23", "#4a2a17", "#8a431a", "#cc6b2c", "#f0a468", "#ffe6cf"],
    signed: ["#ff9d5c", "#8a4a20", "#1f242b", "#285f8d", "#7cbdf0"],
    grey: ["#12151a", "#f2f3f5"],
  },
};

/** @typedef {"amount"|"share"|"signed"|"grey"} MapName */

/**
 * The 256 colours of a map, as the pixels of an `ImageData` have them; the last, of what is no
 * number, is transparent.
 *
 * @param {MapName} name
 * @param {"light"|"dark"} mode
 * @returns {Uint32Array}
 */
export function colourMap(name, mode) {
  const stops = MAPS[mode][name].map((hex) =>
    [1, 3, 5].map((at) => parseInt(hex.slice(at, at + 2), 16)),
  );
  const pixels = new Uint8ClampedArray(4 * 256);
  for (let b = 0; b < 255; b++) {
    const place = (b / 254) * (stops.length - 1);
    const left = Math.min(Math.floor(place), stops.length - 2);
    for (let k = 0; k < 3; k++) {
      const [from, to] = [stops[left][k], stops[left + 1][k]];
      pixels[4 * b + k] = from + (to - from) * (place - left);
    }
    pixels[4 * b + 3] = 255;
  }
  return new Uint32Array(pixels.buffer);
}

/**
 * The map as a CSS gradient, for a legend.
 *
 * @param {MapName} name
 * @param {"light"|"dark"} mode
 */
export function gradientOf(name, mode) {
  return `linear-gradient(to right, ${MAPS[mode][name].join(", ")})`;
}
