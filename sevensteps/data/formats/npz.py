"""Arrays of your own in one .npz file."""

from __future__ import annotations

import warnings
import zipfile
from dataclasses import KW_ONLY
from pathlib import Path

import numpy

from sevensteps.arguments import number, one_of, whole
from sevensteps.data.dataset import Data
from sevensteps.data.formats.arrays import from_arrays
from sevensteps.data.formats.image_folder import MAX_BYTES
from sevensteps.data.formats.picture_file import why
from sevensteps.data.scaling import SCALINGS
from sevensteps.data.sources import Source
from sevensteps.errors import DataError
from sevensteps.notation import value

__all__ = ["npz"]

PAIRS = (
    (("x", "y"), ("x_valid", "y_valid")),
    (("x_train", "y_train"), ("x_test", "y_test")),
)  # names in an archive


@value
class npz(Source):
    """arrays of your own in one file, as numpy.savez writes it

    Arrays named `x` and `y`, and `x_valid` and `y_valid` where a part to judge by is given, or the
    names of Keras's files: `x_train`, `y_train`, `x_test`, `y_test`. What they may be says
    `from_arrays`; pictures with the channels last are turned. Scale: pixels / 255 for pictures,
    columns of a table standardised. Source: numpy.savez."""

    path: str
    _: KW_ONLY
    valid: float = 0.2
    scale: str = "default"
    target_scale: str = "none"
    seed: int = 0

    def __post_init__(self) -> None:
        vars(self).update(path=str(self.path))
        number("valid", self.valid, above=0, below=1)
        one_of("scale", self.scale, ("default", *SCALINGS))
        one_of("target_scale", self.target_scale, ("none", "standardize"))
        whole("seed", self.seed)

    def load(self, data_dir: Path | None = None) -> Data:
        held = _archive(Path(self.path))
        train, judged = next(
            (pair for pair in PAIRS if all(name in held for name in pair[0])), (None, None)
        )
        if train is None or judged is None:
            raise DataError(
                f"{self.path}: holds {', '.join(sorted(held)) or 'nothing'}; name the arrays x "
                "and y"
            )
        if (judged[0] in held) != (judged[1] in held):
            raise DataError(
                f"{self.path}: holds only one of {judged[0]} and {judged[1]}; give both or none"
            )
        x, y = (held[name] for name in train)
        pair = (_first(held[judged[0]]), held[judged[1]]) if judged[0] in held else None
        scale = ("unit" if x.ndim > 2 else "standardize") if self.scale == "default" else self.scale
        return from_arrays(
            _first(x),
            y,
            valid=pair or self.valid,
            scale=scale,
            target_scale=self.target_scale,
            seed=self.seed,
            name=self.text,
        )


def _first(x: numpy.ndarray) -> numpy.ndarray:
    """Pictures with their channels first."""
    return (
        x.transpose(0, 3, 1, 2)
        if x.ndim == 4 and x.shape[3] in (1, 3) and x.shape[1] not in (1, 3)
        else x
    )


def _archive(path: Path) -> dict[str, numpy.ndarray]:
    """The arrays in a .npz; sizes are checked before memory is taken. Raises `DataError`."""
    if not path.is_file():
        raise DataError(f"{path}: there is no such file; give a .npz that numpy.savez wrote")
    try:
        with zipfile.ZipFile(path) as archive:
            unpacked = sum(member.file_size for member in archive.infolist())
        if unpacked > MAX_BYTES:
            raise DataError(
                f"{path}: unpacks to {unpacked / 2**30:.1f} GB; at most {MAX_BYTES >> 30} are read"
            )
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # of headers that Python 2 wrote
            with numpy.load(path, allow_pickle=False) as found:
                held = {name: found[name] for name in found.files}
    except DataError:
        raise
    except (
        Exception
    ) as failure:  # headers are read as Python, and let out whatever error that leads to
        raise DataError(f"{path}: cannot be read as a .npz: {why(failure)}") from None
    for name, array in held.items():
        if not isinstance(array, numpy.ndarray):  # a member that is no .npy comes as its bytes
            raise DataError(f"{path}: '{name}' in it is no array; write it with numpy.savez")
    return held
