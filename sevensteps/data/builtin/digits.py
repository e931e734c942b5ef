"""Images of handwritten digits: scikit-learn's small ones, and MNIST.

All ten digits, or only threes against sevens.
"""

from __future__ import annotations

import gzip
from dataclasses import KW_ONLY
from importlib.util import find_spec
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from sevensteps.data.build import build_data
from sevensteps.data.builtin.mnist_files import MnistPart, read_mnist
from sevensteps.data.dataset import Data
from sevensteps.data.sources import Source
from sevensteps.notation import value
from sevensteps.seeds import generator

__all__ = ["digits", "digits37", "mnist", "mnist37"]

TEN = tuple("0123456789")
SEVEN_THREE = ("7", "3")  # a 3 is the 1, "yes", as in fastbook chapter 4


@value
class digits(Source):
    """1797 real handwritten digits, 8 x 8 pixels; no download

    Pixels 0 to 16. Split 80/20, each class alike. Scale: pixels / 16.
    Source: Alpaydin, Kaynak 1998, UCI optical recognition of digits.
    """

    _: KW_ONLY
    scale: str = "default"
    seed: int = 0

    def load(self, data_dir: Path | None = None) -> Data:
        x, y = _digits()
        return build_data(
            self.text,
            x,
            y,
            classes=TEN,
            scale=self.scale_or("unit"),
            highest=16,
            split_generator=generator(self.seed, "split"),
            about="1797 handwritten digits, 8 x 8 pixels, from scikit-learn (UCI optical "
            "recognition)",
        )


@value
class digits37(Source):
    """the 3s and 7s of digits: the book's first task, small

    A 3 is 1, a 7 is 0. Split 80/20, each class alike. Scale: pixels / 16. Source: as digits; task:
    fastbook, ch. 4.
    """

    _: KW_ONLY
    scale: str = "default"
    seed: int = 0

    def load(self, data_dir: Path | None = None) -> Data:
        x, y = _digits()
        three_or_seven = (y == 3) | (y == 7)
        return build_data(
            self.text,
            x[three_or_seven],
            (y[three_or_seven] == 3).long(),
            classes=SEVEN_THREE,
            scale=self.scale_or("unit"),
            highest=16,
            split_generator=generator(self.seed, "split"),
            about="handwritten threes and sevens, 8 x 8 pixels, from scikit-learn (UCI optical "
            "recognition)",
        )


def _digits() -> tuple[Tensor, Tensor]:
    """Pixels [1797, 1, 8, 8] and classes [1797], from the file that scikit-learn brings: to import
    all of the library for it would take longer than the training.
    """
    if (file := _digits_file()) is None:
        from sklearn.datasets import load_digits

        table = np.column_stack(load_digits(return_X_y=True))
    else:
        with gzip.open(file, "rt") as rows:
            table = np.loadtxt(rows, delimiter=",", dtype=np.float32)
    pixels, classes = torch.from_numpy(table).float().split([64, 1], 1)
    return pixels.contiguous().view(-1, 1, 8, 8), classes.flatten().long()


def _digits_file() -> Path | None:
    """Where scikit-learn keeps the digits; None if that has changed."""
    library = find_spec("sklearn")
    for folder in (library and library.submodule_search_locations) or ():
        if (file := Path(folder, "datasets", "data", "digits.csv.gz")).is_file():
            return file
    return None


@value
class mnist(Source):
    """70 000 handwritten digits, 28 x 28 pixels; read or downloaded

    60 000 to train on, 10 000 to judge by, in the order of the IDX files. Pixels 0 to 255.
    Scale: pixels / 255. Source: LeCun, Cortes, Burges 1998.
    """

    _: KW_ONLY
    scale: str = "default"
    seed: int = 0

    def load(self, data_dir: Path | None = None) -> Data:
        train, valid = read_mnist(data_dir)
        return build_data(
            self.text,
            train.images,
            train.labels.long(),
            valid=(valid.images, valid.labels.long()),
            classes=TEN,
            scale=self.scale_or("unit"),
            highest=255,
            about=_describe("handwritten digits", train),
        )


@value
class mnist37(Source):
    """the 3s, then the 7s of mnist, in the book's order

    A 3 is 1, a 7 is 0; 12 396 to train on, 2038 to judge by. Scale: pixels / 255.
    Source: as mnist; order and task: fastbook, ch. 4.
    """

    _: KW_ONLY
    scale: str = "default"
    seed: int = 0

    def load(self, data_dir: Path | None = None) -> Data:
        train, valid = read_mnist(data_dir)
        (x, y), valid_37 = _three_then_seven(train), _three_then_seven(valid)
        return build_data(
            self.text,
            x,
            y,
            valid=valid_37,
            classes=SEVEN_THREE,
            scale=self.scale_or("unit"),
            highest=255,
            about=_describe("handwritten threes, then sevens", train),
        )


def _three_then_seven(part: MnistPart) -> tuple[Tensor, Tensor]:
    threes, sevens = part.images[part.labels == 3], part.images[part.labels == 7]
    return torch.cat([threes, sevens]), torch.tensor([1] * len(threes) + [0] * len(sevens))


def _describe(what: str, part: MnistPart) -> str:
    height, width = part.images.shape[2:]
    return f"{what}, {height} x {width} pixels, from IDX files"
