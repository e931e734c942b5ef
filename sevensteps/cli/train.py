"""`sevensteps train`: the seven steps, from data to a run folder."""

from __future__ import annotations

import re
import sys
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from sevensteps.cli.output import console, print_json, table, targeted
from sevensteps.steps import QUESTIONS, STEPS
from sevensteps.training.observer import Observer

if TYPE_CHECKING:
    from rich.console import Console

    from sevensteps.api.run import Run
    from sevensteps.data import Data
    from sevensteps.doctor.finding import Finding
    from sevensteps.doctor.observer import Attending
    from sevensteps.training.recipe import Recipe
    from sevensteps.training.state import Training

COLOURS = {"error": "red", "warning": "yellow", "info": "dim"}
EXAMPLES = """\b
sevensteps train digits
sevensteps train mnist37 --predict "mlp(30)" --step "sgd(lr=0.1)" --stop "epochs(40) | patience(5)"
sevensteps train digits --predict "mlp(30, activation='tanh')" --loss mean_squared_error --seed 1
sevensteps train --recipe runs/NAME/recipe.toml
"""


def seven(function: Any) -> Any:
    """The seven steps as options."""
    for step in reversed(STEPS):
        function = click.option(
            f"--{step}", metavar="VALUE", help=f"{QUESTIONS[step]} See: sevensteps steps {step}"
        )(function)
    return function


@click.command("train", epilog=EXAMPLES)
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
@click.option("--device", help="cpu, cuda, mps or auto. [default: cpu]")
@click.option(
    "--threads",
    type=int,
    help="Processor threads to use. [default: 1 for a small network, else half of them, at most 4]",
)
@click.option(
    "--precision",
    help="float32, float64, or bf16, which is faster for wide networks. [default: float32]",
)
@click.option("--data-dir", type=click.Path(path_type=Path), help="Folder with the files of MNIST.")
@click.option(
    "--target", metavar="COLUMN", help="What to predict, where DATA is a file: a column, or a .npy."
)
@click.option(
    "--out",
    type=click.Path(path_type=Path),
    help="The run folder itself. [default: runs/<date>-<name>]",
)
@click.option(
    "--heal",
    "healing",
    is_flag=True,
    help="Where something is found wrong, change what trials prove to help, and train again.",
)
@click.option(
    "--budget",
    type=float,
    default=120.0,
    show_default=True,
    help="Seconds that the trials of --heal may take.",
)
@click.option(
    "--save-every",
    type=float,
    default=30.0,
    show_default=True,
    metavar="SECONDS",
    help="How often the state is saved.",
)
@click.option(
    "--allow-code", is_flag=True, help="Let the recipe file import the Python code that it names."
)
@click.option(
    "--json",
    "as_json",
    is_flag=True,
    help="Print JSON: a line per epoch, the whole result in the last line.",
)
def command(
    data: str | None,
    recipe: Path | None,
    target: str | None,
    out: Path | None,
    data_dir: Path | None,
    healing: bool,
    budget: float,
    save_every: float,
    allow_code: bool,
    as_json: bool,
    **given: Any,
) -> None:
    """Train a network on DATA in seven steps. What is not given is chosen, and the choice
    explained.

    DATA is a name (see: sevensteps data), with arguments if you like: "speed(noise=1.0)"; or your
    own: a folder with a folder of pictures for each class, a .csv, .parquet or .npy (with
    --target), a .npz, or files of MNIST's format."""
    from sevensteps.api.train import train
    from sevensteps.data import to_notation
    from sevensteps.doctor.observer import Attending
    from sevensteps.engine.distributed.process_group import join
    from sevensteps.training.recipe import Recipe, as_recipe

    if data is None and recipe is None:
        raise click.UsageError("name the data to train on, as in: sevensteps train digits")
    if data is not None:
        data = targeted(data, target)
    group = join()
    with group.consensus():
        if recipe is None:
            asked = as_recipe(str(data), given)
        else:
            asked = as_recipe(Recipe.from_toml(recipe, allow_code=allow_code), given)
            if data is not None:
                asked = replace(asked, data=to_notation(data))

    def observers(attending: Attending) -> list[Any]:
        return [Lines()] if as_json else [Plan(attending)]

    if healing:
        run = healed(asked, observers, as_json, out=out, data_dir=data_dir, budget=budget)
    else:
        attending = Attending()
        run = train(
            asked,
            data_dir=data_dir,
            out=out,
            save_every=save_every,
            progress=not as_json,
            watch=attending,
            observers=observers(attending),
        )
    if group.leads and as_json:
        print_json(run.summary)
    elif group.leads:
        result(run)
    if run.summary["stop"]["rule"] == "interrupt":
        sys.exit(130)


def healed(recipe: Recipe, observers: Any, quiet: bool, **given: Any) -> Run:
    """The run of `heal`, with what it does said as it goes: on standard error where standard output
    is JSON.
    """
    from sevensteps.api.heal import heal
    from sevensteps.cli.output import status
    from sevensteps.doctor.report.text import wrapped

    with status() as report:

        def say(text: str) -> None:
            report.stop()
            for line in wrapped(text, console().width, "", "  "):
                click.echo(line, err=quiet)

        def started(attending: Attending) -> list[Any]:
            report.stop()  # the training has a line of its own
            made: list[Any] = observers(attending)
            return made

        return heal(recipe, observers=started, progress=not quiet, report=report, say=say, **given)


class Lines(Observer):
    """One JSON line per evaluation."""

    def evaluated(self, training: Training, row: dict[str, Any]) -> None:
        print_json(row)


