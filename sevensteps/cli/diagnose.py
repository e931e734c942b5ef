"""`sevensteps diagnose`: what is wrong with a training, and what to change."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import click

from sevensteps.cli.completion import complete_run
from sevensteps.cli.options import allow_code_option, data_dir_option, json_option
from sevensteps.cli.output import print_json, status

if TYPE_CHECKING:
    from sevensteps.doctor.diagnosis import Diagnosis


@click.command(
    "diagnose",
    epilog="\b\nsevensteps diagnose last\nsevensteps diagnose runs/NAME --try\n"
    "sevensteps diagnose runs/NAME --check\nsevensteps diagnose FOLDER --sarif findings.sarif",
)
@click.argument("run", metavar="RUN", shell_complete=complete_run)
@click.option(
    "--try",
    "trying",
    is_flag=True,
    help="Test the remedies: train with and without each, on the same seed and on new ones, and "
    "with random changes of the same size.",
)
@click.option(
    "--budget",
    type=float,
    default=60.0,
    show_default=True,
    metavar="SECONDS",
    help="How long --try may take.",
)
@click.option("--check", is_flag=True, help="Exit with code 1 if a finding has severity error.")
@click.option(
    "--sarif",
    type=click.Path(path_type=Path),
    metavar="FILE",
    help="Also write the findings into this file, in SARIF 2.1.0.",
)
@data_dir_option()
@allow_code_option("the recipe")
@json_option()
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
    """Find out what is wrong with the training in RUN: the cause, the step to blame, the evidence,
    and what to change.

    RUN is a run folder, a name under runs/, or: last; or a folder that watch.save wrote, on this
    machine or another.
    """
    from sevensteps.api.diagnose import diagnose
    from sevensteps.doctor.case_folder import write_findings
    from sevensteps.record.run_folder import find_diagnosed

    folder = find_diagnosed(run)  # now: after the trials, `last` may be another run
    diagnosis = diagnose(folder, allow_code=allow_code)
    no_remedy = interrupted = False
    if trying:
        with status() as report:
            try:
                trials = diagnosis.try_remedies(budget=budget, data_dir=data_dir, report=report)
                no_remedy = not trials
            except KeyboardInterrupt:
                interrupted = True
    if as_json:
        print_json(diagnosis.to_dict())
    else:
        click.echo(str(diagnosis))
    if no_remedy:
        click.echo("There is no remedy to try.", err=True)
    if trying:
        write_findings(folder, diagnosis.to_dict())
    if sarif is not None:
        _write_sarif(sarif, diagnosis)
    if interrupted:
        sys.exit(130)
    if check and diagnosis.errors:
        sys.exit(1)


def _write_sarif(path: Path, diagnosis: Diagnosis) -> None:
    from sevensteps.record.run_folder import write

    text = json.dumps(diagnosis.to_sarif(), indent=2, ensure_ascii=False)
    write(path, f"{text}\n".encode())
