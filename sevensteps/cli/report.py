"""`sevensteps report`: a run as one HTML file that opens anywhere."""

from __future__ import annotations

from pathlib import Path

import click

from sevensteps.cli.completion import complete_run
from sevensteps.cli.options import allow_code_option, data_dir_option, json_option
from sevensteps.cli.output import print_error, print_json, status


@click.command(
    "report",
    epilog="\b\nsevensteps report last\nsevensteps report last -o digits.html\n"
    "sevensteps report runs/ONE runs/OTHER -o both.html",
)
@click.argument("runs", metavar="RUN...", nargs=-1, required=True, shell_complete=complete_run)
@click.option(
    "-o",
    "--out",
    "file",
    type=click.Path(path_type=Path),
    metavar="FILE.html",
    help="The file to write; report.html in the run folder by default.",
)
@data_dir_option()
@allow_code_option("the recipe")
@json_option()
def command(
    runs: tuple[str, ...], file: Path | None, data_dir: Path | None, allow_code: bool, as_json: bool
) -> None:
    """Write RUN as a page: what is wrong and why, its curves, layers, samples and data, and how to
    repeat it. One file, which opens anywhere, without a network.

    RUN is a run folder, a name under runs/, or: last; the folder of a race, or one that watch.save
    wrote. Several runs are compared.
    """
    from sevensteps.api.report import write_report

    path = file if file is not None else _default_file(runs)
    with status() as line:
        report = line if line.screen.is_terminal else None  # a file is not told of progress
        document = write_report(runs, path, data_dir=data_dir, allow_code=allow_code, report=report)
    if as_json:
        verdict = document.get("verdict", {})
        print_json(
            {
                "path": str(path),
                "kind": document["kind"],
                "bytes": path.stat().st_size,
                "sentence": verdict.get("sentence"),
                "state": verdict.get("state"),
                "missing": document.get("missing", {}),
            }
        )
        return
    if sentence := document.get("verdict", {}).get("sentence"):
        click.echo(sentence)
    for part, why in document.get("missing", {}).items():
        print_error(f"without {part}: {why}", speaker="")
    click.echo(f"{path}")


def _default_file(runs: tuple[str, ...]) -> Path:
    """`report.html` in the folder of the run, or here for several."""
    if len(runs) > 1:
        return Path("report.html")
    from sevensteps.record.run_folder import find_diagnosed

    folder = Path(runs[0])
    is_race = (folder / "race.json").is_file()
    return (folder if is_race else find_diagnosed(runs[0])) / "report.html"
