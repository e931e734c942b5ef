"""Threes and sevens, of scikit-learn's digits and of MNIST."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch

from sevensteps import data
from sevensteps.data.builtin import digits


def test_digits_are_those_of_scikit_learn_wherever_it_keeps_them(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    from sklearn.datasets import load_digits

    bunch = load_digits()
    for file in (digits._digits_file(), None):
        monkeypatch.setattr(digits, "_digits_file", lambda file=file: file)
        x, y = digits._digits()
        assert x.is_contiguous()
        assert (x.dtype, y.dtype) == (torch.float32, torch.int64)
        assert (x[:, 0].numpy() == bunch.images).all()
        assert (y.numpy() == bunch.target).all()


def test_digits37_are_the_threes_and_sevens() -> None:
    from sklearn.datasets import load_digits

    bunch = load_digits()
    loaded = data.load("digits37(scale='none')")
    for x, y in zip(loaded.valid.x, loaded.valid.y, strict=True):
        (place,) = (bunch.images == x[0].numpy()).all((1, 2)).nonzero()[0]
        assert bunch.target[place] == (3 if y == 1 else 7)


def test_mnist37_is_in_the_books_order(mnist_dir: Path) -> None:
    loaded, ten = data.load("mnist37", mnist_dir), data.load("mnist", mnist_dir)
    for part, whole, threes, sevens in (
        (loaded.train, ten.train, 6131, 6265),
        (loaded.valid, ten.valid, 1010, 1028),
    ):
        assert part.y[:, 0].tolist() == [1.0] * threes + [0.0] * sevens
        assert torch.equal(part.x[:threes], whole.x[whole.y == 3])
        assert torch.equal(part.x[threes:], whole.x[whole.y == 7])
    assert loaded.facts()["always_zero_inputs"] == 144  # FIGURES, point 6
