"""`sevensteps diagnose`: what is wrong with a training, which step is to blame, and what to change."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import click

from sevensteps.cli.screen import print_json

if TYPE_CHECKING:
    from sevensteps.doctor.diagnosis import Diagnosis


@click.command("diagnose", epilog="\b\nsevensteps diagnose last\nsevensteps diagnose runs/NAME --check\n"
               "sevensteps diagnose FOLDER --sarif findings.sarif")
@click.argument("run", metavar="RUN")
@click.option("--check", is_flag=True, help="Leave with exit code 1 if there is a finding of severity error.")
@click.option("--sarif", type=click.Path(path_type=Path), help="Write the findings into this file, in SARIF 2.1.0.")
@click.option("--allow-code", is_flag=True, help="Let the run import the Python code that its recipe names.")
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
def command(run: str, check: bool, sarif: Path | None, allow_code: bool, as_json: bool) -> None:
    """What is wrong with the training in RUN: the cause, the step to blame, the evidence, what to change.

    RUN is a run folder, a name under runs/, last, or a folder that watch.save wrote, here or on another machine.
    """
    from sevensteps.run import diagnose

    found = diagnose(run, allow_code=allow_code)
    if sarif is not None:
        _write(sarif, found)
    if as_json:
        print_json(found.to_dict())
    else:
        click.echo(str(found))
    if check and found.errors:
        sys.exit(1)


def _write(path: Path, found: Diagnosis) -> None:
    from sevensteps.record.folder import write

    write(path, (json.dumps(found.to_sarif(), indent=2, ensure_ascii=False) + "\n").encode())
