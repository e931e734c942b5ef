"""The command line: one file for each command, imported only when that command runs."""

from __future__ import annotations

import importlib
import os
import sys
from typing import Any

import click

from sevensteps.errors import SHELL_WORDS, Error, PeerError, nearest

COMMANDS = {
    "train": "Train a network in seven steps.",
    "race": "Train many recipes at once, and compare them.",
    "resume": "Continue a training that was interrupted.",
    "predict": "Ask a run's network about new inputs.",
    "diagnose": "Find out what is wrong with a training, and what to change.",
    "explain": "Explain a loss, a gradient, a neuron … with the run's numbers.",
    "watch": "Run any training script unchanged, and report what is wrong.",
    "rate": "Search for a good learning rate.",
    "steps": "List the values that each of the seven steps can have.",
    "data": "List the data sets, or describe one.",
    "runs": "List the recorded runs.",
    "compare": "Compare two runs: their recipes and results.",
    "report": "Write a run as a page that opens anywhere.",
    "export": "Write a run as one file: ONNX, a model card, its history.",
}
OTHER_NAMES = {  # of commands that other tools have: what to write
    **dict.fromkeys(("list", "ls", "show", "history"), "runs"),
    **dict.fromkeys(("evaluate", "eval", "test", "score"), "explain last sample --confusion"),
    "fit": "train digits",
    "run": "train digits",
    "plot": "report last",
    "lr_find": "rate digits",
    "check": "diagnose last",
    "doctor": "diagnose last",
    "datasets": "data",
}
EXAMPLES = """\b
Start with:
sevensteps train digits
sevensteps explain last why
sevensteps train mnist37 --predict "mlp(30)" --stop "epochs(40) | patience(5)"
sevensteps steps loss
"""


class LazyCommands(click.Group):
    """The commands, each in a module of its own; `--help` lists them without importing any."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        return list(COMMANDS)

    def get_command(self, ctx: click.Context, name: str) -> click.Command | None:
        if name not in COMMANDS:
            return None
        command: click.Command = importlib.import_module(f"sevensteps.cli.{name}").command
        return command

    def resolve_command(self, ctx: click.Context, args: list[str]) -> Any:
        if args and args[0] not in COMMANDS:
            raise click.UsageError(f"there is no command '{args[0]}'; {_meant(args)}")
        return super().resolve_command(ctx, args)

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        with formatter.section("Commands"):
            formatter.write_dl(list(COMMANDS.items()))


def _meant(args: list[str]) -> str:
    """The end of a sentence about a command that is none: what else `args` can mean."""
    from sevensteps.cli.questions import QUESTIONS

    if args[0] in QUESTIONS:
        return f"write: sevensteps explain last {' '.join(args)}"
    if args[0] in ("help", "version"):
        of = f"{args[1]} " if args[0] == "help" and args[1:] and args[1] in COMMANDS else ""
        return f"write: sevensteps {of}--{args[0]}"
    if args[0] in OTHER_NAMES:
        return f"write: sevensteps {OTHER_NAMES[args[0]]}"
    if args[0].endswith(".py"):
        return f"write: sevensteps watch {' '.join(args)}"
    return nearest(args[0], COMMANDS)


@click.group(
    cls=LazyCommands,
    invoke_without_command=True,
    epilog=EXAMPLES,
    context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100},
)
@click.option("--debug", is_flag=True, help="Show the full traceback of an error.")
@click.version_option(package_name="sevensteps")
@click.pass_context
def cli(context: click.Context, debug: bool) -> None:
    """Train a neural network in seven steps you can see."""
    if context.invoked_subcommand is None:
        click.echo(context.get_help())


def main(arguments: list[str] | None = None) -> None:
    """Run the command line and exit: with 0 when done, 1 where `diagnose --check` finds an error,
    2 for bad input, 130 when interrupted.
    """
    from sevensteps.cli.output import print_error

    words = list(sys.argv[1:] if arguments is None else arguments)
    debug = "--debug" in words or bool(os.environ.get("SEVENSTEPS_DEBUG"))
    shell = SHELL_WORDS.set(tuple(words))  # so that messages say what to type
    try:
        code = cli(
            [word for word in words if word != "--debug"],
            prog_name="sevensteps",
            standalone_mode=False,
        )
    except Error as failure:
        if debug:
            raise
        if not isinstance(failure, PeerError):
            print_error(str(failure))
        code = 2
    except click.ClickException as failure:
        from sevensteps.cli.hints import refusal

        hint = (
            f" (see: {failure.ctx.command_path} --help)"
            if isinstance(failure, click.UsageError) and failure.ctx
            else ""
        )
        print_error(f"{refusal(failure, words)}{hint}")
        code = 2
    except (KeyboardInterrupt, click.Abort) as failure:
        print_error(str(failure) or "interrupted")
        code = 130
    except BrokenPipeError:  # the reader of a pipe has left, as in `| head`
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        code = 0
    finally:
        SHELL_WORDS.reset(shell)
    sys.exit(code if isinstance(code, int) else 0)
