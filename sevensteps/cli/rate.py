"""`sevensteps rate`: which learning rates are good, and which to take."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from sevensteps.cli.output import console, print_json, status, targeted
from sevensteps.cli.train import quoted, seven
from sevensteps.steps import STEPS

if TYPE_CHECKING:
    from sevensteps.lr_finder.rates import Rates
    from sevensteps.training.recipe import Recipe

EXAMPLES = """\b
sevensteps rate digits --step "sgd(lr=0.1)"
sevensteps rate mnist37 --predict "mlp(30)" --step "sgd(lr=0.1, momentum=0.9)" --stop "epochs(10)"
sevensteps rate --recipe runs/NAME/recipe.toml --plot rates.png
"""


@click.command("rate", epilog=EXAMPLES)
@click.argument("data", required=False)
@seven
@click.option(
    "--recipe",
    type=click.Path(path_type=Path),
    help="Start from the recipe in this TOML file; options replace what it says.",
)
@click.option(
    "--seed", type=int, help="One number from which everything random follows. [default: 0]"
)
@click.option(
    "--threads",
    type=int,
    help="Processor threads to use. [default: 1 for small networks, else half of them, at most 4]",
)
@click.option("--data-dir", type=click.Path(path_type=Path), help="Folder with the files of MNIST.")
@click.option(
    "--target", metavar="COLUMN", help="What to predict, where DATA is a file: a column, or a .npy."
)
@click.option(
    "--plot",
    type=click.Path(path_type=Path),
    metavar="FILE",
    help="Draw it into this .png or .svg file (needs matplotlib).",
)
@click.option(
    "--allow-code", is_flag=True, help="Let the recipe file import the Python code that it names."
)
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
def command(
    data: str | None,
    recipe: Path | None,
    data_dir: Path | None,
    target: str | None,
    plot: Path | None,
    allow_code: bool,
    as_json: bool,
    **given: Any,
) -> None:
    """Search for a learning rate: train DATA at 32 rates from the same start, say which are good,
    and train at the one to take.

    What is asked for is the training that `sevensteps train` would run with the same options; the
    rate that --step names is not looked at."""
    from sevensteps.api.find_learning_rate import find_learning_rate
    from sevensteps.data import to_notation
    from sevensteps.render.figures import drawable
    from sevensteps.training.recipe import Recipe, as_recipe

    if data is None and recipe is None:
        raise click.UsageError("name the data to train on, as in: sevensteps rate digits")
    if plot is not None:
        drawable(plot)  # before the search, not after it
    if data is not None:
        data = targeted(data, target)
    asked = as_recipe(
        str(data) if recipe is None else Recipe.from_toml(recipe, allow_code=allow_code), given
    )
    if recipe is not None and data is not None:
        asked = replace(asked, data=to_notation(data))
    with status() as report:
        rates = find_learning_rate(asked, data_dir=data_dir, report=report)
    if plot is not None:
        rates.plot(plot)
    if as_json:
        print_json(rates.to_dict())
    else:
        show(rates, again(asked, recipe, {**given, "data_dir": data_dir}, rates))
        if plot is not None:
            console().print(f"Drawn in {plot}")


def again(asked: Recipe, recipe: Path | None, given: dict[str, Any], rates: Rates) -> list[str]:
    """The command that trains with the suggestion, option by option."""
    words = [
        "sevensteps train",
        quoted(asked.source) if recipe is None else f"--recipe {quoted(str(recipe))}",
    ]
    words += [
        f"--{step} {quoted(repr(getattr(asked, step)))}"
        for step in STEPS
        if given.get(step) is not None and step != "step"
    ]
    words += [
        f"--{name.replace('_', '-')} {quoted(str(given[name]))}"
        for name in ("seed", "threads", "data_dir")
        if given.get(name) is not None
    ]
    return [*words, f"--step {quoted(repr(rates.recipe.step))}"]


def show(rates: Rates, train: list[str]) -> None:
    """One screen: the drawing, the zones, the suggestion, and what was trained to be sure of it."""
    from rich.text import Text

    from sevensteps.doctor.report.text import wrapped
    from sevensteps.lr_finder import text as view

    screen = console()
    screen.width = min(screen.width, 80)
    title = f"{rates.recipe.source}: training loss after {rates.stages[0][1]:,} steps at each of {len(rates.rates)} rates"
    screen.print(Text(title, "bold"))
    for line in view.drawing(rates):
        screen.print(Text(line))
    screen.print(Text(view.legend(rates), "dim"))
    screen.print()
    for name, said in view.sentences(rates):
        lines = wrapped(said, screen.width - 12, "", "")
        for index, line in enumerate(lines):
            screen.print(Text.assemble((f"{name if not index else '':<12}", "bold"), line))
    screen.print("\nTrain with it:", style="dim")
    lines = ["  " + train[0]]
    for word in train[1:]:
        if len(lines[-1]) + len(word) + 3 > screen.width:
            lines[-1] += " \\"
            lines.append("     ")
        lines[-1] += f" {word}"
    for line in lines:
        click.echo(line)
