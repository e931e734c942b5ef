"""`sevensteps compare`: what differs between two runs, in the recipe and in what came of it."""

from __future__ import annotations

from typing import Any

import click

from sevensteps.cli.screen import console, print_json, table


@click.command("compare", epilog="\b\nsevensteps compare last 20260101-120000-digits")
@click.argument("one", metavar="RUN")
@click.argument("other", metavar="RUN")
@click.option("--allow-code", is_flag=True, help="Let the recipes name Python code; it is not run.")
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
def command(one: str, other: str, allow_code: bool, as_json: bool) -> None:
    """What differs between two runs. A RUN is a folder, a name under runs/, or: last."""
    from sevensteps.recipe import differences
    from sevensteps.record.folder import find
    from sevensteps.record.reader import read_run

    runs = [read_run(find(name), allow_code=allow_code) for name in (one, other)]
    names = [run.folder.name for run in runs]
    changed = [{"step": key, names[0]: mine, names[1]: theirs} if names[0] != names[1] else {"step": key, "one": mine, "other": theirs}
               for key, mine, theirs in differences(runs[0].recipe, runs[1].recipe)]
    measured = [_measures(run.summary) for run in runs]
    if as_json:
        print_json({"runs": [str(run.folder) for run in runs], "recipe": changed,
                    "metrics": {key: [m.get(key) for m in measured] for key in measured[0] | measured[1]}})
        return
    screen = console()
    if changed:
        screen.print(table((list(row.values()) for row in changed), header=["recipe", *names]))
    else:
        screen.print("The recipes are the same.")
    screen.print()
    screen.print(table(([key, *[_figure(m.get(key)) for m in measured], _change(*[m.get(key) for m in measured])]
                        for key in measured[0] | measured[1]), header=["result", *names, "change"], right=[1, 2, 3]))


def _measures(summary: dict[str, Any]) -> dict[str, float | None]:
    last, best = summary["metrics"], summary["best"]["metrics"]
    parts = {"train": last["train"], "valid": last["valid"], "best valid": best["valid"]}
    found = {f"{part} {name}": value for part, metrics in parts.items() for name, value in metrics.items() if name != "by_class"}
    return {**found, **{name: summary[name] for name in ("epochs", "steps", "seconds")}}


def _figure(value: float | None) -> str:
    return "–" if value is None else f"{value:,}" if isinstance(value, int) else f"{value:.4g}" if abs(value) < 0.1 else f"{value:.4f}"


def _change(before: float | None, after: float | None) -> str:
    return "" if before is None or after is None else f"{after - before:+.4g}" if after != before else "="
