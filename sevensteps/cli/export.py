"""`sevensteps export`: a run as a file for others: ONNX, a model card, its history."""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path

import click

from sevensteps.cli.completion import complete_run
from sevensteps.cli.options import allow_code_option, json_option
from sevensteps.cli.output import console, print_json


@click.command(
    "export",
    epilog="\b\nsevensteps export last digits.onnx\nsevensteps export last digits.onnx --scaled\n"
    "sevensteps export last card.md\nsevensteps export last history.csv",
)
@click.argument("run", metavar="RUN", shell_complete=complete_run)
@click.argument("file", metavar="FILE", type=click.Path(path_type=Path))
@click.option(
    "--scaled",
    is_flag=True,
    help="ONNX: the network alone. It takes inputs that are scaled already, and gives its outputs.",
)
@click.option("--best", is_flag=True, help="ONNX: the weights of the best epoch, not the last.")
@allow_code_option("the recipe")
@json_option()
def command(
    run: str, file: Path, scaled: bool, best: bool, allow_code: bool, as_json: bool
) -> None:
    """Write RUN as one FILE: its network (.onnx), a model card (.md), or its history (.csv).

    RUN is a run folder, a name under runs/, or: last.
    """
    from sevensteps.api.export import export
    from sevensteps.api.load import load

    exported = export(
        load(run, allow_code=allow_code),
        file,
        raw=not scaled,
        which="best" if best else "last",
    )
    if as_json:
        print_json({**asdict(exported), "path": str(exported.path)})
        return
    screen = console()
    screen.print(f"{exported.path}: {exported.about}")
    if exported.difference is not None:
        screen.print(
            f"onnxruntime agrees with the network, to {exported.difference:.0e} of the largest "
            "answer"
        )
    elif file.suffix.lower() == ".onnx":
        screen.print("not compared: onnxruntime is not installed")
