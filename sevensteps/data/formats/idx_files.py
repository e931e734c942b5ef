"""Pictures of your own in IDX files, the format of MNIST."""

from __future__ import annotations

import math
from dataclasses import KW_ONLY
from pathlib import Path

import numpy
import torch
from torch import Tensor

from sevensteps.data.dataset import Data
from sevensteps.data.formats import idx
from sevensteps.data.formats.arrays import from_arrays
from sevensteps.data.inputs import Inputs
from sevensteps.data.sources import Source
from sevensteps.data.streaming.row_reader import BinaryRowReader
from sevensteps.data.streaming.streamed_inputs import load_or_stream
from sevensteps.errors import DataError
from sevensteps.notation import value

__all__ = ["idx_files"]

LABELS_OF_IMAGES = {"images-idx3": "labels-idx1", "images.idx3": "labels.idx1"}
PARTS = ("train", "t10k")


@value
class idx_files(Source):
    """pictures of your own in IDX files, the format of MNIST

    `path` is a folder with train-images-idx3-ubyte, train-labels-idx1-ubyte and the two t10k-… to
    judge by, or a file of images, whose labels are the file of that name, or `target`; then split
    80/20, each class alike. What does not fit in `memory` stays on disk, as with `npy`; packed
    files (.gz) are unpacked into memory. Scale: pixels / 255. Source: LeCun, Cortes, Burges 1998.
    """

    path: str
    _: KW_ONLY
    target: str | None = None
    valid: float = 0.2
    scale: str = "default"
    memory: float | None = None
    seed: int = 0

    def load(self, data_dir: Path | None = None) -> Data:
        path = Path(self.path)
        if path.is_dir():
            train, valid = (
                self._load_pair(
                    _find_file(path, f"{part}-images-idx3-ubyte"),
                    _find_file(path, f"{part}-labels-idx1-ubyte"),
                )
                for part in PARTS
            )
            return from_arrays(*train, valid=valid, scale=self.scale_or("unit"), name=self.text)
        name = path.name
        for images, labels in LABELS_OF_IMAGES.items():
            name = name.replace(images, labels)
        if self.target is None and name == path.name:
            raise DataError(f"{path}: say where its labels are, as in --target labels-idx1-ubyte")
        x, y = self._load_pair(
            path, Path(self.target) if self.target is not None else path.with_name(name)
        )
        return from_arrays(
            x, y, valid=self.valid, scale=self.scale_or("unit"), seed=self.seed, name=self.text
        )

    def _load_pair(self, images: Path, labels: Path) -> tuple[Inputs, Tensor]:
        x = (
            idx.read_images(images)
            if images.suffix == ".gz"
            else load_or_stream(idx_reader(images), self.memory)
        )
        y = idx.read_labels(labels, classes=256)
        if len(x) != len(y):
            raise DataError(
                f"{images} has {len(x)} images but {labels.name} has {len(y)} labels; give the "
                "two files that belong together"
            )
        return x, y


def idx_reader(path: Path) -> BinaryRowReader:
    """Reads the images of an IDX file that is not packed. Raises `DataError`."""
    try:
        with path.open("rb") as file:
            shape, dtype = idx.read_header(path, file)
            offset, size = file.tell(), path.stat().st_size
    except FileNotFoundError:
        raise DataError(f"{path}: there is no such file; check the folder and the name") from None
    except OSError as failure:
        raise DataError(
            f"{path}: cannot be read ({failure.strerror or failure}); give a file that you may read"
        ) from None
    if len(shape) != 3 or dtype != numpy.uint8 or 0 in shape or size != offset + math.prod(shape):
        idx.read_images(path)  # says what is wrong
        raise DataError(f"{path}: is no file of images")
    return BinaryRowReader(path, offset, (shape[0], 1, *shape[1:]), torch.uint8)


def _find_file(folder: Path, name: str) -> Path:
    """The file of that name in the folder, plain or packed."""
    for path in (folder / name, folder / f"{name}.gz"):
        if path.is_file():
            return path
    raise DataError(
        f"{folder}: has no {name} (plain or .gz); put it there, or give the file of the images"
    )
