"""`sevensteps race`: train many recipes at once, and compare them."""

from __future__ import annotations

import math
import operator
import statistics
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from sevensteps.cli.book import book_option, with_book
from sevensteps.cli.options import RecipeOptions, json_option, plot_option, recipe_options
from sevensteps.cli.output import console, print_commands, print_json, table
from sevensteps.metrics import LOWER_IS_BETTER
from sevensteps.steps import SETTINGS

if TYPE_CHECKING:
    from rich.console import Console

    from sevensteps.api.race_result import Race
    from sevensteps.racing.leaderboard import LeaderboardRow
    from sevensteps.training.recipe import Recipe

EXAMPLES = """\b
sevensteps race digits --step "sgd(lr=0.01)" --step "sgd(lr=0.1)" --seeds 5
sevensteps race mnist37 --book --predict "mlp(1)" --predict "mlp(30)"
sevensteps race mnist37 --initialize "zeros()" --initialize "kaiming_normal()"
sevensteps race digits --step "sgd(lr=0.1)" --step "sgd(lr=1)" --halve
sevensteps race --recipe one/recipe.toml --recipe two/recipe.toml --seeds 5
sevensteps race mnist37 --predict "mlp(30)" --seeds 20 --on ray:10.0.0.1:6379
"""
COLLAPSED = 0.2  # of accuracy or r2 below the median of the seeds: a seed that failed
SIGNIFICANT = 0.05  # of p: below it a difference counts as more than chance


@click.command("race", epilog=EXAMPLES)
@recipe_options(
    *SETTINGS,
    many=True,
    example='sevensteps race digits --step "sgd(lr=0.1)" --step "sgd(lr=1)"',
)
@click.option(
    "--seeds",
    type=int,
    default=1,
    show_default=True,
    help="How many seeds to train each combination with.",
)
@click.option(
    "--order",
    type=click.Choice(["own", "shared"]),
    default="own",
    show_default=True,
    help="The order of the samples: one for each seed, or one that all share, so that all seeds "
    "are trained together.",
)
@book_option()
@click.option("--halve", is_flag=True, help="Drop the worse half in rounds, at ever later epochs.")
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
    help="The share of the time that watching may cost; 0 turns it off.",
)
@click.option(
    "--diagnose",
    type=click.Choice(["odd", "all", "none"]),
    default="odd",
    show_default=True,
    help="Which networks the doctor examines at the end: those that look wrong, all, or none; "
    "sevensteps diagnose RUN examines any other.",
)
@click.option(
    "--on",
    metavar="ray",
    help="Train as tasks of Ray: on this machine (ray), or on a cluster (ray:HOST:PORT).",
)
@plot_option("the curves")
@json_option("Print the result as one line of JSON.")
def command(
    options: RecipeOptions,
    seeds: int,
    order: Any,
    book: bool,
    halve: bool,
    out: Path | None,
    watch: float,
    diagnose: Any,
    on: str | None,
    plot: Path | None,
    as_json: bool,
) -> None:
    """Train every combination of the values on DATA, all at once, and compare them.

    Networks of the same shapes are trained together, in a fraction of the time. Recipes that differ
    only in the seed are one row, with the spread over the seeds. For DATA see: sevensteps train
    --help.
    """
    from sevensteps.api.race import race
    from sevensteps.view.race_progress import race_view

    recipes = combinations(with_book(options) if book else options, seeds)
    with race_view(not as_json, on is not None) as report:
        finished = race(
            recipes,
            halve=halve,
            order=order,
            data_dir=options.data_dir,
            out=out,
            watch=watch,
            diagnose=False if diagnose == "none" else diagnose,
            on=on,
            report=report,
        )
    if plot is not None:
        finished.plot(plot)
    if as_json:
        print_json(finished.to_dict())
    else:
        print_race(finished)
        if plot is not None:
            console().print(f"\nDrawn in {plot}", style="dim")
    interrupted = any(run.outcome.stop.rule == "interrupt" for run in finished.runs)
    if finished.missing or interrupted:
        sys.exit(130)


def combinations(options: RecipeOptions, seeds: int) -> list[Recipe]:
    """The recipes of every combination of the values, with so many seeds each."""
    from sevensteps.api.race import grid
    from sevensteps.arguments import whole
    from sevensteps.training.recipe import as_recipe

    whole("seeds", seeds, at_least=1)
    repeatable = {name: v for name, v in options.values.items() if isinstance(v, tuple)}
    lists: dict[str, Any] = {name: list(values) for name, values in repeatable.items() if values}
    single = {name: v for name, v in options.values.items() if name not in repeatable}
    return [
        recipe
        for start in options.starts()
        for recipe in grid(as_recipe(start, single), seeds, **lists)
    ]


def print_race(race: Race) -> None:
    """Print the table, best first, its conclusion, how the networks were trained, and what to try
    next.
    """
    from rich.text import Text

    screen = console()
    screen.print(leaderboard_table(race))
    screen.print()
    for line in conclusion(race):
        screen.print(line)
    print_remarks(screen, race)
    screen.print(Text.assemble("Saved in ", (str(race.folder), "bold"), "\n"))
    screen.print("Try next:", style="dim")
    print_commands(screen, next_commands(race))


def leaderboard_table(race: Race) -> Any:
    """A row for each recipe, best first, with its curve over the epochs."""
    from rich.text import Text

    from sevensteps.render.blocks import common_scale, sparkline

    steps = list(race.table[0].changes)
    low, high = common_scale(row.curve for row in race.table)
    lines = []
    for place, row in enumerate(race.table, 1):
        values = [
            Text(text, "bold" if place == 1 else "")
            for text in [row.changes[step] for step in steps] or [row.label]
        ]
        curve = f"{sparkline(row.curve, low, high)} {_early_stops(row)}"
        lines.append([str(place), *values, _metric(row), *_behind_and_p(row), curve])
    unbroken = [0, *range(len(lines[0]) - 4, len(lines[0]))]
    return table(
        lines,
        header=["", *(steps or ["recipe"]), race.metric, "behind", "p", "curve"],
        right=[0],
        unbroken=unbroken,
    )


