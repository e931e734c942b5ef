/** A race: the leaderboard, with the interval of each run. */

import { html } from "./html.js";
import { capital, format } from "./numbers.js";
import { Table } from "./table.js";

/** @typedef {import("./document.js").Race} Race */

/** @param {{race: Race}} props */
export function RaceView({ race }) {
  const { runs, metric, notes = [] } = race;
  const possible = /** @param {number|null|undefined} n */ (n) =>
    typeof n === "number" && metric === "accuracy" ? Math.max(0, Math.min(1, n)) : n;
  const numbers = runs.flatMap((run) => [run.metrics[metric], ...(run.interval ?? [])]).map(possible);
  const finite = numbers.filter((n) => typeof n === "number" && Number.isFinite(n)).map(Number);
  const low = Math.min(...finite);
  const high = Math.max(...finite);
  const place = /** @param {number} n */ (n) => (100 * (Number(possible(n)) - low)) / (high - low || 1);
  const metrics = [...new Set(runs.flatMap((run) => Object.keys(run.metrics)))];
  const changes = [...new Set(runs.flatMap((run) => Object.keys(run.changes)))];
  return html`${notes.map((note) => html`<p class="lead">${note}</p>`)}
    <ol class="board">
      ${runs.map((run) => {
        const value = run.metrics[metric];
        return html`<li>
          <span class="board-name">
            <b>${run.name}</b>
            ${Object.entries(run.changes).map(([step, change]) => html`<code title=${step}>${change}</code>`)}
            ${run.note && html`<span class="quiet">${run.note}</span>`}
          </span>
          <span class="board-axis" aria-hidden="true">
            ${run.interval &&
            html`<i
              class="interval"
              style=${{
                left: `${place(run.interval[0])}%`,
                width: `${place(run.interval[1]) - place(run.interval[0])}%`,
              }}
            ></i>`}
            ${typeof value === "number" && html`<i class="value" style=${{ left: `${place(value)}%` }}></i>`}
          </span>
          <span class="board-value">${format(value)}</span>
        </li>`;
      })}
    </ol>
    <p class="board-scale" aria-hidden="true"><i></i><span><b>${format(low, 3)}</b><b>${format(high, 3)}</b></span><i></i></p>
    <p class="quiet">
      ${capital(metric)}: ${race.higher ? "more" : "less"} is better${runs.some((run) => run.interval) ? "; a bar is the 95 % interval of a recipe, as far as it is behind the best" : ""}.
    </p>
    <details>
      <summary>All metrics</summary>
      <${Table}
        title="all runs"
        head=${["run", ...changes, ...metrics, "seeds"]}
        rows=${runs.map((run) => [
          run.name,
          ...changes.map((step) => run.changes[step] ?? ""),
          ...metrics.map((name) => format(run.metrics[name])),
          run.seeds ?? 1,
        ])}
      />
    </details>`;
}
