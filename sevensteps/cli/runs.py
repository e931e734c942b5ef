"""`sevensteps runs`: the runs that were kept."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

from sevensteps.cli.screen import console, print_json, table


@click.command("runs", epilog="\b\nsevensteps runs\nsevensteps runs --in experiments")
@click.option("--in", "place", type=click.Path(path_type=Path), help="Look for run folders in this folder. [default: runs]")
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
def command(place: Path | None, as_json: bool) -> None:
    """List the runs that were kept, oldest first. The newest is also called: last."""
    from sevensteps.errors import RunError
    from sevensteps.record.folder import RUNS, listing, read_json

    rows: list[dict[str, Any]] = []
    for folder in listing(place or RUNS):
        try:
            summary = read_json(folder / "run.json")
            rows.append({"run": folder.name, "data": summary["recipe"]["data"], "predict": summary["recipe"]["predict"],
                         "epochs": summary["epochs"], "valid": summary["metrics"]["valid"], "stop": summary["stop"]["rule"]})
        except (RunError, KeyError, TypeError) as failure:
            click.echo(f"sevensteps: {folder}: left out, its run.json cannot be read: {failure}", err=True)
    if as_json:
        print_json(rows)
        return
    if not rows:
        click.echo(f"no run in {place or RUNS} yet; make one with: sevensteps train digits")
        return
    console().print(table(((row["run"], row["data"], row["predict"], row["epochs"], _valid(row["valid"]), row["stop"]) for row in rows),
                          header=["run", "data", "predict", "epochs", "validation", "stopped by"], right=[3]))


def _valid(valid: dict[str, Any]) -> str:
    name = next((name for name in ("accuracy", "r2", "loss") if valid.get(name) is not None), None)
    return f"{name} {valid[name]:.4f}" if name else "not finite"
