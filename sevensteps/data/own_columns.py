"""The rows of a table as they stand in its file, to be handed on beside the predictions."""

from __future__ import annotations

from pathlib import Path

from sevensteps.data.formats.delimited import find_separator, read_records
from sevensteps.data.formats.json_lines import read_json
from sevensteps.data.loading import SOURCE_OF_ENDING
from sevensteps.data.table.table import Table


def own_columns(path: Path, count: int) -> list[dict[str, str]]:
    """The `count` rows of a table of new inputs, by the names of its columns: as written in a text
    file, else as plain texts; columns without a name are numbered. Empty for files that are no
    tables.
    """
    name = path.name.lower()
    source = next((kind for end, kind in SOURCE_OF_ENDING.items() if name.endswith(end)), None)
    if source == "csv":
        return _text_rows(path, count)
    if source == "parquet":
        from sevensteps.data.formats.parquet import ParquetTable

        return _rows(ParquetTable(path))
    if source == "excel":
        from sevensteps.data.formats.excel import read_workbook

        return _rows(read_workbook(path))
    return _rows(read_json(path)) if source == "json_lines" else []


def _text_rows(path: Path, count: int) -> list[dict[str, str]]:
    records = list(read_records(path, find_separator(path)))
    rows = records[-count:]
    names = [cell.strip() for cell in records[-count - 1]] if len(records) > count else []
    width = max(map(len, [names, *rows]))
    columns = [name or f"column {at}" for at, name in enumerate(names + [""] * width, 1)][:width]
    return [dict(zip(columns, row + [""] * width, strict=False)) for row in rows]


def _rows(table: Table) -> list[dict[str, str]]:
    columns: dict[str, list[str]] = {name: [] for name in table.names}
    for block in table.blocks(table.names):
        for name, cells in block.items():
            texts = cells.as_texts()
            columns[name] += [texts.texts[at] if at >= 0 else "" for at in texts.values]
    return [dict(zip(columns, row, strict=True)) for row in zip(*columns.values(), strict=True)]
