"""From a name, a path or a call as text to a source, and from a source to `Data`.

`SOURCE_MODULES` is the table of all sources. Listing them reads their files instead of importing
them, so that `sevensteps data` answers before PyTorch could be loaded.
"""

from __future__ import annotations

import dataclasses
import functools
import importlib
import inspect
import os
from pathlib import Path
from typing import TYPE_CHECKING, Any

from sevensteps.errors import DataError, Error, NotationError, nearest
from sevensteps.notation import Entry, cut, offered, parse

if TYPE_CHECKING:
    from sevensteps.data.dataset import Data
    from sevensteps.data.sources import Source

# each lists its sources in __all__; a new source is one more row
SOURCE_MODULES: tuple[str, ...] = (
    "sevensteps.data.builtin.digits",
    "sevensteps.data.builtin.toy",
    "sevensteps.data.builtin.small_tables",
    "sevensteps.data.builtin.logic",
    "sevensteps.data.formats.image_folder",
    "sevensteps.data.formats.npz",
    "sevensteps.data.formats.csv",
    "sevensteps.data.formats.parquet",
    "sevensteps.data.formats.excel",
    "sevensteps.data.formats.json_lines",
    "sevensteps.data.formats.npy",
    "sevensteps.data.formats.idx_files",
)
TEXT_TABLES = (".csv", ".tsv", ".tab", ".txt", ".dat", ".data", ".csv.gz", ".tsv.gz", ".txt.gz")
SOURCE_OF_ENDING = {
    ".npz": "npz",
    ".npy": "npy",
    **dict.fromkeys(TEXT_TABLES, "csv"),
    ".parquet": "parquet",
    **dict.fromkeys((".xlsx", ".xlsm"), "excel"),
    **dict.fromkeys((".jsonl", ".ndjson", ".json", ".jsonl.gz", ".json.gz"), "json_lines"),
    "-ubyte": "idx_files",
    "-ubyte.gz": "idx_files",
}
GATES = ("and", "or", "not", "nand", "nor")  # short for logic("and"), …
NEEDED = {  # by the sources whose name alone is not enough: what to write at a shell in its place
    "logic": "and",
    "image_folder": "FOLDER",
    "npz": "FILE.npz",
    "csv": "FILE.csv --target COLUMN",
    "parquet": "FILE.parquet --target COLUMN",
    "excel": "FILE.xlsx --target COLUMN",
    "json_lines": "FILE.jsonl --target COLUMN",
    "npy": "FILE.npy --target FILE.npy",
    "idx_files": "FOLDER",
}
# endings of what is surely meant as a path, though some of these no source reads
PATH_ENDINGS = (*SOURCE_OF_ENDING, ".gz", ".png", ".jpg", ".xls", "ubyte")


@functools.cache
def _entries(modules: tuple[str, ...]) -> dict[str, tuple[str, Entry]]:
    """By the name of each source: the module it stands in, and what its file says of it."""
    entries = {}
    for module in modules:
        package, _, file = module.rpartition(".")
        for entry in offered(package, f"{file}.py"):
            entries[entry.name] = module, entry
    return entries


def catalog() -> dict[str, Entry]:
    """Every source by name, with its arguments and documentation, in the order of the table.

    >>> list(catalog())[:4]
    ['digits', 'digits37', 'mnist', 'mnist37']
    """
    return {name: entry for name, (_, entry) in _entries(SOURCE_MODULES).items()}


def source_class(name: str) -> Any:
    """The class of the source called `name`; its module is imported now."""
    return getattr(importlib.import_module(_entries(SOURCE_MODULES)[name][0]), name)


def source(text: str) -> Source:
    """The source that `text` names: `source("circles(n=1000)")`, or the path of a file or folder.

    Nothing is loaded yet. Raises `NotationError` for a name, argument or path that is none.
    """
    text = _proper_name(text.strip())
    if _is_path(text):
        name = _source_of_path(text)
        if name is None:
            raise NotationError(
                f"data: '{text}' is no folder of pictures, and no .csv, .xlsx, .parquet, .jsonl, "
                ".npz, .npy or IDX file; read it yourself and use "
                "sevensteps.data.from_arrays(x, y), or name "
                f"one of: {', '.join(catalog())}"
            )
        of_path: Source = source_class(name)(text.rstrip("/\\") or text)
        return of_path
    if text in NEEDED:
        words = f"one of {', '.join(GATES)}" if text == "logic" else NEEDED[text]
        raise NotationError(
            f"data: {text} alone names no data; write {words}, or as a call: "
            f"{text}({catalog()[text].arguments})"
        )
    if "(" not in text and text not in catalog() and (file := _file_of_name(text)):
        raise NotationError(f"data has no '{cut(text)}'; did you mean the file {file}?")
    by_name: Source = parse(text, source_class, what="data", known=catalog(), example="digits")
    return by_name


