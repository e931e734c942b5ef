"""`sevensteps resume`: go on with a training that was interrupted."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

from sevensteps.cli.completion import complete_run
from sevensteps.cli.guesses import guess_options, understand
from sevensteps.cli.options import (
    allow_code_option,
    data_dir_option,
    json_option,
    save_every_option,
)
from sevensteps.cli.output import print_error


def _stop_guesses(function: Any) -> Any:
    for option in guess_options("stop"):
        function = option(function)
    return function


@click.command(
    "resume",
    epilog="\b\nsevensteps resume last\nsevensteps resume runs/20260101-120000-digits\n"
    'sevensteps resume last --stop "epochs(50)"',
)
@click.argument("run", metavar="RUN", shell_complete=complete_run)
@click.option(
    "--stop",
    metavar="VALUE",
    help="Train until this, in place of the recipe's stop; also for a training that has finished.",
)
@_stop_guesses
@data_dir_option()
@save_every_option()
@allow_code_option("the recipe")
@json_option("Print JSON: a line per epoch, and the whole result in the last line.")
def command(
    run: str,
    stop: str | None,
    data_dir: Path | None,
    save_every: float,
    allow_code: bool,
    as_json: bool,
    **guesses: tuple[str, ...],
) -> None:
    """Continue the training in RUN. The result is bit-identical to that of a training that
    was never stopped.

    RUN is a run folder, a name under runs/, or: last. The state is also saved on Ctrl-C, and at the
    end.
    """
    from sevensteps.api.resume import resume
    from sevensteps.cli.training_output import JsonLines, PlanPrinter, print_end
    from sevensteps.engine.distributed.process_group import join

    finished = resume(
        run,
        stop=understand({"stop": stop}, guesses, many=False)["stop"],
        data_dir=data_dir,
        allow_code=allow_code,
        save_every=save_every,
        progress=not as_json,
        observers=[JsonLines()] if as_json else [PlanPrinter()],
        say=print_error,
    )
    print_end(finished, as_json, join().leads)
