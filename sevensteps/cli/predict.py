"""`sevensteps predict`: what a run's network answers to new inputs."""

from __future__ import annotations

import csv
import io
import os
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from sevensteps.cli.completion import complete_run
from sevensteps.cli.options import allow_code_option, json_option
from sevensteps.cli.output import console, print_error, print_json, table
from sevensteps.errors import printable

if TYPE_CHECKING:
    from torch import Tensor

    from sevensteps.api.run import Answers, Run

STDIN = Path("-")  # or, as a file to write, standard output
MAX_CLASSES = 3  # whose probabilities are printed
MOST_ON_SCREEN, FIRST_ON_SCREEN = 60, 20  # rows


@click.command(
    "predict",
    epilog="\b\nsevensteps predict last seven.png\nsevensteps predict last --best flowers.csv\n"
    "sevensteps predict last photos --out answers.csv\n"
    "sevensteps predict last - < new.csv > answers.csv\n"
    "sevensteps predict runs/NAME scan.jpg --resize --invert",
)
@click.argument("run", metavar="RUN", shell_complete=complete_run)
@click.argument(
    "files",
    metavar="FILE...",
    nargs=-1,
    required=True,
    type=click.Path(path_type=Path, allow_dash=True),
)
@click.option(
    "--best", is_flag=True, help="Use the weights of the best epoch, not those of the last."
)
@click.option(
    "--out",
    metavar="FILE",
    type=click.Path(path_type=Path, allow_dash=True),
    help="Write a CSV: a table's own columns, or the picture's path, then prediction and "
    "probability. - is standard output.",
)
@click.option(
    "--resize", is_flag=True, help="Resize pictures to the size that the network was trained on."
)
@click.option(
    "--invert",
    is_flag=True,
    help="Invert pictures: dark on light becomes light on dark, as in MNIST.",
)
@allow_code_option("the recipe")
@json_option("Print JSON, one line for each sample.")
def command(
    run: str,
    files: tuple[Path, ...],
    best: bool,
    out: Path | None,
    resize: bool,
    invert: bool,
    allow_code: bool,
    as_json: bool,
) -> None:
    """Predict with the network of RUN. A FILE is a picture, a folder of pictures, a table with a
    row for each sample, a .npy array, or - for a CSV from standard input.

    RUN is a run folder, a name under runs/, or: last. Inputs are raw: they are scaled as they were
    in the training; so are pictures in size, where those trained on were a folder.
    """
    from sevensteps.api.load import load

    if as_json and out is not None:
        raise click.UsageError("--json prints JSON, and --out writes a CSV; choose one")
    loaded = load(run, allow_code=allow_code)
    resize = resize or loaded.recipe.source.startswith("image_folder(")
    notes: list[str] = []
    rows: list[dict[str, Any]] = []
    for path in files:
        for names, raw, own in _samples_of_run(run, path, loaded, resize, invert, notes):
            answers = loaded.predict(raw, "best" if best else "last")
            rows += [
                {"file": str(path), "sample": name, **_answer(loaded, answers, index)}
                | ({"row": own[index]} if own else {})
                for index, name in enumerate(names)
            ]
    for note in notes:
        print_error(printable(note))
    if as_json:
        for row in rows:
            print_json(row)
    elif out is not None or STDIN in files:
        _write(rows, out or STDIN)
    else:
        print_run(loaded, "best" if best else "last")
        _print(rows)


def print_run(run: Run, weights: str) -> None:
    """Print which run answers: `last` may be another than was thought of."""
    recipe, epoch = run.recipe, run.best.epoch if weights == "best" else run.outcome.epochs
    print_error(
        f"Answered by {run.folder}: {recipe.predict!r} trained on {recipe.source}, epoch {epoch}",
        speaker="",
    )


def _samples_of_run(
    name: str, path: Path, run: Run, *options: Any
) -> Iterator[tuple[list[str], Tensor, list[dict[str, str]]]]:
    """The samples of one file or folder; what is refused names the run where `last` was typed."""
    from sevensteps.errors import DataError

    try:
        yield from _samples(path, run, *options)
    except DataError as failure:
        if name != "last":
            raise
        source = run.recipe.source
        raise DataError(f"{failure} (last is {run.folder}, trained on {source})") from None


