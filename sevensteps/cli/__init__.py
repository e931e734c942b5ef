"""The command line: one file per verb, imported when it is asked for."""

from __future__ import annotations

import importlib
import os
import sys
from typing import Any

import click

from sevensteps.errors import Error, PeerError, nearest

VERBS = {
    "train": "Train a network in seven steps.",
    "race": "Train many recipes at once, and compare them.",
    "resume": "Go on with a training that was interrupted.",
    "predict": "What a run's network answers to new inputs.",
    "diagnose": "What is wrong with a training, and what to change.",
    "explain": "Why this loss, this gradient, this neuron: answers with the run's own numbers.",
    "rate": "Search for a good learning rate.",
    "steps": "What each of the seven steps offers.",
    "data": "The data there are, and what is in them.",
    "runs": "The runs that were kept.",
    "compare": "What differs between two runs.",
}
EXAMPLES = """\b
sevensteps train digits
sevensteps train mnist37 --predict "mlp(30)" --step "sgd(lr=0.1)" --stop "epochs(40) | patience(5)"
sevensteps steps loss
"""


class Verbs(click.Group):
    """The verbs, each in a module of its own; help is answered without importing any."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        return list(VERBS)

    def get_command(self, ctx: click.Context, name: str) -> click.Command | None:
        if name not in VERBS:
            return None
        command: click.Command = importlib.import_module(f"sevensteps.cli.{name}").command
        return command

    def resolve_command(self, ctx: click.Context, args: list[str]) -> Any:
        if args and args[0] not in VERBS:
            raise click.UsageError(f"there is no verb '{args[0]}'; {nearest(args[0], VERBS)}")
        return super().resolve_command(ctx, args)

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        with formatter.section("Verbs"):
            formatter.write_dl(list(VERBS.items()))


@click.group(
    cls=Verbs,
    epilog=EXAMPLES,
    context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100},
)
@click.option("--debug", is_flag=True, help="On an error, show the whole traceback.")
@click.version_option(package_name="sevensteps")
def cli(debug: bool) -> None:
    """Train a neural network in seven steps you can see."""


def main(arguments: list[str] | None = None) -> None:
    """Run the command line and leave with its exit code: 0 done, 1 `diagnose --check` found an
    error, 2 bad input, 130 interrupted.
    """
    given = list(sys.argv[1:] if arguments is None else arguments)
    debug = "--debug" in given or bool(os.environ.get("SEVENSTEPS_DEBUG"))
    try:
        code = cli(
            [item for item in given if item != "--debug"],
            prog_name="sevensteps",
            standalone_mode=False,
        )
    except Error as failure:
        if debug:
            raise
        if not isinstance(failure, PeerError):
            _say(str(failure))
        code = 2
    except click.ClickException as failure:
        hint = (
            f" (see: {failure.ctx.command_path} --help)"
            if isinstance(failure, click.UsageError) and failure.ctx
            else ""
        )
        _say(f"{failure.format_message()}{hint}")
        code = 2
    except (KeyboardInterrupt, click.Abort) as failure:
        _say(str(failure) or "interrupted")
        code = 130
    except BrokenPipeError:  # the reader of a pipe has gone, as `| head` does
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        code = 0
    sys.exit(code if isinstance(code, int) else 0)


def _say(message: str) -> None:
    click.echo(f"sevensteps: {' '.join(message.split())}", err=True)