class Plan(Observer):
    """The seven steps as they will be run, before the first, and what the doctor sees wrong already."""

    def __init__(self, attending: Attending | None = None) -> None:
        self.attending = attending

    def started(self, training: Training) -> None:
        from rich.text import Text

        recipe, data = training.recipe, training.settled.data
        screen = console()
        inputs, parameters = " × ".join(map(str, data.train.x.shape[1:])), training.engine.size
        screen.print(
            Text.assemble(
                (recipe.source, "bold"),
                f": {len(data.train):,} samples to train on, {len(data.valid):,} to judge by; "
                f"inputs {inputs}; {parameters:,} parameters; seed {recipe.seed}\n",
            )
        )
        screen.print(
            table(
                (
                    Text(f"{number} {step}", "bold"),
                    Text.assemble((repr(held), "cyan"), "\n", (recipe.reasons[step], "dim")),
                )
                for number, (step, held) in enumerate(recipe.steps.items(), 1)
            )
        )
        screen.print()
        if said := repeated(data):
            screen.print(f"{said}\n")
        if training.resumed:
            screen.print(
                f"Going on after step {training.progress.step:,} of epoch "
                f"{training.progress.epoch + 1}.\n",
                style="bold",
            )
        if wrong := grave(
            self.attending.before.findings if self.attending and self.attending.before else []
        ):
            screen.print("Seen before the first step:", style="bold")
            show(screen, wrong, remedies=True)
            screen.print()


def repeated(data: Data) -> str:
    """What is to be said of samples that are both trained on and judged by; nothing where there are
    none.
    """
    found, total = data.duplicates, len(data.valid)
    if found is None:
        return "Whether validation samples are also in the training part was not counted: there are too many."
    if found == total:
        return f"All {total:,} validation samples are also in the training part: what they say holds for no other."
    some = f"{found:,} of {total:,} validation samples {'is' if found == 1 else 'are'}"
    return f"{some} also in the training part, so the validation figures flatter." if found else ""


def result(run: Run) -> None:
    """What came of it, where it is kept, and what to try next."""
    from rich.text import Text

    from sevensteps.metrics import LOWER_IS_BETTER

    screen, summary = console(), run.summary
    names = [name for name in LOWER_IS_BETTER if name in run.metrics["valid"]]
    rows = [("last", summary["epochs"], run.metrics), (("best", run.best.epoch, run.best.metrics))]
    columns = [(part, name) for part in ("train", "valid") for name in names]
    screen.print(
        table(
            (
                [
                    Text(f"{label}, epoch {epoch}", "bold"),
                    *(_figure(name, metrics[part].get(name)) for part, name in columns),
                ]
                for label, epoch, metrics in rows
            ),
            header=["", *(f"{part} {name}" for part, name in columns)],
            right=range(1, 9),
        )
    )
    rate = (
        f", {summary['samples_per_second']:,.0f} samples/s" if summary["samples_per_second"] else ""
    )
    threads = "1 thread" if summary["threads"] == 1 else f"{summary['threads']} threads"
    screen.print(
        f"\nStopped by {summary['stop']['rule']}: {summary['stop']['reason']}. "
        f"{summary['steps']:,} steps in {summary['seconds']:.2f} s{rate}, {threads}."
    )
    screen.print(Text.assemble("Kept in ", (str(run.folder), "bold"), "\n"))
    if run.findings:
        screen.print("Found, most likely cause first:", style="bold")
        show(screen, run.findings)
    else:
        screen.print("Nothing found wrong.", style="dim")
    screen.print("\nTry next:", style="dim")
    for line in hints(run):
        screen.print(f"  {line}", style="dim")


def _figure(name: str, value: float | None) -> str:
    return "–" if value is None else f"{value:.4g}" if name == "loss" else f"{value:.4f}"


def grave(findings: list[Finding]) -> list[Finding]:
    """Those that are more than remarks."""
    return [finding for finding in findings if finding.severity != "info"]


def show(screen: Console, findings: list[Finding], remedies: bool = False) -> None:
    """Findings in short: a line with the condition, the step to blame, how bad and how sure; below
    it why, and what to change first.
    """
    from rich.text import Text

    from sevensteps.doctor.report.text import first_sentence, proposal, sure, wrapped

    name, step, severity = (
        max(len(getattr(f, field)) for f in findings) for field in ("condition", "step", "severity")
    )
    for f in findings:
        screen.print(
            Text.assemble(
                "  ",
                (f"{f.condition:<{name}}", "bold"),
                f"  {f.step:<{step}}  ",
                (f"{f.severity:<{severity}}", COLOURS[f.severity]),
                f"  {sure(f)}",
            )
        )
        for line in wrapped(first_sentence(f.explanation), screen.width, "    "):
            screen.print(Text(line, "dim"))
        for line in (
            wrapped(f"→ {proposal(f.remedies[0])}", screen.width, "    ", "      ")
            if remedies and f.remedies
            else []
        ):
            screen.print(Text(line, "cyan"))


def hints(run: Run) -> list[str]:
    """Commands that make sense after this run."""
    data, folder = quoted(run.recipe.source), quoted(str(run.folder))
    other = "linear()" if repr(run.recipe.predict) != "linear()" else "mlp(30)"
    why = (
        [f"sevensteps diagnose {folder}", f"sevensteps diagnose {folder} --try"]
        if grave(run.findings)
        else []
    )
    if run.summary["stop"]["rule"] == "interrupt":
        why.insert(0, f"sevensteps resume {folder}")
    again = [f'sevensteps train {data} --predict "{other}"', f"sevensteps compare {folder} last"]
    return [*why, *again, "sevensteps steps predict", f"sevensteps data {data}"]


def quoted(text: str) -> str:
    """`text` as one word of a command line."""
    mark = "'" if '"' in text else '"'
    return text if re.fullmatch(r"[\w./:\\-]+", text) else f"{mark}{text}{mark}"
