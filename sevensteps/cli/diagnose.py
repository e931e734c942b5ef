"""`sevensteps diagnose`: what is wrong with a training, which step is to blame, and what to
change.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import click

from sevensteps.cli.output import print_json, status

if TYPE_CHECKING:
    from sevensteps.doctor.diagnosis import Diagnosis


@click.command(
    "diagnose",
    epilog="\b\nsevensteps diagnose last\nsevensteps diagnose runs/NAME --try\n"
    "sevensteps diagnose runs/NAME --check\nsevensteps diagnose FOLDER --sarif findings.sarif",
)
@click.argument("run", metavar="RUN")
@click.option(
    "--try",
    "trying",
    is_flag=True,
    help="Prove the remedies: train again with and without each, on the same seed and on new "
    "ones, and with random changes of the same size.",
)
@click.option(
    "--budget", type=float, default=60.0, show_default=True, help="Seconds that --try may take."
)
@click.option(
    "--check", is_flag=True, help="Leave with exit code 1 if there is a finding of severity error."
)
@click.option(
    "--sarif",
    type=click.Path(path_type=Path),
    help="Write the findings into this file, in SARIF 2.1.0.",
)
@click.option(
    "--data-dir", type=click.Path(path_type=Path), help="Folder with the files of MNIST, for --try."
)
@click.option(
    "--allow-code", is_flag=True, help="Let the run import the Python code that its recipe names."
)
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
def command(
    run: str,
    trying: bool,
    budget: float,
    check: bool,
    sarif: Path | None,
    data_dir: Path | None,
    allow_code: bool,
    as_json: bool,
) -> None:
    """What is wrong with the training in RUN: the cause, the step to blame, the evidence, what to
    change.

    RUN is a run folder, a name under runs/, last, or a folder that watch.save wrote, here or on
    another machine."""
    from sevensteps.api.diagnose import diagnose
    from sevensteps.doctor.case_folder import remember
    from sevensteps.record.run_folder import diagnosed

    folder = diagnosed(run)  # by the end of the trials, `last` may be another
    found = diagnose(folder, allow_code=allow_code)
    nothing = interrupted = False
    if trying:
        with status() as report:
            try:
                nothing = not found.try_remedies(budget=budget, data_dir=data_dir, report=report)
            except KeyboardInterrupt:
                interrupted = True
    if as_json:
        print_json(found.to_dict())
    else:
        click.echo(str(found))
    if nothing:
        click.echo("There is no remedy to try.", err=True)
    if trying:
        remember(folder, found)
    if sarif is not None:
        _write(sarif, found)
    if interrupted:
        sys.exit(130)
    if check and found.errors:
        sys.exit(1)


def _write(path: Path, found: Diagnosis) -> None:
    from sevensteps.record.run_folder import write

    write(path, (json.dumps(found.to_sarif(), indent=2, ensure_ascii=False) + "\n").encode())
