"""The options that several commands have in common, and the recipes that they describe."""

from __future__ import annotations

import functools
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from sevensteps.cli.completion import complete_data, complete_value
from sevensteps.cli.guesses import OPTIONS, guess_options, understand
from sevensteps.cli.picture_options import picture_options
from sevensteps.cli.table_options import table_options, with_table_options
from sevensteps.steps import QUESTIONS, STEPS

if TYPE_CHECKING:
    from sevensteps.training.recipe import Recipe

Decorator = Callable[[Any], Any]


def json_option(text: str = "Print JSON.") -> Decorator:
    """`--json`, passed as `as_json`."""
    return click.option("--json", "as_json", is_flag=True, help=text)


def allow_code_option(owner: str, **attributes: Any) -> Decorator:
    """`--allow-code`, for a command that reads the recipe of `owner`."""
    text = f"Let {owner} import the Python code that it names."
    return click.option("--allow-code", is_flag=True, help=text, **attributes)


def data_dir_option(**attributes: Any) -> Decorator:
    """`--data-dir`."""
    text = "The folder with the files of MNIST."
    return click.option("--data-dir", type=click.Path(path_type=Path), help=text, **attributes)


def plot_option(what: str) -> Decorator:
    """`--plot`, a file for a figure of `what`."""
    text = f"Draw {what} into this .png or .svg file (needs matplotlib)."

    def check(context: click.Context, parameter: click.Parameter, path: Path | None) -> Path | None:
        if path is not None:  # before anything is trained for it
            from sevensteps.render.figures import require_drawable

            require_drawable(path)
        return path

    return click.option(
        "--plot", type=click.Path(path_type=Path), metavar="FILE", help=text, callback=check
    )


def save_every_option() -> Decorator:
    """`--save-every`."""
    return click.option(
        "--save-every",
        type=float,
        default=30.0,
        show_default=True,
        metavar="SECONDS",
        help="How often the state is saved.",
    )


def step_options(many: bool = False) -> list[Decorator]:
    """An option for each of the seven steps; with `many` it can be given several times."""
    return [
        click.option(
            f"--{step}",
            metavar="VALUE",
            multiple=many,
            shell_complete=complete_value(step),
            help=f"{QUESTIONS[step].capitalize()} "
            + ("Repeatable." if many else f"See: sevensteps steps {step}"),
        )
        for step in STEPS
    ]


def setting_options(many: bool = False) -> dict[str, Decorator]:
    """Options for the settings of a recipe that are no steps, by name."""
    return {
        "seed": click.option(
            "--seed",
            type=int,
            help=("The first seed." if many else "Seed for all random numbers.") + " [default: 0]",
        ),
        "device": click.option(
            "--device", help="What computes: cpu, cuda, mps or auto. [default: cpu]"
        ),
        "threads": click.option(
            "--threads",
            type=int,
            help="Processor threads to use. [default: as many as a step keeps busy, at "
            "most the free cores]",
        ),
        "precision": click.option(
            "--precision",
            multiple=many,
            help="float32 or float64; repeatable. [default: float32]"
            if many
            else "float32, float64, or bf16, which is faster for wide networks. [default: float32]",
        ),
    }


@dataclass(frozen=True)
class RecipeOptions:
    """What the command line says about a recipe: its data, recipe files to start from, and `values`
    of the steps and settings, which are None or empty where they were left out.
    """

    data: str | None
    files: tuple[Path, ...]
    values: dict[str, Any]
    data_dir: Path | None
    allow_code: bool

    def starts(self) -> list[Recipe]:
        """A recipe for each file, or one of the data alone; DATA replaces the data of the files."""
        from sevensteps.data import to_notation
        from sevensteps.training.recipe import Recipe, as_recipe

        starts = [Recipe.from_toml(file, allow_code=self.allow_code) for file in self.files]
        if self.data is None:
            return starts
        return [replace(start, data=to_notation(self.data)) for start in starts] or [
            as_recipe(self.data, {})
        ]

    def recipe(self) -> Recipe:
        """The recipe that the options describe."""
        from sevensteps.training.recipe import as_recipe

        (start,) = self.starts()
        return as_recipe(start, self.values)


def recipe_options(*settings: str, example: str, many: bool = False) -> Decorator:
    """The argument DATA and all options of a recipe, passed to the command as one `RecipeOptions`.

    `settings` are those of a recipe that are no steps. With `many` the steps and --recipe can be
    repeated. `example` is a command that has all it needs, for the message where data are missing.
    """
    by_name = setting_options(many)
    recipe_option = click.option(
        "--recipe",
        "files" if many else "file",
        type=click.Path(path_type=Path),
        multiple=many,
        help="Start from the recipe in this TOML file; other options override it."
        + (" Repeatable." if many else ""),
    )
    options = [
        click.argument("data", required=False, shell_complete=complete_data),
        *step_options(many),
        recipe_option,
        *[by_name[name] for name in settings],
        data_dir_option(),
        table_options,
        allow_code_option("the recipe file"),
        *guess_options(),
        picture_options("data"),
    ]

    def decorate(function: Any) -> Any:
        @functools.wraps(function)
        def command(
            data: str | None,
            data_dir: Path | None,
            table: dict[str, Any],
            allow_code: bool,
            file: Path | None = None,
            files: Sequence[Path] = (),
            **others: Any,
        ) -> Any:
            guesses = {name: others.pop(name) for name in OPTIONS}
            values = {name: others.pop(name) for name in (*STEPS, *settings)}
            values = understand(values, guesses, many)
            chosen = (*files, *([file] if file is not None else []))
            if data is None and not chosen:
                raise click.UsageError(f"name the data to train on, as in: {example}")
            if data is not None:
                data = with_table_options(data, table)
            return function(RecipeOptions(data, chosen, values, data_dir, allow_code), **others)

        for option in reversed(options):
            command = option(command)
        return command

    return decorate
