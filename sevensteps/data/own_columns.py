"""The rows of a table as they stand in its file, to be handed on beside the predictions."""

from __future__ import annotations

from pathlib import Path

from sevensteps.data.formats.csv import read_records


def own_columns(path: Path, count: int) -> list[dict[str, str]]:
    """The `count` rows of a table of predictions' inputs, by the names of its columns: as written
    in a text file, as plain texts in a Parquet file; columns without a name are numbered. Empty for
    files that are no tables.
    """
    ending = path.suffix.lower()
    if ending == ".csv":
        records = list(read_records(path))
        names = records[0] if len(records) == count + 1 else []
        rows = records[-count:]
        names = [name.strip() or f"column {at}" for at, name in enumerate(names, 1)]
        names = names or [f"column {at}" for at in range(1, max(map(len, rows)) + 1)]
        return [dict(zip(names, row, strict=False)) for row in rows]
    if ending == ".parquet":
        from sevensteps.data.formats.parquet import ParquetTable

        table = ParquetTable(path)
        columns: dict[str, list[str]] = {name: [] for name in table.names}
        for block in table.blocks(table.names):
            for name, cells in block.items():
                texts = cells.as_texts()
                columns[name] += [texts.texts[at] if at >= 0 else "" for at in texts.values]
        return [dict(zip(columns, row, strict=True)) for row in zip(*columns.values(), strict=True)]
    return []
