"""`sevensteps compare`: what differs between two runs, in their recipes and results."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from sevensteps.cli.completion import complete_run
from sevensteps.cli.options import json_option
from sevensteps.cli.output import console, print_json, table
from sevensteps.steps import SETTINGS

if TYPE_CHECKING:
    from sevensteps.record.summary import RunSummary


@click.command("compare", epilog="\b\nsevensteps compare last 20260101-120000-digits")
@click.argument("one", metavar="RUN", shell_complete=complete_run)
@click.argument("other", metavar="RUN", shell_complete=complete_run)
@json_option()
def command(one: str, other: str, as_json: bool) -> None:
    """Compare two runs: their recipes and results. A RUN is a run folder, a name under runs/, or:
    last.
    """
    from sevensteps.record.run_folder import find_run_folder
    from sevensteps.record.summary import read_summary

    folders = [find_run_folder(name) for name in (one, other)]
    summaries, names = (
        [read_summary(folder) for folder in folders],
        [folder.name for folder in folders],
    )
    texts = [
        {**summary.recipe, **{key: str(getattr(summary, key)) for key in SETTINGS}}
        for summary in summaries
    ]
    changed = [
        {"step": key, "one": mine, "other": texts[1].get(key)}
        for key, mine in texts[0].items()
        if mine != texts[1].get(key)
    ]
    measures = [_measures(summary) for summary in summaries]
    if as_json:
        print_json(
            {
                "runs": list(map(str, folders)),
                "recipe": changed,
                "metrics": {
                    key: [m.get(key) for m in measures] for key in measures[0] | measures[1]
                },
            }
        )
        return
    screen = console()
    if changed:
        screen.print(table((list(row.values()) for row in changed), header=["recipe", *names]))
    else:
        screen.print("The recipes are the same.")
    screen.print()
    screen.print(
        table(
            (
                [
                    key,
                    *[_number(m.get(key)) for m in measures],
                    _difference(*[m.get(key) for m in measures]),
                ]
                for key in measures[0] | measures[1]
            ),
            header=["result", *names, "change"],
            right=[1, 2, 3],
        )
    )


def _measures(summary: RunSummary) -> dict[str, float | None]:
    last, best = summary.metrics, summary.best.metrics
    parts = {"train": last["train"], "valid": last["valid"], "best valid": best["valid"]}
    measures = {
        f"{part} {name}": value
        for part, metrics in parts.items()
        for name, value in metrics.items()
        if name != "by_class"
    }
    counts = {"epochs": summary.epochs, "steps": summary.steps}
    return {**measures, **counts, "seconds": summary.seconds}


def _number(value: float | None) -> str:
    return (
        "–"
        if value is None
        else f"{value:,}"
        if isinstance(value, int)
        else f"{value:.4g}"
        if abs(value) < 0.1
        else f"{value:.4f}"
    )


def _difference(before: float | None, after: float | None) -> str:
    return (
        ""
        if before is None or after is None
        else f"{after - before:+.4g}"
        if after != before
        else "="
    )
