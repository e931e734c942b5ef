"""Numbers as a document holds them come back as they were, to the precision that is promised."""

from __future__ import annotations

import math

import numpy as np
import pytest

from sevensteps.view.document.numbers import (
    duration,
    group_rows,
    number_text,
    pack_matrix,
    pack_numbers,
    pack_steps,
    prose,
    readable,
    unpack_matrix,
    unpack_numbers,
    unpack_steps,
)


@pytest.mark.parametrize("count", [3, 1000])
def test_numbers_come_back(count: int) -> None:
    values = [0.1 * number for number in range(count)]
    values[1] = math.nan
    again = unpack_numbers(pack_numbers(values))
    assert again[1] is None
    assert again[2] == pytest.approx(0.2, rel=1e-6)
    assert len(again) == count


@pytest.mark.parametrize("steps", [[], [5], [0, 10, 20, 30], [0, 1, 2, 4, 9, 19]])
def test_steps_come_back(steps: list[int]) -> None:
    assert unpack_steps(pack_steps(steps)) == steps


@pytest.mark.parametrize("scale", ["linear", "log"])
def test_a_matrix_comes_back_to_its_bits(scale: str) -> None:
    table = np.array([[1e-6, 1.0], [math.nan, 10.0], [math.inf, 0.5]])
    packed = pack_matrix(table, scale)
    again = unpack_matrix(packed)
    assert packed["scale"] == scale
    assert np.isnan(again[1, 0])
    assert np.isnan(again[2, 0])
    assert again[1, 1] == pytest.approx(10.0)
    assert again[0, 1] == pytest.approx(1.0, rel=0.07)
    if scale == "log":
        assert again[0, 0] == pytest.approx(1e-6, rel=0.07)


@pytest.mark.parametrize(
    "table", [[[0.0, 0.0]], [[math.nan]], [[3.0, 3.0]], [[0.0, 1e-30]], [[-1.0, 2.0]]]
)
@pytest.mark.parametrize("scale", ["linear", "log"])
def test_a_matrix_of_nothing_much(table: list[list[float]], scale: str) -> None:
    packed = pack_matrix(table, scale)
    assert math.isfinite(packed["lo"])
    assert math.isfinite(packed["hi"])
    assert unpack_matrix(packed).shape == np.array(table).shape


def test_zero_is_zero_beside_numbers_on_a_logarithmic_scale() -> None:
    packed = pack_matrix([[0.0, 1e-9], [1e-3, math.nan]], "log")
    values = unpack_matrix(packed)
    assert packed["zeros"]
    assert values[0, 0] == 0
    assert np.allclose([values[0, 1], values[1, 0]], [1e-9, 1e-3])
    assert math.isnan(values[1, 1])
    assert "zeros" not in pack_matrix([[1e-9, 1e-3]], "log")


def test_many_units_are_grouped() -> None:
    rows, width = group_rows(np.arange(10.0).reshape(10, 1), 4)
    assert width == 3
    assert rows[:, 0].tolist() == [1.0, 4.0, 7.0, 9.0]
    assert group_rows(np.zeros((3, 2)), 4)[1] == 1


@pytest.mark.parametrize(
    ("text", "written"),
    [
        ("a curvature of 2.318e+04", "a curvature of 23,180"),
        ("a rate of 8.63e-05.", "a rate of 8.63\u00a0·\u00a010⁻⁵."),
        ("64 of 1438 samples, 6% wrong", "64 of 1,438 samples, 6\u00a0% wrong"),
        ("from -1.79 to +0.5", "from −1.79 to +0.5"),
        ("use adam(lr=1e-3), or sgd(0.0001)", "use adam(lr=1e-3), or sgd(0.0001)"),
        ("cnn16384, v2.13.0, 1,000, 5-10", "cnn16384, v2.13.0, 1,000, 5-10"),
        ("He et al. 2015", "He et al. 2015"),
        ("Adam at 1e-2", "Adam at 0.01"),
        ("moved by 0.00032 times", "moved by 3.2\u00a0·\u00a010⁻⁴ times"),
    ],
)
def test_sentences_have_one_notation(text: str, written: str) -> None:
    assert prose(text) == written


def test_only_sentences_are_rewritten() -> None:
    document = {"value": "max_steps(1e4)", "why": "after 1e4", "command": "--lr -1e-5"}
    assert readable(document) == {**document, "why": "after 10,000"}


def test_times_and_numbers_have_few_digits() -> None:
    assert duration(0.0218712) == (22.0, "ms")
    assert duration(None) == (0.0, "ms")
    assert number_text(math.inf) == "not finite"
    assert number_text(1627.34) == "1,627"
    assert number_text(2e-5) == "2\u00a0·\u00a010⁻⁵"
    assert number_text(-0.5) == "−0.5"
