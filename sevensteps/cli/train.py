"""`sevensteps train`: train a network in seven steps."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from sevensteps.cli.book import book_option, with_book
from sevensteps.cli.options import RecipeOptions, json_option, recipe_options, save_every_option
from sevensteps.cli.output import console, status
from sevensteps.steps import SETTINGS

if TYPE_CHECKING:
    from sevensteps.api.run import Run
    from sevensteps.doctor.observer import DoctorObserver
    from sevensteps.training.recipe import Recipe

EXAMPLES = """\b
sevensteps train digits
sevensteps train mnist37 --predict "mlp(30)" --stop "epochs(40) | patience(5)"
sevensteps train digits --step "sgd(lr=0.1)" --seed 1
sevensteps train speed --book
sevensteps train --recipe runs/NAME/recipe.toml
"""


@click.command("train", epilog=EXAMPLES)
@recipe_options(*SETTINGS, example="sevensteps train digits")
@click.option(
    "--out",
    type=click.Path(path_type=Path),
    help="The run folder. [default: runs/<date>-<name>]",
)
@book_option()
@click.option(
    "--print",
    "printed",
    is_flag=False,
    flag_value=10,
    default=0,
    type=int,
    metavar="[N]",
    help="Print loss, parameters and gradient of the first N steps. [10 where N is left out]",
)
@click.option(
    "--heal",
    "healing",
    is_flag=True,
    help="If something is wrong, try remedies, and train again with one that is proven to help.",
)
@click.option(
    "--budget",
    type=float,
    default=120.0,
    show_default=True,
    metavar="SECONDS",
    help="How long the trials of --heal may take.",
)
@save_every_option()
@json_option("Print JSON: a line per epoch, and the whole result in the last line.")
def command(
    options: RecipeOptions,
    out: Path | None,
    book: bool,
    printed: int,
    healing: bool,
    budget: float,
    save_every: float,
    as_json: bool,
) -> None:
    """Train a network on DATA in seven steps. Each step that you leave out is chosen for you, and
    the choice is explained.

    DATA is a name (see: sevensteps data), such as digits, or a name with arguments, such as
    "speed(noise=1.0)"; or your own: a folder with a folder of pictures for each class, a table
    (.csv, .tsv, .xlsx, .parquet, .jsonl) or a .npy file (with --target), a .npz file, or files in
    MNIST's format.
    """
    from sevensteps.api.train import train
    from sevensteps.cli.training_output import JsonLines, PlanPrinter, print_end
    from sevensteps.doctor.observer import DoctorObserver
    from sevensteps.engine.distributed.process_group import join
    from sevensteps.view.step_printer import StepPrinter

    group = join()
    with group.consensus():
        recipe = (with_book(options) if book else options).recipe()

    def observers(doctor: DoctorObserver) -> list[Any]:
        shown: list[Any] = [JsonLines()] if as_json else [PlanPrinter(doctor)]
        return [*shown, StepPrinter(printed, sys.stderr if as_json else None)] if printed else shown

    if healing:
        run = heal_aloud(
            recipe, observers, as_json, out=out, data_dir=options.data_dir, budget=budget
        )
    else:
        doctor = DoctorObserver()
        run = train(
            recipe,
            data_dir=options.data_dir,
            out=out,
            save_every=save_every,
            progress=not as_json,
            watch=doctor,
            observers=observers(doctor),
        )
    print_end(run, as_json, group.leads)


def heal_aloud(recipe: Recipe, observers: Any, as_json: bool, **options: Any) -> Run:
    """The run that `heal` returns; each decision is printed, where standard output is JSON on
    standard error.
    """
    from sevensteps.api.heal import heal
    from sevensteps.render.text import wrap

    with status() as report:

        def say(text: str) -> None:
            report.stop()
            for line in wrap(text, console().width, "", "  "):
                click.echo(line, err=as_json)

        def observers_without_status(doctor: DoctorObserver) -> list[Any]:
            report.stop()  # the training has a line of its own
            training_observers: list[Any] = observers(doctor)
            return training_observers

        return heal(
            recipe,
            observers=observers_without_status,
            progress=not as_json,
            report=report,
            say=say,
            **options,
        )