def print_remarks(screen: Console, race: Race) -> None:
    """Print what is missing, which networks were trained together, and that one seed is little."""
    if missing := len(race.missing):
        screen.print(
            f"Interrupted: {missing} of {missing + len(race.runs)} networks had not finished, and "
            "are missing here."
        )
    groups = [group for group in race.groups if len(group.numbers) > 1]
    if groups:
        count = sum(len(group.numbers) for group in groups)
        where = f"in {len(groups)} groups" if len(groups) > 1 else "in one group"
        screen.print(
            f"{count} of {len(race.runs)} networks were trained together, {where}.", style="dim"
        )
    print_examined(screen, race)
    if max(len(row.members) for row in race.table) == 1:
        screen.print(
            "One seed cannot tell skill from luck; train with more: --seeds 5.", style="dim"
        )


def print_examined(screen: Console, race: Race) -> None:
    """Print whom the doctor examined, why, and what it found."""
    for number, (run, why) in enumerate(zip(race.runs, race.examined, strict=True)):
        conditions = ", ".join(finding.condition for finding in run.findings)
        if why and (conditions or why != "all are"):
            row = next(row for row in race.table if number in row.members)
            seed = f", seed {run.recipe.seed}" if len(row.members) > 1 else ""
            reason = "" if why == "all are" else f"{why}; "
            screen.print(
                f"{row.label}{seed} was examined: {reason}{conditions or 'nothing found'}."
            )
    examined = sum(bool(why) for why in race.examined)
    if examined < len(race.runs) and any(run.outcome.watched for run in race.runs):
        verb = "was" if examined == 1 else "were"
        screen.print(
            f"{examined} of {len(race.runs)} networks {verb} examined in full; any other: "
            "sevensteps diagnose RUN",
            style="dim",
        )


def next_commands(race: Race) -> list[str]:
    """Commands that make sense after this race."""
    from sevensteps.render.text import shell_quote

    best, recipe = (shell_quote(f"{race.best.folder}{end}") for end in ("", "/recipe.toml"))
    compare = []
    if len(race.table) > 1:
        second = race.runs[race.table[1].members[0]]
        compare.append(f"sevensteps compare {best} {shell_quote(str(second.folder))}")
    return [
        f"sevensteps explain {best} why",
        *compare,
        f"sevensteps train --recipe {recipe}",
    ]


def conclusion(race: Race) -> list[str]:
    """What the table says of the best recipe and the second, in a sentence."""
    if len(race.table) < 2:
        return []
    first, second = race.table[:2]
    if second.p is None or second.interval is None or second.behind is None:
        ahead = f"{first.label} is ahead"
        if second.behind is None or len(first.members) < 2:
            return [f"{ahead}."]
        return [
            f"{ahead} of {second.label} by {-second.behind:.4g}, by the same on all "
            f"{len(first.members)} seeds: how much of that is chance, they cannot tell."
        ]
    low, high = -second.interval[1], -second.interval[0]
    difference = (
        f"{-second.behind:.4g} (95 % interval {low:.4g} to {high:.4g}, p = {second.p:.2g}, "
        f"{len(first.members)} seeds)"
    )
    if second.p < SIGNIFICANT:
        return [f"{first.label} is ahead of {second.label} by {difference}."]
    wins = sum(map(operator.gt, _by_seed(race, first), _by_seed(race, second)))
    both = f"{first.label} and {second.label}"
    return [
        f"{both} cannot be told apart: {difference}. More seeds may tell.",
        f"{first.label} is better on {wins} of {len(first.members)} seeds.",
        *filter(None, (_failures(race, row) for row in (first, second))),
    ]


def _by_seed(race: Race, row: LeaderboardRow) -> list[float]:
    """The metric of each of a row's runs, where more is better, in the order of the seeds."""
    values = [race.runs[number].metrics["valid"].get(race.metric) for number in row.members]
    sign = -1.0 if LOWER_IS_BETTER[race.metric] else 1.0
    return [-math.inf if value is None else sign * value for value in values]


def _failures(race: Race, row: LeaderboardRow) -> str:
    """A sentence about seeds that came to far less than the others; "" where there is none."""
    if LOWER_IS_BETTER[race.metric]:
        return ""
    values = _by_seed(race, row)
    failed = sorted(value for value in values if value < statistics.median(values) - COLLAPSED)
    if not failed:
        return ""
    numbers = ", ".join(f"{value:.4f}" for value in failed)
    return f"{len(failed)} of {len(values)} seeds of {row.label} failed ({numbers})."


def _metric(row: LeaderboardRow) -> str:
    if row.metric != row.metric:
        return "not a number"
    return f"{row.metric:.4f}" + (f" ± {row.spread:.4f}" if row.spread is not None else "")


def _behind_and_p(row: LeaderboardRow) -> tuple[str, str]:
    """How far a row is behind the best, and the probability of such a difference by chance."""
    p = "" if row.p is None else "< .001" if row.p < 0.001 else f"{row.p:.2g}"
    return "" if row.behind is None else f"{-row.behind:.4f}", p


def _early_stops(row: LeaderboardRow) -> str:
    """How many members stopped early, and why."""
    words = {"not_finite": "diverged", "halving": "left", "interrupt": "interrupted"}
    stops = [
        f"{count} {words[rule]}" if len(row.members) > 1 else words[rule]
        for rule, count in row.stops.items()
        if rule in words
    ]
    return ", ".join(stops)
