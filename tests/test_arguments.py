"""Checks of arguments return what they accept, and name the argument and the value they refuse."""

from __future__ import annotations

import math
from decimal import Decimal
from fractions import Fraction
from typing import Any

import numpy
import pytest
from hypothesis import given
from hypothesis import strategies as st

from sevensteps.arguments import flag, number, one_of, whole
from sevensteps.errors import ArgumentError


@pytest.mark.parametrize(
    "seen", [3, 0.5, -2.0, Fraction(1, 2), numpy.float32(0.25), numpy.int64(3)]
)
def test_a_number_is_returned_as_a_float(seen: Any) -> None:
    held = number("lr", seen)
    assert type(held) is float
    assert held == float(seen)


@pytest.mark.parametrize(
    "seen",
    [
        True,
        False,
        "1",
        None,
        math.nan,
        math.inf,
        -math.inf,
        1j,
        [1.0],
        Decimal("0.1"),
        numpy.float64("nan"),
    ],
)
def test_what_is_no_finite_number_is_refused(seen: Any) -> None:
    with pytest.raises(ArgumentError) as refused:
        number("lr", seen)
    assert str(refused.value) == f"lr must be a finite number, not {seen!r}"


@pytest.mark.parametrize(
    ("limits", "good", "bad", "words"),
    [
        ({"above": 0}, 1e-300, 0, "above 0"),
        ({"at_least": 0}, 0, -1e-300, "at least 0"),
        ({"at_most": 1}, 1, 1.5, "at most 1"),
        ({"below": 1}, 0.999, 1, "below 1"),
        ({"above": 0, "at_most": 0.5}, 0.5, 0.6, "at most 0.5"),
        ({"at_least": -1, "below": 1}, -1, 1, "below 1"),
    ],
)
def test_limits_of_a_number(limits: dict[str, float], good: float, bad: float, words: str) -> None:
    assert number("share", good, **limits) == good
    with pytest.raises(ArgumentError) as refused:
        number("share", bad, **limits)
    assert str(refused.value) == f"share must be {words}, not {bad!r}"


@given(
    value=st.floats(allow_nan=False, allow_infinity=False),
    low=st.floats(-1e6, 1e6),
    high=st.floats(-1e6, 1e6),
)
def test_a_number_within_its_limits_is_the_one_given(value: float, low: float, high: float) -> None:
    if low <= value < high:
        assert number("x", value, at_least=low, below=high) == value
    else:
        with pytest.raises(ArgumentError, match=r"^x must be (at least|below) "):
            number("x", value, at_least=low, below=high)


@pytest.mark.parametrize(
    ("seen", "least", "message"),
    [
        (1.0, 0, "size must be a whole number, not 1.0"),
        (True, 0, "size must be a whole number, not True"),
        ("3", 0, "size must be a whole number, not '3'"),
        (None, 0, "size must be a whole number, not None"),
        (-1, 0, "size must be at least 0, not -1"),
        (0, 1, "size must be at least 1, not 0"),
    ],
)
def test_what_is_no_whole_number_is_refused(seen: Any, least: int, message: str) -> None:
    with pytest.raises(ArgumentError) as refused:
        whole("size", seen, at_least=least)
    assert str(refused.value) == message


def test_a_whole_number_is_returned_as_an_int() -> None:
    for seen in (3, numpy.int32(3), numpy.uint8(3)):
        assert type(whole("size", seen)) is int
        assert whole("size", seen) == 3


@pytest.mark.parametrize(
    ("seen", "message"),
    [
        ("rellu", "activation has no option 'rellu'; did you mean 'relu'?"),
        ("swish", "activation has no option 'swish'; known: relu, tanh"),
        (3, "activation has no option 3; known: relu, tanh"),
        (None, "activation has no option None; known: relu, tanh"),
        (["relu"], "activation has no option ['relu']; known: relu, tanh"),
    ],
)
def test_an_unknown_option_is_refused(seen: Any, message: str) -> None:
    with pytest.raises(ArgumentError) as refused:
        one_of("activation", seen, iter(["relu", "tanh"]))
    assert str(refused.value) == message


def test_a_known_option_is_returned() -> None:
    assert one_of("activation", "tanh", {"relu": 1, "tanh": 2}) == "tanh"


def test_a_flag_is_true_or_false() -> None:
    assert flag("shuffle", True) is True
    assert flag("shuffle", False) is False
    for seen in (0, 1, "True", None, numpy.True_):
        with pytest.raises(ArgumentError) as refused:
            flag("shuffle", seen)
        assert str(refused.value) == f"shuffle must be True or False, not {seen!r}"
