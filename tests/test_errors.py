"""Errors are one line that names the argument and what was seen; the checks return what they
accept.
"""

from __future__ import annotations

import math
import unicodedata
from decimal import Decimal
from fractions import Fraction
from typing import Any

import numpy
import pytest
from hypothesis import given
from hypothesis import strategies as st

from sevensteps import errors
from sevensteps.arguments import flag, number, one_of, whole
from sevensteps.errors import ArgumentError, Error, nearest


@pytest.mark.parametrize(
    "kind",
    [
        Error,
        errors.NotationError,
        errors.DataError,
        errors.RunError,
        ArgumentError,
        errors.ShapeError,
    ],
)
@given(text=st.text(max_size=50))
def test_every_error_prints_as_one_line(kind: type[Error], text: str) -> None:
    message = str(kind(f"{text}\n\tand then\r\n{text}"))
    assert len(message.splitlines()) == 1
    assert not {unicodedata.category(mark) for mark in message} & {"Cc", "Cs", "Zl", "Zp"}
    if text.isprintable():
        assert message == " ".join(f"{text} and then {text}".split())


def test_what_steers_a_terminal_is_written_out_and_nothing_else() -> None:
    assert str(Error("a\x1b[2Jb\x07 \u202egnp.exe \ud800")) == r"a\x1b[2Jb\x07 \u202egnp.exe \ud800"
    for text in (
        "größe 猫 🐈\u200d⬛",
        "\U00018cd6",
    ):  # a joiner, and a character younger than Python's tables
        assert str(Error(text)) == text


def test_bad_values_are_also_python_s_value_errors() -> None:
    for kind in (errors.NotationError, errors.DataError, ArgumentError, errors.ShapeError):
        assert issubclass(kind, Error)
        assert issubclass(kind, ValueError)
    assert not issubclass(errors.RunError, ValueError)


@pytest.mark.parametrize(
    ("name", "names", "hint"),
    [
        ("mpl", ["linear", "mlp"], "did you mean 'mlp'?"),
        ("MLP", ["linear", "mlp"], "did you mean 'mlp'?"),
        ("kaiming", ["kaiming_normal", "zeros"], "did you mean 'kaiming_normal'?"),
        ("xyz", ["mlp", "linear"], "known: linear, mlp"),
        ("", ["mlp", "linear"], "known: linear, mlp"),
    ],
)
def test_the_nearest_name(name: str, names: list[str], hint: str) -> None:
    assert nearest(name, iter(names)) == hint


@given(st.text(max_size=20), st.lists(st.text(min_size=1, max_size=10), min_size=1, max_size=5))
def test_a_hint_names_only_what_is_known(name: str, names: list[str]) -> None:
    hint = nearest(name, names)
    assert hint in [f"did you mean '{known}'?" for known in names] or hint == "known: " + ", ".join(
        sorted(names)
    )


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
