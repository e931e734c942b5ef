"""Arrays of your own in one .npz file, as numpy.savez writes it."""

from __future__ import annotations

import warnings
import zipfile
from dataclasses import KW_ONLY
from pathlib import Path

import numpy

from sevensteps.arguments import one_of
from sevensteps.data.dataset import Data
from sevensteps.data.formats.arrays import from_arrays
from sevensteps.data.formats.image_folder import MAX_BYTES
from sevensteps.data.formats.library_errors import short_reason
from sevensteps.data.sources import Source
from sevensteps.errors import DataError, no_such_file
from sevensteps.notation import value

__all__ = ["npz"]

# in an archive: of inputs and targets, to train on and to validate by
ARRAY_NAMES = (
    (("x", "y"), ("x_valid", "y_valid")),
    (("x_train", "y_train"), ("x_test", "y_test")),
)


@value
class npz(Source):
    """arrays of your own in one file, as numpy.savez writes it

    Arrays named `x` and `y`, and `x_valid` and `y_valid` for a part to validate on, or the names of
    Keras's files: `x_train`, `y_train`, `x_test`, `y_test`. What they may be says
    `from_arrays`; pictures with the channels last are turned. Scale: pixels / 255 for pictures,
    columns of a table standardised. Source: numpy.savez.
    """

    path: str
    _: KW_ONLY
    valid: float = 0.2
    scale: str = "default"
    target_scale: str = "none"
    seed: int = 0

    def __post_init__(self) -> None:
        super().__post_init__()
        one_of("target_scale", self.target_scale, ("none", "standardize"))

    def load(self, data_dir: Path | None = None) -> Data:
        arrays = _load_archive(Path(self.path))
        train, valid = next(
            (names for names in ARRAY_NAMES if all(name in arrays for name in names[0])),
            (None, None),
        )
        if train is None or valid is None:
            raise DataError(
                f"{self.path}: holds {', '.join(sorted(arrays)) or 'nothing'}; name the arrays x "
                "and y"
            )
        if (valid[0] in arrays) != (valid[1] in arrays):
            raise DataError(
                f"{self.path}: holds only one of {valid[0]} and {valid[1]}; give both or none"
            )
        x, y = (arrays[name] for name in train)
        valid_pair = (
            (_channels_first(arrays[valid[0]]), arrays[valid[1]]) if valid[0] in arrays else None
        )
        return from_arrays(
            _channels_first(x),
            y,
            valid=valid_pair or self.valid,
            scale=self.scale_or("unit" if x.ndim > 2 else "standardize"),
            target_scale=self.target_scale,
            seed=self.seed,
            name=self.text,
        )


def _channels_first(x: numpy.ndarray) -> numpy.ndarray:
    """Pictures with their channels first."""
    return (
        x.transpose(0, 3, 1, 2)
        if x.ndim == 4 and x.shape[3] in (1, 3) and x.shape[1] not in (1, 3)
        else x
    )


def _load_archive(path: Path) -> dict[str, numpy.ndarray]:
    """The arrays in a .npz; sizes are checked before memory is taken. Raises `DataError`."""
    if not path.is_file():
        raise no_such_file(path, "give a .npz that numpy.savez wrote")
    try:
        with zipfile.ZipFile(path) as members:
            unpacked = sum(member.file_size for member in members.infolist())
        if unpacked > MAX_BYTES:
            raise DataError(
                f"{path}: unpacks to {unpacked / 2**30:.1f} GB; at most {MAX_BYTES >> 30} are read"
            )
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # of headers that Python 2 wrote
            with numpy.load(path, allow_pickle=False) as archive:
                arrays = {name: archive[name] for name in archive.files}
    except DataError:
        raise
    # headers are read as Python, and let out whatever error that leads to
    except Exception as failure:
        raise DataError(f"{path}: cannot be read as a .npz: {short_reason(failure)}") from None
    for name, array in arrays.items():
        if not isinstance(array, numpy.ndarray):  # a member that is no .npy comes as its bytes
            raise DataError(f"{path}: '{name}' in it is no array; write it with numpy.savez")
    return arrays
