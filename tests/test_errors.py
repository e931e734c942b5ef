"""Errors are one line, and name what is nearest to a name that is unknown."""

from __future__ import annotations

import unicodedata
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sevensteps import errors
from sevensteps.errors import SHELL_WORDS, ArgumentError, Error, nearest, no_such_file, option_name


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
    # a joiner, and a character younger than Python's tables
    for text in (
        "größe 猫 🐈\u200d⬛",
        "\U00018cd6",
    ):
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


def test_a_file_that_is_not_there_is_looked_for_beside(tmp_path: Path) -> None:
    (tmp_path / "kunden.csv").touch()
    (tmp_path / "kunden.txt").touch()
    meant = no_such_file(tmp_path / "kundn.csv", "give a .csv")
    assert str(meant).endswith(f"no such file; did you mean '{tmp_path / 'kunden.csv'}'?")
    for name in ("prices.csv", "nowhere/kunden.csv"):
        assert str(no_such_file(tmp_path / name, "give a .csv")).endswith("file; give a .csv")


def test_an_option_is_named_as_it_is_typed() -> None:
    assert option_name("size") == "size=…"
    token = SHELL_WORDS.set(("train", "pets"))
    try:
        assert option_name("size") == "--size"
    finally:
        SHELL_WORDS.reset(token)