def _proper_name(text: str) -> str:
    """A gate as a call, and a name in capitals as it is written: `XOR` is xor."""
    name = text.lower()
    if name in GATES:
        return f'logic("{name}")'
    return name if name in catalog() else text


def _is_path(text: str) -> bool:
    return (
        "(" not in text
        and text not in catalog()
        and ("/" in text or "\\" in text or text.lower().endswith(PATH_ENDINGS))
    )


def _source_of_path(path: str) -> str | None:
    for ending, name in SOURCE_OF_ENDING.items():
        if path.lower().endswith(ending):
            return name
    if not _is_folder(path):
        return None
    has_idx_files = any(Path(path).glob("train-images-idx3-ubyte*"))
    return "idx_files" if has_idx_files else "image_folder"


def _file_of_name(text: str) -> str | None:
    """The file here that is called like `text` and an ending that can be read."""
    for ending in SOURCE_OF_ENDING:
        try:
            if ending.startswith(".") and Path(text + ending).is_file():
                return text + ending
        except (OSError, ValueError):  # a name that no file can have
            return None
    return None


def _is_folder(text: str) -> bool:
    try:
        return Path(text).is_dir()
    except (OSError, ValueError):  # a name that no file can have
        return False


def to_notation(text: str) -> str:
    """`text` as people type it, with a path or the name of a folder written as a call.

    With a folder `pets` here, "pets" is `image_folder("pets")`; "pets.csv" is `csv("pets.csv")`.
    """
    path = text.strip()
    if "(" not in path and path not in catalog() and _is_folder(path):
        path += "/"
    return source(path).text if _is_path(path) else text


def is_loadable(text: str) -> bool:
    """Whether `text` names a source; data made from arrays in Python have a name only."""
    try:
        source(text)
    except Error:
        return False
    return True


def load(
    what: str | Source | Data, data_dir: str | os.PathLike[str] | None = None, **overrides: Any
) -> Data:
    """The data that `what` names, with `overrides` in place of its arguments.

    `load("speed", noise=1.0)` is `load("speed(noise=1.0)")`. `data_dir` is the folder where a
    source that reads files (mnist) looks for them. Raises `NotationError` for an unknown name or
    argument, `DataError` for data that cannot be found or trained on.
    """
    from sevensteps.data.dataset import Data
    from sevensteps.data.sources import Source
    from sevensteps.seeds import preserved_python_state

    if isinstance(what, Data):
        if overrides:
            raise NotationError(
                f"data: {what.source} is already loaded; give {', '.join(overrides)} where it is "
                "loaded"
            )
        return what
    chosen = source(to_notation(what)) if isinstance(what, str) else what
    if not isinstance(chosen, Source):
        raise NotationError(
            f"data: {type(what).__name__} is no source; give a name such as 'digits', or use "
            "sevensteps.data.from_arrays(x, y)"
        )
    if overrides:
        chosen = _with_arguments(chosen, overrides)
    try:
        with preserved_python_state():
            return chosen.load(None if data_dir is None else Path(data_dir))
    except (MemoryError, OverflowError) as failure:
        raise DataError(
            f"{cut(chosen.text)} does not fit into memory: {failure}; ask for fewer samples"
        ) from None
    except RuntimeError as failure:
        if "allocate memory" not in str(failure):
            raise
        raise DataError(
            f"{cut(chosen.text)} does not fit into memory; ask for fewer samples"
        ) from None


def _with_arguments(original: Source, arguments: dict[str, Any]) -> Source:
    """`original` with other values of some of its arguments."""
    name = type(original).__name__
    known = list(inspect.signature(type(original)).parameters)
    for argument in arguments:
        if argument not in known:
            raise NotationError(
                f"data: {name} has no argument '{argument}'; {nearest(argument, known)}"
            )
    changed: Source = dataclasses.replace(original, **arguments)  # type: ignore[type-var]
    return changed
