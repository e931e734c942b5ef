"""`sevensteps race`: many recipes trained at once, and compared."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from sevensteps.cli.output import console, print_json, table, targeted
from sevensteps.steps import QUESTIONS, STEPS

if TYPE_CHECKING:
    from sevensteps.api.race import Race
    from sevensteps.racing.leaderboard import LeaderboardRow
    from sevensteps.training.recipe import Recipe

EXAMPLES = """\b
sevensteps race digits --step "sgd(lr=0.01)" --step "sgd(lr=0.1)" --step "sgd(lr=1)" --seeds 5
sevensteps race mnist37 --initialize "zeros()" --initialize "kaiming_normal()" --predict "mlp(30)"
sevensteps race digits --predict "mlp(10)" --predict "mlp(30)" --predict "mlp(100)" --seeds 3 --halve
sevensteps race --recipe one/recipe.toml --recipe two/recipe.toml --seeds 5
sevensteps race mnist37 --predict "mlp(30)" --predict "mlp(100)" --seeds 20 --on ray:10.0.0.1:6379
"""
SURE = 0.05  # of p: below it a difference counts as more than chance


def _steps(function: Any) -> Any:
    for step in reversed(STEPS):
        function = click.option(
            f"--{step}",
            metavar="VALUE",
            multiple=True,
            help=f"{QUESTIONS[step]} As often as you like.",
        )(function)
    return function


@click.command("race", epilog=EXAMPLES)
@click.argument("data", required=False)
@_steps
@click.option(
    "--recipe",
    "recipes",
    type=click.Path(path_type=Path),
    multiple=True,
    help="A recipe in a TOML file, as often as you like; options replace what it says.",
)
@click.option(
    "--seeds",
    type=int,
    default=1,
    show_default=True,
    help="How many seeds each combination is trained with.",
)
@click.option("--seed", type=int, help="The first seed. [default: 0]")
@click.option(
    "--order",
    type=click.Choice(["own", "shared"]),
    default="own",
    show_default=True,
    help="Whether each seed has its own order of the samples; with one that all share, seeds too "
    "are trained together.",
)
@click.option(
    "--halve", is_flag=True, help="End the worse half after ever longer shares of the epochs."
)
@click.option("--device", help="cpu, cuda, mps or auto. [default: cpu]")
@click.option(
    "--threads",
    type=int,
    help="Processor threads to use. [default: 1 where there is little to do, else half, at most 4]",
)
@click.option("--precision", multiple=True, help="float32 or float64. [default: float32]")
@click.option("--data-dir", type=click.Path(path_type=Path), help="Folder with the files of MNIST.")
@click.option(
    "--target", metavar="COLUMN", help="What to predict, where DATA is a file: a column, or a .npy."
)
@click.option(
    "--out",
    type=click.Path(path_type=Path),
    help="The folder of the race. [default: runs/<date>-race-<name>]",
)
@click.option(
    "--watch",
    type=float,
    default=0.02,
    show_default=True,
    help="The share of time that looking inside may cost; with 0 nobody looks.",
)
@click.option(
    "--on",
    metavar="ray",
    help="Train the groups as tasks of Ray: of one started here (ray), or of a cluster "
    "(ray:HOST:PORT).",
)
@click.option(
    "--plot", type=click.Path(path_type=Path), help="Draw the curves into this file, .png or .svg."
)
@click.option(
    "--allow-code", is_flag=True, help="Let the recipe files import the Python code that they name."
)
@click.option("--json", "as_json", is_flag=True, help="Print the result as one line of JSON.")
def command(
    data: str | None,
    recipes: tuple[Path, ...],
    seeds: int,
    seed: int | None,
    order: Any,
    halve: bool,
    data_dir: Path | None,
    target: str | None,
    out: Path | None,
    watch: float,
    on: str | None,
    plot: Path | None,
    allow_code: bool,
    as_json: bool,
    **given: Any,
) -> None:
    """Train every combination of what is given on DATA, at once, and compare what they come to.

    Networks of the same shapes are trained together, which takes a fraction of the time. What
    differs in nothing but the seed counts as one recipe, with the spread over its seeds. DATA is as
    for: sevensteps train."""
    from sevensteps.api.race import race
    from sevensteps.render.figures import drawable
    from sevensteps.view.race_progress import race_view

    if plot is not None:
        drawable(plot)
    asked = _asked(data, target, recipes, seeds, allow_code, {**given, "seed": seed})
    with race_view(not as_json, on is not None) as report:
        found = race(
            asked,
            halve=halve,
            order=order,
            data_dir=data_dir,
            out=out,
            watch=watch,
            on=on,
            report=report,
        )
    if plot is not None:
        found.plot(plot)
    if as_json:
        print_json(found.to_dict())
    else:
        result(found, halve)
        if plot is not None:
            console().print(f"\nDrawn in {plot}", style="dim")
    if found.missing or any(run.summary["stop"]["rule"] == "interrupt" for run in found.runs):
        sys.exit(130)


def _asked(
    data: str | None,
    target: str | None,
    files: tuple[Path, ...],
    seeds: int,
    allow_code: bool,
    given: dict[str, Any],
) -> list[Recipe]:
    """The recipes of every combination."""
    from dataclasses import replace

    from sevensteps.api.race import grid
    from sevensteps.arguments import whole
    from sevensteps.data import to_notation
    from sevensteps.training.recipe import Recipe, as_recipe

    if data is None and not files:
        raise click.UsageError(
            'name the data to train on, as in: sevensteps race digits --step "sgd(lr=0.1)" --step '
            '"sgd(lr=1)"'
        )
    whole("seeds", seeds, at_least=1)
    source = None if data is None else targeted(data, target)
    starts = [Recipe.from_toml(file, allow_code=allow_code) for file in files]
    if source is not None:
        starts = [replace(start, data=to_notation(source)) for start in starts] or [
            as_recipe(source, {})
        ]
    lists = {name: list(held) for name, held in given.items() if isinstance(held, tuple) and held}
    single = {
        name: held
        for name, held in given.items()
        if held is not None and not isinstance(held, tuple)
    }
    return [recipe for start in starts for recipe in grid(as_recipe(start, single), seeds, **lists)]


def result(race: Race, halved: bool) -> None:
    """The table, best first, what it says, how it was done, and what to try next."""
    from rich.text import Text

    from sevensteps.cli.train import quoted
    from sevensteps.render.blocks import common_scale, sparkline

    screen, seeds = console(), max(len(row.members) for row in race.table)
    steps = list(race.table[0].changes)
    low, high = common_scale(row.curve for row in race.table)
    lines = []
    for place, row in enumerate(race.table, 1):
        what = [
            Text(text, "bold" if place == 1 else "")
            for text in [row.changes[step] for step in steps] or [row.label]
        ]
        curve = f"{sparkline(row.curve, low, high)} {_ended(row)}"
        lines.append([str(place), *what, _figure(row), *_behind(row), curve])
    whole = [0, *range(len(lines[0]) - 4, len(lines[0]))]
    screen.print(
        table(
            lines,
            header=["", *(steps or ["recipe"]), race.metric, "behind", "p", "epochs"],
            right=[0],
            whole=whole,
        )
    )
    screen.print()
    for line in said(race):
        screen.print(line)
    if missing := len(race.missing):
        screen.print(
            f"Interrupted: {missing} of {missing + len(race.runs)} networks did not come to their "
            "end, and are missing here."
        )
    together = [group for group in race.groups if len(group.numbers) > 1]
    count = sum(len(group.numbers) for group in together)
    if together:
        groups = f"in {len(together)} groups" if len(together) > 1 else "in one group"
        screen.print(
            f"{count} of {len(race.runs)} networks were trained together, {groups}.", style="dim"
        )
    if seeds == 1:
        screen.print("With one seed nobody knows what is chance; give --seeds 5.", style="dim")
    screen.print(Text.assemble("Kept in ", (str(race.folder), "bold"), "\n"))
    best = quoted(str(race.best.folder))
    screen.print("Try next:", style="dim")
    lines_next = (
        [f"sevensteps compare {best} {quoted(str(race.runs[race.table[1].members[0]].folder))}"]
        if len(race.table) > 1
        else []
    )
    for line in [
        *lines_next,
        f"sevensteps diagnose {best}",
        f"sevensteps train --recipe {best}/recipe.toml",
    ]:
        screen.print(f"  {line}", style="dim", soft_wrap=True)


def said(race: Race) -> list[str]:
    """What the table says of the best and the second, in a sentence."""
    if len(race.table) < 2:
        return []
    first, second = race.table[:2]
    if second.p is None or second.interval is None or second.behind is None:
        return [f"{first.label} is ahead."]
    low, high = -second.interval[1], -second.interval[0]
    apart = f"{-second.behind:.4g} (95 % interval {low:.4g} to {high:.4g}, p = {second.p:.2g}, {len(first.members)} seeds)"
    if second.p < SURE:
        return [f"{first.label} is ahead of {second.label} by {apart}."]
    return [f"{first.label} and {second.label} cannot be told apart: {apart}. More seeds may tell."]


def _figure(row: LeaderboardRow) -> str:
    if row.metric != row.metric:
        return "not a number"
    return f"{row.metric:.4f}" + (f" ± {row.spread:.4f}" if row.spread is not None else "")


def _behind(row: LeaderboardRow) -> tuple[str, str]:
    """How far a row is behind the best, and the probability of that by chance."""
    p = "" if row.p is None else "< .001" if row.p < 0.001 else f"{row.p:.2g}"
    return "" if row.behind is None else f"{-row.behind:.4f}", p


def _ended(row: LeaderboardRow) -> str:
    words = {"not_finite": "diverged", "halving": "left", "interrupt": "interrupted"}
    said = [
        f"{count} {words[rule]}" if len(row.members) > 1 else words[rule]
        for rule, count in row.stops.items()
        if rule in words
    ]
    return ", ".join(said)
