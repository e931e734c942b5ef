"""`sevensteps data`: list the data sets; `sevensteps data NAME`: describe one."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from sevensteps.cli.completion import complete_data
from sevensteps.cli.options import data_dir_option, json_option
from sevensteps.cli.output import WIDTH, print_json
from sevensteps.cli.picture_options import picture_options
from sevensteps.cli.table_options import table_options, with_table_options

if TYPE_CHECKING:
    from rich.console import Console, RenderableType
    from torch import Tensor

    from sevensteps.data import Data

OWN = "their own for each"  # numbers that every column has for itself
MAX_ROWS = 20  # classes or columns that are listed; the rest is only counted


@click.command(
    "data", epilog='\b\nsevensteps data\nsevensteps data digits\nsevensteps data "speed(noise=1.0)"'
)
@click.argument("name", metavar="[DATA]", required=False, shell_complete=complete_data)
@picture_options("name")
@data_dir_option()
@table_options
@json_option()
def command(name: str | None, data_dir: Path | None, table: dict[str, Any], as_json: bool) -> None:
    """List the data sets, or describe DATA: shapes, ranges, classes, their balance, inputs that
    are always zero.

    DATA is a name, such as digits, or a name with arguments, such as "speed(noise=1.0)"; or your
    own: a folder with a folder of pictures for each class, a table (.csv, .tsv, .xlsx, .parquet,
    .jsonl) or a .npy file (with --target), a .npz file, or files in MNIST's format. Of a table
    without --target the columns are shown, and which of them may be the one to predict.
    """
    from rich.console import Console

    console = Console(highlight=False, markup=False)
    console.width = min(console.width, WIDTH)
    if name is None:
        _print_list(console, as_json)
        return
    from sevensteps.cli.table_overview import print_overview, table_overview
    from sevensteps.data import load, source, to_notation

    notation = with_table_options(name, table)
    files = source(to_notation(notation))
    overview = table_overview(files)
    if overview is not None and not overview.is_chosen:
        print_overview(console, name, overview, as_json)
        return
    data = load(notation, data_dir)
    facts = data.facts()
    if as_json:
        print_json(facts | ({"table": overview.to_dict()} if overview else {}))
        return
    if overview is not None:
        print_overview(console, name, overview, False)
    for item in [
        _heading(facts),
        _properties(facts),
        *_classes(facts),
        *_columns(data, facts),
        *_drawings(console, data),
    ]:
        console.print(item)


def _print_list(console: Console, as_json: bool) -> None:
    from rich.text import Text

    from sevensteps.data.loading import NEEDED, catalog

    entries = catalog().values()
    if as_json:
        click.echo(
            json.dumps(
                [{"name": e.name, "arguments": e.arguments, "about": e.summary} for e in entries]
            )
        )
        return
    table, own = _grid(), _grid()
    for entry in entries:
        if entry.name in NEEDED:
            own.add_row(Text(NEEDED[entry.name], "bold"), Text(entry.summary))
        else:
            table.add_row(Text(entry.name, "bold"), Text(entry.summary))
    console.print(table)
    console.print(
        "\nsevensteps data NAME describes one; sevensteps train NAME trains on it. Arguments go in "
        'parentheses, as in "speed(noise=1.0, seed=3)".\n',
        style="dim",
    )
    console.print(own)
    console.print(
        "\nThese too are written after sevensteps data or sevensteps train, as in sevensteps train "
        "FILE.csv --target COLUMN.",
        style="dim",
    )


def _grid(**options: Any) -> Any:
    from rich.table import Table

    return Table(box=None, show_header=False, pad_edge=False, padding=(0, 2, 0, 0), **options)


def _heading(facts: dict[str, Any]) -> RenderableType:
    from rich.text import Text

    notes = "".join(f"\n{note}" for note in facts["notes"])
    return Text.assemble((facts["source"], "bold"), ": ", facts["about"], notes, "\n")


def _properties(facts: dict[str, Any]) -> RenderableType:
    shape, task = facts["shape"], facts["task"]
    size = " x ".join(map(str, shape)) + (
        " (channels x height x width)"
        if facts["kind"] == "image"
        else f" column{'s' if shape[0] > 1 else ''}"
    )
    rows = [
        (
            "samples",
            f"{facts['train']['count']:,} to train on, {facts['valid']['count']:,} to validate on",
        ),
        (
            "input",
            f"{size}, {facts['inputs']} number{'s' if facts['inputs'] > 1 else ''}, "
            f"{facts['dtype']}",
        ),
        ("task", f"{task['kind']}: {task['reason']}"),
        ("scaling", _scaling(facts["scaling"])),
    ]
    if facts["target_scaling"]["name"] != "none":
        rows.append(("targets", _scaling(facts["target_scaling"])))
    rows += [(f"{part} inputs", _range(facts[part]["inputs"])) for part in ("train", "valid")]
    rows += [
        (f"{part} targets", _range(facts[part]["targets"]))
        for part in ("train", "valid")
        if "targets" in facts[part]
    ]
    zero, constant = (
        facts["always_zero_inputs"],
        facts["constant_inputs"] - facts["always_zero_inputs"],
    )
    rows.append(
        (
            "always 0",
            f"{zero} of {facts['inputs']} inputs"
            + (" in the training part: they teach nothing and do no harm" if zero else ""),
        )
    )
    if constant:
        rows.append(("constant", f"{constant} more inputs in the training part"))
    if facts["duplicates"] is not None:
        rows.append(
            (
                "duplicates",
                f"{facts['duplicates']} of the validation samples have the inputs of a training "
                "sample",
            )
        )
    table = _grid()
    for label, text in rows:
        table.add_row(label, text)
    return table  # type: ignore[no-any-return]


def _scaling(scaling: dict[str, Any]) -> str:
    def number_text(values: Any) -> str:
        while isinstance(values, list) and len(values) == 1:
            values = values[0]
        if not isinstance(values, list):
            return f"{values:g}"
        return OWN

    if scaling["name"] == "none":
        return "none: raw values"
    if scaling["name"] == "unit":
        return f"unit: value / {number_text(scaling['scale'])}"
    mean, std = number_text(scaling["offset"]), number_text(scaling["scale"])
    columns = f"mean {mean}, std {std}" if mean != OWN else f"{mean} column"
    return f"standardize: (value - mean) / std, {columns}"


def _range(statistics: dict[str, float]) -> str:
    low, high, mean, std = (statistics[name] for name in ("min", "max", "mean", "std"))
    if abs(mean) <= 1e-6 * std:  # what float32 leaves of a mean that was subtracted
        mean = 0.0
    return f"{low:.4g} to {high:.4g}, mean {mean:.4g}, std {std:.4g}"


def _classes(facts: dict[str, Any]) -> list[RenderableType]:
    """The number of samples of each class, with a bar for its share of the training part."""
    from rich.text import Text

    key = next((key for key in ("classes", "labels") if key in facts["train"]), None)
    if key is None:
        return []
    classes = facts["train"][key]
    largest = max((entry["share"] for entry in classes.values()), default=0) or 1
    table = _grid()
    for name in list(classes)[:MAX_ROWS]:
        share = classes[name]["share"]
        table.add_row(
            Text(name, "bold"),
            f"{classes[name]['count']:,}",
            f"{facts['valid'][key][name]['count']:,}",
            f"{100 * share:.1f} %",
            Text("=" * round(24 * share / largest), "cyan"),
        )
    table.columns[1].justify = table.columns[2].justify = table.columns[3].justify = "right"
    title = (
        f"\n{'class' if key == 'classes' else 'label'}: samples to train on, to validate on, "
        "share of the training part"
    )
    rest = [f"and {len(classes) - MAX_ROWS} more"] if len(classes) > MAX_ROWS else []
    return [Text(title, "dim"), table, *rest]


def _columns(data: Data, facts: dict[str, Any]) -> list[RenderableType]:
    """The range of each column of a table, as it was before scaling."""
    from rich.text import Text

    if facts["kind"] == "image" or len(facts["features"]) < 2:
        return []
    from sevensteps.data.statistics import RunningStatistics
    from sevensteps.data.streaming.streamed_inputs import StreamedInputs

    x = data.train.x
    statistics = (
        x.statistics if isinstance(x, StreamedInputs) else RunningStatistics([data.scaling.undo(x)])
    )
    table = _grid()
    for name, low, high, mean, std in zip(
        facts["features"][:MAX_ROWS],
        statistics.low,
        statistics.high,
        statistics.mean,
        statistics.std(),
        strict=False,
    ):
        largest = float(max(abs(low), abs(high)))
        table.add_row(
            Text(name, "bold"),
            _range(
                {
                    "min": _clean(low, largest),
                    "max": _clean(high, largest),
                    "mean": float(mean),
                    "std": float(std),
                }
            ),
        )
    rest = len(facts["features"]) - MAX_ROWS
    return [
        Text("\ncolumn: range, mean and std of the training part, before scaling", "dim"),
        table,
        *([f"and {rest} more"] if rest > 0 else []),
    ]


def _clean(value: Tensor, largest: float) -> float:
    """`value` without the trace that scaling to float32 and back leaves of a 0."""
    return float(value) if abs(value) > 1e-6 * largest else 0.0


def _drawings(console: Console, data: Data) -> list[RenderableType]:
    """The first image of each class: gray where the terminal has colours, else in block
    characters.
    """
    from rich.columns import Columns
    from rich.text import Text

    from sevensteps.render.image import gray_thumbnail, ink_thumbnail

    if data.kind != "image" or data.task.kind not in ("binary", "multiclass"):
        return []
    labels = data.train.y.reshape(-1).long()
    colours = (
        console.is_terminal
        and console.color_system in ("256", "truecolor")
        and not console.options.ascii_only
    )
    drawings = []
    for index, name in enumerate(data.task.classes[: MAX_ROWS // 2]):
        image = data.train.x[int((labels == index).nonzero()[0])]
        drawing = (
            gray_thumbnail(image)
            if colours
            else Text(ink_thumbnail(image, ascii_only=console.options.ascii_only))
        )
        drawings.append(Text.assemble((f"{name}:\n", "bold"), drawing))
    return [Text("\nthe first sample of each class", "dim"), Columns(drawings, padding=(0, 2))]
