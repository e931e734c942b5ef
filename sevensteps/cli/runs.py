"""`sevensteps runs`: list the recorded runs."""

from __future__ import annotations

import tomllib
from pathlib import Path
from typing import Any

import click

from sevensteps.cli.options import json_option
from sevensteps.cli.output import console, print_error, print_json
from sevensteps.errors import printable
from sevensteps.notation import cut

SHORTEST = 8  # characters of data and network that are always shown
MAX_RECIPE = 100_000  # characters that are read


@click.command("runs", epilog="\b\nsevensteps runs\nsevensteps runs --in experiments")
@click.option(
    "--in",
    "parent",
    type=click.Path(path_type=Path),
    metavar="FOLDER",
    help="The folder that has the run folders. [default: runs]",
)
@json_option()
def command(parent: Path | None, as_json: bool) -> None:
    """List the recorded runs, oldest first. The newest finished training is also called: last.

    A training that was killed, or is still running, comes last, as unfinished; sevensteps resume
    goes on with it. A race is listed with its best recipe; list its runs with --in.
    """
    from sevensteps.errors import RunError
    from sevensteps.record.run_folder import RUNS, list_runs, read_json

    folders = list_runs(parent or RUNS)
    unfinished = [
        folder for folder in list_runs(parent or RUNS, "recipe.toml") if folder not in folders
    ]
    races = list_runs(parent or RUNS, "race.json")
    finished = sorted([*folders, *races], key=lambda folder: _written(folder, folder in races))
    rows: list[dict[str, Any]] = []
    for folder in [*finished, *unfinished]:
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
            print_error(f"{folder} is left out: its {file} cannot be read: {failure}")
    if as_json:
        print_json(rows)
        return
    if not rows:
        click.echo(
            f"there is no run in {parent or RUNS} yet; make one with: sevensteps train digits"
        )
        return
    print_runs(rows)


def print_runs(rows: list[dict[str, Any]]) -> None:
    """Print a line for each run. Where the terminal is narrow, its data and network are cut, and
    never its name, which is there to be copied.
    """
    lines = [["run", "data", "predict", "validation", "epochs"]]
    for row in rows:
        ended = row["stop"] or "unfinished"
        if row["epochs"] is not None:
            ended = f"{row['epochs']}, {ended}"
        cells = [row["run"], row["data"], row["predict"], _valid(row["valid"]), ended]
        lines.append([printable(cell) for cell in cells])
    widths = [max(map(len, column)) for column in zip(*lines, strict=True)]
    space = console().width - sum(widths) - 2 * (len(widths) - 1) + widths[1] + widths[2]
    widths[1] = min(widths[1], max(space - min(widths[2], space // 2), SHORTEST))
    widths[2] = min(widths[2], max(space - widths[1], SHORTEST))
    for number, (run, data, predict, *rest) in enumerate(lines):
        cells = [run, cut(data, widths[1]), cut(predict, widths[2]), *rest]
        line = "  ".join(f"{cell:<{width}}" for cell, width in zip(cells, widths, strict=True))
        click.secho(line.rstrip(), dim=not number)


def _written(folder: Path, is_race: bool) -> float:
    """When a run or a race ended, as a time of the file system."""
    try:
        return (folder / ("race.json" if is_race else "run.json")).stat().st_mtime
    except OSError:  # gone meanwhile
        return 0.0


def _row(folder: Path, summary: dict[str, Any]) -> dict[str, Any]:
    """The row of a run; of one without a summary what its recipe says."""
    if not summary:
        recipe = _recipe(folder)
        return {
            "run": folder.name,
            "data": recipe.get("data", ""),
            "predict": recipe.get("predict", ""),
            "epochs": None,
            "valid": None,
            "stop": None,
        }
    valid = summary["metrics"]["valid"]
    _valid(valid)  # fails here where the file is damaged
    return {
        "run": folder.name,
        "data": summary["recipe"]["data"],
        "predict": summary["recipe"]["predict"],
        "epochs": summary["epochs"],
        "valid": valid,
        "stop": summary["stop"]["rule"],
    }


def _race(folder: Path, race: dict[str, Any]) -> dict[str, Any]:
    """The row of a race: the result of its best recipe, averaged over the seeds."""
    best = race["table"][0]
    valid = {race["metric"]: best["metric"]}
    _valid(valid)
    return {
        "run": folder.name,
        "data": race["data"],
        "predict": race["recipe"]["predict"],
        "epochs": None,
        "valid": valid,
        "stop": f"race of {len(race['runs'])}",
    }


def _recipe(folder: Path) -> dict[str, str]:
    """The texts of a recipe, as they are written; nothing where it cannot be read."""
    from sevensteps.errors import RunError
    from sevensteps.record.run_folder import inside

    try:
        recipe = tomllib.loads(
            inside(folder / "recipe.toml").read_text(encoding="utf-8")[:MAX_RECIPE]
        )
    except (OSError, ValueError, RunError):
        return {}
    return {key: " ".join(text.split()) for key, text in recipe.items() if isinstance(text, str)}


def _valid(valid: dict[str, Any] | None) -> str:
    from sevensteps.metrics import LOWER_IS_BETTER, primary
    from sevensteps.render.text import metric_text

    if valid is None:
        return ""
    finite = {name: valid[name] for name in LOWER_IS_BETTER if valid.get(name) is not None}
    return (
        f"{(name := primary(finite))} {metric_text(name, finite[name])}" if finite else "not finite"
    )
