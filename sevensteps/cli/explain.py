"""`sevensteps explain`: questions about a run, each answered on one screen with its numbers."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

from sevensteps.cli.completion import complete_layer, complete_run_or_question
from sevensteps.cli.options import (
    allow_code_option,
    data_dir_option,
    json_option,
    plot_option,
)
from sevensteps.cli.output import console, print_json, table
from sevensteps.cli.questions import QUESTIONS, Questions

EXAMPLES = """\b
sevensteps explain last why
sevensteps explain last steps --step 0
sevensteps explain last steps --step 0,1,2
sevensteps explain last sample 3
sevensteps explain last sample 0,1,2
sevensteps explain last sample --worst
sevensteps explain last gradient 0 --parameter output.weight 0,3
sevensteps explain last neuron layer1 4 --plot neuron.png
sevensteps explain last surface
sevensteps explain last words learning rate
"""


def _whole_numbers(context: click.Context, option: click.Parameter, text: str) -> tuple[int, ...]:
    """One whole number or several, such as 0,1,2."""
    try:
        return tuple(int(number) for number in text.split(","))
    except ValueError:
        raise click.BadParameter(
            f"{text!r} is not a valid number, nor several such as 0,1,2"
        ) from None


def _store(context: click.Context, option: click.Parameter, value: Any) -> None:
    """Keep the value of an option for `questions_about_run`."""
    context.ensure_object(dict)[option.name] = value


def question_options(function: Any) -> Any:
    """The options that every question has."""
    for option in (
        json_option(),
        plot_option("the answer"),
        data_dir_option(expose_value=False, callback=_store),
        allow_code_option("the recipe", expose_value=False, callback=_store),
    ):
        function = option(function)
    return function


def print_answer(answer: Any, as_json: bool, plot: Path | None) -> None:
    """Print an answer as text or JSON; with `plot` also draw it."""
    if plot is not None:
        answer.plot(plot)
    if as_json:
        print_json(answer.to_dict())
        return
    screen = console()
    screen.print(answer.text(screen.width), soft_wrap=True)
    if plot is not None:
        screen.print(f"\nDrawn in {plot}", style="dim")


@click.group("explain", cls=Questions, epilog=EXAMPLES, invoke_without_command=True)
@click.argument("run", metavar="[RUN]", shell_complete=complete_run_or_question)
@click.pass_context
def command(context: click.Context, run: str) -> None:
    """Answer a question about RUN with its own numbers. RUN is a run folder, a name under runs/ or
    its end (digits: the newest that ends so), or last, the newest; left out, RUN is last.

    Every question has --json, and most have --plot FILE for a picture.
    """
    context.obj = {"run": run}
    if context.invoked_subcommand is None:
        print_questions(run)


def print_questions(run: str) -> None:
    """List what can be asked about a run, and how."""
    from rich.text import Text

    from sevensteps.record.run_folder import find_run_folder
    from sevensteps.render.text import shell_quote

    find_run_folder(run)
    screen = console()
    screen.print(table((Text(name, "bold"), text) for name, text in QUESTIONS.items()))
    screen.print(f"\nAsk, for example: sevensteps explain {shell_quote(run)} why", style="dim")


def questions_about_run(context: click.Context) -> Any:
    """The questions that can be asked about the run on the command line."""
    from sevensteps.api.explain import explain

    return explain(
        context.obj["run"], data_dir=context.obj["data_dir"], allow_code=context.obj["allow_code"]
    )


@command.command("shapes", short_help=QUESTIONS["shapes"])
@question_options
@click.pass_context
def _shapes(context: click.Context, as_json: bool, plot: Path | None) -> None:
    """Show the forward pass as shapes, axis by axis, and count parameters and activations."""
    print_answer(questions_about_run(context).shapes(), as_json, plot)


@command.command("sample", short_help=QUESTIONS["sample"])
@click.argument("index", required=False, metavar="[INDEX[,INDEX…]]")
@click.option(
    "--part",
    default="valid",
    type=click.Choice(["train", "valid"]),
    show_default=True,
    help="The part of the data that has the sample.",
)
@click.option(
    "--worst",
    is_flag=False,
    flag_value=5,
    type=int,
    metavar="N",
    help="Show the N samples with the largest losses. [default N: 5]",
)
@click.option(
    "--best",
    is_flag=False,
    flag_value=5,
    type=int,
    metavar="N",
    help="Show the N samples with the smallest losses. [default N: 5]",
)
@click.option("--confusion", is_flag=True, help="Show which class is taken for which.")
@question_options
@click.pass_context
def _sample(
    context: click.Context,
    index: str | None,
    part: str,
    worst: int | None,
    best: int | None,
    confusion: bool,
    as_json: bool,
    plot: Path | None,
) -> None:
    """Show sample INDEX: its layers, its answer and its loss; or several, such as 0,1,2, in one
    table; or the worst or best samples, or the confusion of the classes.
    """
    if sum((index is not None, worst is not None, best is not None, confusion)) != 1:
        raise click.UsageError("give one of: the number of a sample, --worst, --best, --confusion")
    indices = _numbers("INDEX", index) if index is not None else ()
    questions = questions_about_run(context)
    answer = (
        questions.confusion(part)
        if confusion
        else questions.sample(indices[0], part)
        if len(indices) == 1
        else questions.batch(indices, part)
        if indices
        else questions.samples(worst=worst, best=best, part=part)
    )
    print_answer(answer, as_json, plot)


@command.command("gradient", short_help=QUESTIONS["gradient"])
@click.argument("index", required=False, type=int)
@click.option(
    "--part",
    default="valid",
    type=click.Choice(["train", "valid"]),
    show_default=True,
    help="The part of the data that has the samples.",
)
@click.option(
    "--batch", metavar="I,J,…", help="Several samples (or: all), for the mean of their losses."
)
@click.option(
    "--parameter",
    nargs=2,
    metavar="NAME INDEX",
    help="One number, such as layer1.weight 4,300, or the largest: layer1.weight largest.",
)
@click.option("--latex", is_flag=True, help="Print the formula in LaTeX; needs --parameter.")
@click.option("--html", is_flag=True, help="Print the formula in HTML (MathML); needs --parameter.")
@question_options
@click.pass_context
def _gradient(
    context: click.Context,
    index: int | None,
    part: str,
    batch: str | None,
    parameter: tuple[str, str] | None,
    latex: bool,
    html: bool,
    as_json: bool,
    plot: Path | None,
) -> None:
    """Show the backward pass of sample INDEX layer by layer, or the gradient of one parameter
    factor by factor, checked against autograd and a finite difference.
    """
    if (index is None) == (batch is None):
        raise click.UsageError("give the number of a sample, or several: --batch 0,1,2")
    if (latex or html) and parameter is None:
        raise click.UsageError(
            "a formula is that of one number; name it: --parameter layer1.weight 4,300"
        )
    samples: Any = (
        index if batch is None else batch if batch == "all" else _numbers("--batch", batch)
    )
    name, at = parameter or (None, "largest")
    answer = questions_about_run(context).gradient(
        samples, name, None if at == "largest" else _numbers("--parameter", at), part
    )
    if latex or html:
        click.echo(answer.latex() if latex else answer.html())
    else:
        print_answer(answer, as_json, plot)


def _numbers(option: str, text: str) -> tuple[int, ...]:
    """The whole numbers in a text such as 4,300."""
    try:
        return tuple(int(number) for number in text.split(","))
    except ValueError:
        raise click.UsageError(
            f"{option}: {text!r} is not a list of whole numbers such as 4,300"
        ) from None


@command.command("surface", short_help=QUESTIONS["surface"])
@question_options
@click.pass_context
def _surface(context: click.Context, as_json: bool, plot: Path | None) -> None:
    """Show the curvature of the loss at the last weights: what learning rate it allows, how far
    away the optimum is, and the path of the training.
    """
    print_answer(questions_about_run(context).surface(), as_json, plot)


@command.command("neuron", short_help=QUESTIONS["neuron"])
@click.argument("layer", shell_complete=complete_layer)
@click.argument("unit", type=int)
@click.option(
    "--again/--not-again",
    default=None,
    help="Train again to see how the unit changed, or do not. [default: where the training was "
    "short and not watched]",
)
@question_options
@click.pass_context
def _neuron(
    context: click.Context,
    layer: str,
    unit: int,
    again: bool | None,
    as_json: bool,
    plot: Path | None,
) -> None:
    """Show one UNIT of LAYER, counted from 0: its weights, what makes it fire, how it changed, the
    unit most like it, and what is lost without it.
    """
    print_answer(questions_about_run(context).neuron(layer, unit, again=again), as_json, plot)


@command.command("steps", short_help=QUESTIONS["steps"])
@click.option(
    "--step",
    "places",
    metavar="N[,N…]",
    callback=_whole_numbers,
    default="0",
    show_default=True,
    help="Which training step, counted from 0; or several, such as 0,1,2, in a table.",
)
@question_options
@click.pass_context
def _steps(
    context: click.Context, places: tuple[int, ...], as_json: bool, plot: Path | None
) -> None:
    """Show what happened in one training step: the seven steps, before and after; or in several,
    in a table. To print loss, parameters and gradient of the first steps as they are taken:
    sevensteps train … --print
    """
    at = places[0] if len(places) == 1 else places
    print_answer(questions_about_run(context).steps(at), as_json, plot)


@command.command("why", short_help=QUESTIONS["why"])
@question_options
@click.pass_context
def _why(context: click.Context, as_json: bool, plot: Path | None) -> None:
    """Answer the questions that readers of this run are likely to ask, each with the command that
    proves the answer.
    """
    print_answer(questions_about_run(context).why(), as_json, plot)


@command.command("words", short_help=QUESTIONS["words"])
@click.argument("words", nargs=-1, metavar="[WORD]...")
@click.option("--all", "list_all", is_flag=True, help="List every word, by subject.")
@question_options
@click.pass_context
def _words(
    context: click.Context,
    words: tuple[str, ...],
    list_all: bool,
    as_json: bool,
    plot: Path | None,
) -> None:
    """Explain the words of the field, or only each WORD, with an example of this run."""
    from sevensteps.errors import RunError
    from sevensteps.explain.words import text
    from sevensteps.explain.words.answer import words as glossary
    from sevensteps.explain.words.answer import words_of_arguments

    if list_all and not words and not as_json:
        screen = console()
        screen.print(text.render_all_words(screen.width), soft_wrap=True)
        return
    names = words_of_arguments(words)
    try:
        answer = questions_about_run(context).words(*names)
    except RunError:
        if context.obj["run"] != "last":
            raise
        answer = glossary(None, *names)  # there is no run to take examples of
    print_answer(answer, as_json, plot)