def _samples(
    path: Path, run: Run, resize: bool, invert: bool, notes: list[str]
) -> Iterator[tuple[list[str], Tensor, list[dict[str, str]]]]:
    """The samples of one file or folder, some at a time: names, raw inputs, and of a table its
    rows.
    """
    from sevensteps.data.formats.image_file import IMAGE_ENDINGS
    from sevensteps.data.new_pictures import PictureFolder
    from sevensteps.data.own_columns import own_columns
    from sevensteps.data.prediction_inputs import read_inputs

    if path == STDIN:
        with tempfile.TemporaryDirectory() as folder:
            copy = Path(folder, "standard input.csv")
            copy.write_bytes(sys.stdin.buffer.read())
            names, raw = read_inputs(copy, run.inputs)
            yield names, raw, own_columns(copy, len(names))
    elif os.path.isdir(path):
        pictures = PictureFolder(path, run.inputs, resize=resize, invert=invert)
        for names, raw in pictures.blocks():
            yield names, raw, []
        notes += pictures.report()
    else:
        names, raw = read_inputs(path, run.inputs, resize=resize, invert=invert)
        is_picture = path.suffix.lower() in IMAGE_ENDINGS
        own = own_columns(path, len(names)) if not is_picture else []
        yield ([str(path)] if is_picture else names), raw, own


def _write(rows: list[dict[str, Any]], out: Path) -> None:
    """Write the predictions as a CSV, whole or not at all; `-` is standard output."""
    from sevensteps.record.run_folder import write

    columns = list(dict.fromkeys(name for row in rows for name in row.get("row", {})))
    if any("row" not in row for row in rows):
        columns = ["sample", *columns]
    prediction, probability = (_free(name, columns) for name in ("prediction", "probability"))
    has_shares = any("probabilities" in row for row in rows)
    content = io.StringIO(newline="")
    writer = csv.writer(content, lineterminator="\n")
    writer.writerow([*columns, prediction, *([probability] if has_shares else [])])
    for row in rows:
        own = {"sample": row["sample"], **row.get("row", {})}
        cells = [own.get(name, "") for name in columns]
        writer.writerow([*cells, _text(row["answer"]), *([_share(row)] if has_shares else [])])
    if out == STDIN:
        click.echo(content.getvalue(), nl=False)
        return
    write(out, content.getvalue().encode())
    click.echo(f"{len(rows):,} prediction{'s' if len(rows) != 1 else ''} written to {out}")


def _free(name: str, columns: list[str]) -> str:
    """A name that no column has yet."""
    while name in columns:
        name = f"{name}_of_run"
    return name


def _share(row: dict[str, Any]) -> str:
    """The probability of the class that was predicted; of several labels the smallest one."""
    shares, answer = row["probabilities"], row["answer"]
    if isinstance(answer, tuple):
        return f"{min((shares[name] for name in answer), default=1.0):.6f}"
    return f"{shares[answer]:.6f}"


def _print(rows: list[dict[str, Any]]) -> None:
    """Print the answers; on a terminal only the first of very many."""
    probable, total = "probabilities" in rows[0], len(rows)
    screen = console()
    if screen.is_terminal and total > MOST_ON_SCREEN:
        rows = rows[:FIRST_ON_SCREEN]
    screen.print(
        table(
            (
                [
                    row["sample"],
                    f"{row['answer']:#.6g}"  # with as many digits in each row
                    if isinstance(row["answer"], float)
                    else _text(row["answer"]),
                    *([_most_likely(row["probabilities"])] if probable else []),
                ]
                for row in rows
            ),
            header=["sample", "answer", *(["most likely"] if probable else [])],
            right=[1] if isinstance(rows[0]["answer"], float) else [],
        )
    )
    if len(rows) < total:
        screen.print(f"and {total - len(rows):,} more; all of them in a file: --out answers.csv")


def _answer(run: Run, answers: Answers, index: int) -> dict[str, Any]:
    row: dict[str, Any] = {
        "answer": answers.answers[index],
        "output": answers.outputs[index].tolist(),
    }
    if run.output.link == "identity":
        return row
    shares, classes = answers.predictions[index].tolist(), run.output.task.classes
    if len(shares) == 1 and len(classes) == 2:  # one output: the probability of the second class
        shares = [1 - shares[0], shares[0]]
    return {**row, "probabilities": dict(zip(classes, shares, strict=True))}


def _text(answer: Any) -> str:
    if isinstance(answer, tuple):
        return ", ".join(map(_text, answer)) or "none"
    return f"{answer:.6g}" if isinstance(answer, float) else str(answer)


def _most_likely(probabilities: dict[str, float]) -> str:
    first = sorted(probabilities.items(), key=lambda item: -item[1])[:MAX_CLASSES]
    return "  ".join(f"{name} {share:.3f}" for name, share in first)
