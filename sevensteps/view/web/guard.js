/** A part of the page that fails says so, and leaves the rest as it is. */

import { Component } from "preact";

import { html } from "./html.js";

/** @extends {Component<{children?: any}, {failure: Error|null}>} */
export class Guard extends Component {
  constructor() {
    super();
    this.state = { failure: null };
  }

  /** @param {Error} failure */
  static getDerivedStateFromError(failure) {
    return { failure };
  }

  render() {
    const failure = /** @type {Error|null} */ (this.state.failure);
    if (!failure) return this.props.children;
    return html`<p class="nothing" role="alert">
      This part of the document cannot be shown: ${failure.message}
    </p>`;
  }
}
