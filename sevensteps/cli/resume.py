"""`sevensteps resume`: go on with a training that was interrupted or killed."""

from __future__ import annotations

import sys
from pathlib import Path

import click

from sevensteps.cli.output import print_json
from sevensteps.cli.train import Lines, Plan, result


@click.command(
    "resume",
    epilog="\b\nsevensteps resume last\nsevensteps resume runs/20260101-120000-digits\n"
    'sevensteps resume last --stop "epochs(50)"',
)
@click.argument("run")
@click.option(
    "--stop",
    metavar="VALUE",
    help="Go on until this, rather than what was asked first; also of a training that has "
    "finished.",
)
@click.option("--data-dir", type=click.Path(path_type=Path), help="Folder with the files of MNIST.")
@click.option(
    "--save-every",
    type=float,
    default=30.0,
    show_default=True,
    metavar="SECONDS",
    help="How often the state is saved.",
)
@click.option(
    "--allow-code", is_flag=True, help="Let the recipe import the Python code that it names."
)
@click.option(
    "--json",
    "as_json",
    is_flag=True,
    help="Print JSON: a line per epoch, the whole result in the last line.",
)
def command(
    run: str,
    stop: str | None,
    data_dir: Path | None,
    save_every: float,
    allow_code: bool,
    as_json: bool,
) -> None:
    """Go on with the training in the run folder RUN, to the same bits as if it had never stopped.

    RUN is a folder, a name under runs/, or last. A state is saved every 30 seconds, on Ctrl-C, and
    at the end."""
    from sevensteps.api.resume import resume
    from sevensteps.engine.distributed.process_group import join

    gone_on = resume(
        run,
        stop=stop,
        data_dir=data_dir,
        allow_code=allow_code,
        save_every=save_every,
        progress=not as_json,
        observers=[Lines()] if as_json else [Plan()],
        say=lambda text: click.echo(f"sevensteps: {text}", err=True),
    )
    leads = join().leads
    if leads and as_json:
        print_json(gone_on.summary)
    elif leads:
        result(gone_on)
    if gone_on.summary["stop"]["rule"] == "interrupt":
        sys.exit(130)
