"""Data for the seven steps: sources by name, arrays of your own, and what is in them.

`load("digits")`, `load("speed(noise=1.0, seed=3)")`, `from_arrays(x, y)`. Listing the sources reads
their files instead of importing them, so that `sevensteps data` answers before PyTorch could be
loaded."""

from __future__ import annotations

import dataclasses
import functools
import importlib
import inspect
import os
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

from sevensteps.errors import DataError, Error, NotationError, nearest
from sevensteps.notation import Entry, cut, offered, parse

if TYPE_CHECKING:
    from sevensteps.data.dataset import Data as Data
    from sevensteps.data.formats.arrays import from_arrays as from_arrays
    from sevensteps.data.formats.dataloader import from_loader as from_loader
    from sevensteps.data.formats.hugging_face import from_dataset as from_dataset
    from sevensteps.data.part import Part as Part
    from sevensteps.data.scaling import Scaling as Scaling
    from sevensteps.data.sources import Source as Source

__all__ = [
    "Data",
    "Part",
    "Scaling",
    "Source",
    "catalog",
    "from_arrays",
    "from_dataset",
    "from_loader",
    "load",
    "loadable",
    "source",
    "spelled",
]

FILES = (
    "builtin.digits",
    "builtin.toy",
    "builtin.small_tables",
    "formats.image_folder",
    "formats.npz",
    "formats.csv",
    "formats.parquet",
    "formats.npy",
)  # each lists its sources in __all__
HOMES = {
    "Data": "dataset",
    "Part": "part",
    "Source": "sources",
    "Scaling": "scaling",
    "from_arrays": "formats.arrays",
    "from_dataset": "formats.hugging_face",
    "from_loader": "formats.dataloader",
}
KINDS = {
    (".npz",): "npz",
    (".npy",): "npy",
    (".csv",): "csv",
    (".parquet",): "parquet",
    ("-ubyte", "-ubyte.gz"): "idx_files",
}
PATHS = (".csv", ".parquet", ".npz", ".npy", ".gz", ".png", ".jpg", ".txt", "ubyte")


@functools.cache
def catalog() -> dict[str, Entry]:
    """Every source by name, in the order of the files.

    >>> list(catalog())[:4]
    ['digits', 'digits37', 'mnist', 'mnist37']
    """
    return {
        entry.name: entry
        for file in FILES
        for entry in offered(__name__, f"{file.replace('.', '/')}.py")
    }


@functools.cache
def _homes() -> dict[str, str]:
    """The file that each source stands in."""
    return {
        entry.name: file
        for file in FILES
        for entry in offered(__name__, f"{file.replace('.', '/')}.py")
    }


def __getattr__(name: str) -> Any:
    if name in HOMES:
        return getattr(importlib.import_module(f"{__name__}.{HOMES[name]}"), name)
    if not name.startswith("_") and name in _homes():
        return getattr(importlib.import_module(f"{__name__}.{_homes()[name]}"), name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")


def source(text: str) -> Source:
    """The source that `text` spells, such as `source("circles(n=1000)")` or the path of a folder;
    nothing is loaded yet.
    """
    written = text.strip()
    if (
        "(" not in written
        and written not in catalog()
        and ("/" in written or "\\" in written or written.lower().endswith(PATHS))
    ):
        name = next(
            (name for endings, name in KINDS.items() if written.lower().endswith(endings)), None
        )
        if name is None and _is_folder(written):
            name = (
                "idx_files"
                if any(Path(written).glob("train-images-idx3-ubyte*"))
                else "image_folder"
            )
        if name is not None:
            return cast("Source", __getattr__(name)(written.rstrip("/\\") or written))
        raise NotationError(
            f"data: '{written}' is no folder of pictures, and no .csv, .parquet, .npz, .npy or "
            "IDX file; read it yourself "
            f"and use sevensteps.data.from_arrays(x, y), or name one of: {', '.join(catalog())}"
        )
    found: Source = parse(
        written,
        lambda name: globals()["__getattr__"](name),
        what="data",
        known=catalog(),
        example="digits",
    )
    return found


def _is_folder(text: str) -> bool:
    try:
        return Path(text).is_dir()
    except (OSError, ValueError):  # a name that no file can have
        return False


def spelled(text: str) -> str:
    """`text` as people type it, with the name of a folder here, or a path, as its notation: pets is
    `image_folder("pets")`.
    """
    written = text.strip()
    if "(" not in written and written not in catalog():
        if _is_folder(written):
            written += "/"
        if "/" in written or "\\" in written or written.lower().endswith(PATHS):
            return source(written).text
    return text


def loadable(text: str) -> bool:
    """Whether `text` spells a source; what was made from arrays in Python has a name only."""
    try:
        source(text)
    except Error:
        return False
    return True


def load(
    what: str | Source | Data, data_dir: str | os.PathLike[str] | None = None, **overrides: Any
) -> Data:
    """The data that `what` names, with `overrides` in place of its arguments: `load("speed",
    noise=1.0)`.

    `data_dir` is the folder where a source that reads files (mnist) looks for them. Raises
    `NotationError` for an unknown name or argument, `DataError` for data that cannot be found or
    trained on."""
    from sevensteps.data.dataset import Data
    from sevensteps.data.sources import Source

    if isinstance(what, Data):
        if overrides:
            raise NotationError(
                f"data: {what.source} is already loaded; give {', '.join(overrides)} where it is "
                "loaded"
            )
        return what
    made = source(spelled(what)) if isinstance(what, str) else what
    if not isinstance(made, Source):
        raise NotationError(
            f"data: {type(what).__name__} is no source; give a name such as 'digits', or use "
            "sevensteps.data.from_arrays(x, y)"
        )
    if overrides:
        made = _replace(made, overrides)
    try:
        return made.load(None if data_dir is None else Path(data_dir))
    except (MemoryError, OverflowError) as failure:
        raise DataError(
            f"{cut(made.text)} does not fit into memory: {failure}; ask for fewer samples"
        ) from None
    except RuntimeError as failure:
        if "allocate memory" not in str(failure):
            raise
        raise DataError(
            f"{cut(made.text)} does not fit into memory; ask for fewer samples"
        ) from None


def _replace(made: Source, overrides: dict[str, Any]) -> Source:
    name = type(made).__name__
    known = list(inspect.signature(type(made)).parameters)
    for argument in overrides:
        if argument not in known:
            raise NotationError(
                f"data: {name} has no argument '{argument}'; {nearest(argument, known)}"
            )
    changed: Source = dataclasses.replace(made, **overrides)  # type: ignore[type-var]
    return changed
