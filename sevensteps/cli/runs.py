"""`sevensteps runs`: the runs that were kept."""

from __future__ import annotations

import tomllib
from pathlib import Path
from typing import Any

import click

from sevensteps.cli.output import console, print_json, table

MOST = 100_000  # characters of a recipe


@click.command("runs", epilog="\b\nsevensteps runs\nsevensteps runs --in experiments")
@click.option(
    "--in",
    "place",
    type=click.Path(path_type=Path),
    help="Look for run folders in this folder. [default: runs]",
)
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
def command(place: Path | None, as_json: bool) -> None:
    """List the runs that were kept, oldest first. The newest that is finished is also called: last.

    A training that was killed, or is still running, is listed as unfinished: sevensteps resume goes
    on with it. A race stands for its best recipe; its runs are listed with --in."""
    from sevensteps.errors import RunError
    from sevensteps.record.run_folder import RUNS, listing, read_json

    folders = listing(place or RUNS)
    unfinished = [
        folder for folder in listing(place or RUNS, "recipe.toml") if folder not in folders
    ]
    races = listing(place or RUNS, "race.json")
    rows: list[dict[str, Any]] = []
    for folder in [*folders, *unfinished, *races]:
        try:
            if folder in races:
                rows.append(_race(folder, read_json(folder / "race.json")))
            else:
                rows.append(
                    _row(folder, {} if folder in unfinished else read_json(folder / "run.json"))
                )
        except (
            RunError,
            LookupError,
            TypeError,
            ValueError,
            AttributeError,
            ArithmeticError,
        ) as failure:
            file = "race.json" if folder in races else "run.json"
            click.echo(
                f"sevensteps: {folder}: left out, its {file} cannot be read: {failure}", err=True
            )
    if as_json:
        print_json(rows)
        return
    if not rows:
        click.echo(f"no run in {place or RUNS} yet; make one with: sevensteps train digits")
        return
    console().print(
        table(
            (
                (
                    row["run"],
                    row["data"],
                    row["predict"],
                    "" if row["epochs"] is None else row["epochs"],
                    _valid(row["valid"]),
                    row["stop"] or "unfinished",
                )
                for row in rows
            ),
            header=["run", "data", "predict", "epochs", "validation", "stopped by"],
            right=[3],
        )
    )


def _row(folder: Path, summary: dict[str, Any]) -> dict[str, Any]:
    """What is said of a run; of one without a summary what its recipe says."""
    if not summary:
        held = _recipe(folder)
        return {
            "run": folder.name,
            "data": held.get("data", ""),
            "predict": held.get("predict", ""),
            "epochs": None,
            "valid": None,
            "stop": None,
        }
    valid = summary["metrics"]["valid"]
    _valid(valid)  # fails here where it is something else
    return {
        "run": folder.name,
        "data": summary["recipe"]["data"],
        "predict": summary["recipe"]["predict"],
        "epochs": summary["epochs"],
        "valid": valid,
        "stop": summary["stop"]["rule"],
    }


def _race(folder: Path, held: dict[str, Any]) -> dict[str, Any]:
    """What is said of a race: what its best recipe came to, on average over the seeds."""
    best = held["table"][0]
    valid = {held["metric"]: best["metric"]}
    _valid(valid)
    return {
        "run": folder.name,
        "data": held["data"],
        "predict": held["recipe"]["predict"],
        "epochs": None,
        "valid": valid,
        "stop": f"race of {len(held['runs'])}",
    }


def _recipe(folder: Path) -> dict[str, str]:
    """The texts in a recipe; nothing is made of them, and what cannot be read is left empty."""
    from sevensteps.errors import RunError
    from sevensteps.record.run_folder import inside

    try:
        held = tomllib.loads(inside(folder / "recipe.toml").read_text(encoding="utf-8")[:MOST])
    except (OSError, ValueError, RunError):
        return {}
    return {key: " ".join(item.split()) for key, item in held.items() if isinstance(item, str)}


def _valid(valid: dict[str, Any] | None) -> str:
    from sevensteps.metrics import LOWER_IS_BETTER, primary

    if valid is None:
        return ""
    finite = {name: valid[name] for name in LOWER_IS_BETTER if valid.get(name) is not None}
    return f"{(name := primary(finite))} {finite[name]:.4f}" if finite else "not finite"
