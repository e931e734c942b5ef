"""`sevensteps explain`: the questions about a run, each answered on one screen with the run's own
numbers.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

from sevensteps.cli.output import console, print_json

EXAMPLES = """\b
sevensteps explain last sample 3
sevensteps explain last sample --worst
sevensteps explain last gradient 0 --parameter output.weight 0,3
sevensteps explain last neuron layer1 4 --plot neuron.png
sevensteps explain last surface
sevensteps explain last shapes
sevensteps explain last steps --step 0
sevensteps explain last why
sevensteps explain last words learning rate
"""


def _noted(context: click.Context, option: click.Parameter, given: Any) -> None:
    context.ensure_object(dict)[option.name] = given


def answer(function: Any) -> Any:
    """The options that every question has."""
    for option in (
        click.option("--json", "as_json", is_flag=True, help="Print JSON."),
        click.option(
            "--plot", type=click.Path(path_type=Path), help="Draw it into this file, .png or .svg."
        ),
        click.option(
            "--data-dir",
            type=click.Path(path_type=Path),
            expose_value=False,
            callback=_noted,
            help="Folder with the files of MNIST.",
        ),
        click.option(
            "--allow-code",
            is_flag=True,
            expose_value=False,
            callback=_noted,
            help="Let the recipe import the Python code that it names.",
        ),
    ):
        function = option(function)
    return function


def show(found: Any, as_json: bool, plot: Path | None) -> None:
    """An explanation as asked for."""
    if plot is not None:
        found.plot(plot)
    if as_json:
        print_json(found.to_dict())
        return
    screen = console()
    screen.print(found.text(screen.width), soft_wrap=True)
    if plot is not None:
        screen.print(f"\nDrawn in {plot}", style="dim")


@click.group("explain", epilog=EXAMPLES)
@click.argument("run", metavar="RUN")
@click.pass_context
def command(context: click.Context, run: str) -> None:
    """Answer a question about RUN from its own numbers. A RUN is a folder, a name under runs/, or:
    last.

    Every question has --json, and --plot FILE for the picture.
    """
    context.obj = {"run": run}


def subject(context: click.Context) -> Any:
    """The run that was named, ready to be asked."""
    from sevensteps.api.explain import explain

    return explain(
        context.obj["run"], data_dir=context.obj["data_dir"], allow_code=context.obj["allow_code"]
    )


@command.command("shapes")
@answer
@click.pass_context
def _shapes(context: click.Context, as_json: bool, plot: Path | None) -> None:
    """The forward pass as shapes, axis by axis; parameters and activations told apart."""
    show(subject(context).shapes(), as_json, plot)


@command.command("sample")
@click.argument("index", required=False, type=int)
@click.option(
    "--part",
    default="valid",
    type=click.Choice(["train", "valid"]),
    show_default=True,
    help="Where the sample is.",
)
@click.option(
    "--worst",
    is_flag=False,
    flag_value=5,
    type=int,
    metavar="N",
    help="The N samples with the largest losses (default 5).",
)
@click.option(
    "--best",
    is_flag=False,
    flag_value=5,
    type=int,
    metavar="N",
    help="The N samples with the smallest losses (default 5).",
)
@click.option("--confusion", is_flag=True, help="Which class is taken for which.")
@answer
@click.pass_context
def _sample(
    context: click.Context,
    index: int | None,
    part: str,
    worst: int | None,
    best: int | None,
    confusion: bool,
    as_json: bool,
    plot: Path | None,
) -> None:
    """Sample INDEX: its layers, its answer and its loss. Or the worst or best samples, or the
    confusion of all.
    """
    if sum((index is not None, worst is not None, best is not None, confusion)) != 1:
        raise click.UsageError("say which: the number of a sample, --worst, --best or --confusion")
    asked = subject(context)
    found = (
        asked.confusion(part)
        if confusion
        else asked.sample(index, part)
        if index is not None
        else asked.samples(worst=worst, best=best, part=part)
    )
    show(found, as_json, plot)


@command.command("gradient")
@click.argument("index", required=False, type=int)
@click.option(
    "--part",
    default="valid",
    type=click.Choice(["train", "valid"]),
    show_default=True,
    help="Where the samples are.",
)
@click.option(
    "--batch", metavar="I,J,…", help="Several samples, of whose losses the mean is taken; or: all."
)
@click.option(
    "--parameter",
    nargs=2,
    metavar="NAME INDEX",
    help="One number, as layer1.weight 4,300; or its: largest.",
)
@click.option("--latex", is_flag=True, help="Print the formula in LaTeX; needs --parameter.")
@click.option("--html", is_flag=True, help="Print the formula in HTML (MathML); needs --parameter.")
@answer
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
    """The backward pass of sample INDEX by layer, or for one parameter factor by factor; checked by
    autograd and finite difference.
    """
    if (index is None) == (batch is None):
        raise click.UsageError("say whose loss: the number of a sample, or --batch 0,1,2")
    if (latex or html) and parameter is None:
        raise click.UsageError(
            "a formula is of one number; name it: --parameter layer1.weight 4,300"
        )
    samples: Any = (
        index if batch is None else batch if batch == "all" else _numbers("--batch", batch)
    )
    name, at = parameter or (None, "largest")
    found = subject(context).gradient(
        samples, name, None if at == "largest" else _numbers("--parameter", at), part
    )
    if latex or html:
        click.echo(found.latex() if latex else found.html())
    else:
        show(found, as_json, plot)


def _numbers(option: str, text: str) -> tuple[int, ...]:
    """Whole numbers with commas between."""
    try:
        return tuple(int(number) for number in text.split(","))
    except ValueError:
        raise click.UsageError(
            f"{option}: {text!r} is no list of whole numbers such as 4,300"
        ) from None


@command.command("surface")
@answer
@click.pass_context
def _surface(context: click.Context, as_json: bool, plot: Path | None) -> None:
    """The curvature of the loss at the last weights: what learning rate it allows, how far the
    optimum is, and the path.
    """
    show(subject(context).surface(), as_json, plot)


@command.command("neuron")
@click.argument("layer")
@click.argument("unit", type=int)
@click.option(
    "--again/--not-again",
    default=None,
    help="Train again to see its life, or do not. [default: if short and not watched]",
)
@answer
@click.pass_context
def _neuron(
    context: click.Context,
    layer: str,
    unit: int,
    again: bool | None,
    as_json: bool,
    plot: Path | None,
) -> None:
    """One unit of LAYER, counted from 0: its weights, what makes it fire, its life, its twin, what
    is lost without it.
    """
    show(subject(context).neuron(layer, unit, again=again), as_json, plot)


@command.command("steps")
@click.option(
    "--step",
    "at",
    type=int,
    default=0,
    show_default=True,
    help="Which training step, counted from 0.",
)
@answer
@click.pass_context
def _steps(context: click.Context, at: int, as_json: bool, plot: Path | None) -> None:
    """What happened in one training step, 1 to 7, before and after."""
    show(subject(context).steps(at), as_json, plot)


@command.command("why")
@answer
@click.pass_context
def _why(context: click.Context, as_json: bool, plot: Path | None) -> None:
    """What readers of this run ask, answered with its numbers, each with the command that proves
    it.
    """
    show(subject(context).why(), as_json, plot)


@command.command("words")
@click.argument("words", nargs=-1, metavar="[WORD]...")
@answer
@click.pass_context
def _words(
    context: click.Context, words: tuple[str, ...], as_json: bool, plot: Path | None
) -> None:
    """The words of the field, or the ones named, each with this run's own example."""
    from sevensteps.explain.words.answer import joined

    show(subject(context).words(*joined(words)), as_json, plot)
