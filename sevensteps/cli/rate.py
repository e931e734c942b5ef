"""`sevensteps rate`: search for a good learning rate."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

from sevensteps.cli.book import book_option, with_book
from sevensteps.cli.options import RecipeOptions, json_option, plot_option, recipe_options
from sevensteps.cli.output import console, print_json, status
from sevensteps.steps import STEPS

if TYPE_CHECKING:
    from sevensteps.lr_finder.rates import Rates
    from sevensteps.training.recipe import Recipe

EXAMPLES = """\b
sevensteps rate digits --step "sgd(lr=0.1)"
sevensteps rate mnist37 --predict "mlp(30)" --step "sgd(lr=0.1, momentum=0.9)"
sevensteps rate speed --book
sevensteps rate --recipe runs/NAME/recipe.toml --plot rates.png
"""


@click.command("rate", epilog=EXAMPLES)
@recipe_options("seed", "threads", example="sevensteps rate digits")
@book_option()
@plot_option("the search")
@json_option()
def command(options: RecipeOptions, book: bool, plot: Path | None, as_json: bool) -> None:
    """Search for a learning rate: train on DATA at 32 rates from the same start, show which are
    good, and train at the suggested one to be sure of it.

    The search is for the training that `sevensteps train` runs with the same options; the rate in
    --step does not matter.
    """
    from sevensteps.api.find_learning_rate import find_learning_rate

    options = with_book(options) if book else options
    recipe = options.recipe()
    with status() as report:
        rates = find_learning_rate(recipe, data_dir=options.data_dir, report=report)
    if plot is not None:
        rates.plot(plot)
    if as_json:
        print_json(rates.to_dict())
    else:
        print_rates(rates, train_command(recipe, options, rates))
        if plot is not None:
            console().print(f"Drawn in {plot}")


def train_command(recipe: Recipe, options: RecipeOptions, rates: Rates) -> list[str]:
    """The command that trains with the suggested rate, option by option."""
    from sevensteps.render.text import shell_quote

    if options.files:
        start = f"--recipe {shell_quote(str(options.files[0]))}"
    else:
        start = shell_quote(recipe.source)
    values = {**options.values, "data_dir": options.data_dir}
    steps = [
        f"--{step} {shell_quote(repr(getattr(recipe, step)))}"
        for step in STEPS
        if values[step] is not None and step != "step"
    ]
    settings = [
        f"--{name.replace('_', '-')} {shell_quote(str(values[name]))}"
        for name in ("seed", "threads", "data_dir")
        if values[name] is not None
    ]
    step = f"--step {shell_quote(repr(rates.recipe.step))}"
    return ["sevensteps train", start, *steps, *settings, step]


def print_rates(rates: Rates, train: list[str]) -> None:
    """Print one screen: the loss at each rate, the zones, the suggestion, and how it was tested."""
    from rich.text import Text

    from sevensteps.lr_finder import text as view
    from sevensteps.render.text import command_lines, wrap

    screen = console()
    screen.width = min(screen.width, 80)
    title = (
        f"{rates.recipe.source}: training loss after {rates.stages[0][1]:,} steps at each of "
        f"{len(rates.rates)} rates"
    )
    screen.print(Text(title, "bold"))
    for line in view.drawing(rates):
        screen.print(Text(line))
    screen.print(Text(view.legend(rates), "dim"))
    screen.print()
    for name, sentence in view.sentences(rates):
        lines = wrap(sentence, screen.width - 12, "", "")
        for index, line in enumerate(lines):
            screen.print(Text.assemble((f"{name if not index else '':<12}", "bold"), line))
    screen.print("\nTrain with it:", style="dim")
    for line in command_lines(" ".join(train), screen.width, "  "):
        click.echo(line)
