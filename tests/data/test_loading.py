"""Names, paths and calls as text: what they load, and what is refused, in one line."""

from __future__ import annotations

from pathlib import Path

import pytest

from sevensteps import data
from sevensteps.errors import ArgumentError, DataError, NotationError
from tests.data.test_sources import OWN, SOURCES


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("digit", "data has no 'digit'; did you mean 'digits'?"),
        (
            "digits(sed=1)",
            "data: digits: got an unexpected keyword argument 'sed'; it takes digits(*, "
            "scale='default', seed=0)",
        ),
        (
            "digits(1)",
            "data: digits: too many positional arguments; it takes digits(*, scale='default', "
            "seed=0)",
        ),
        ("digits(seed=-1)", "data: digits(seed=-1): seed must be at least 0, not -1"),
        (
            "digits(scale='units')",
            "data: digits(scale='units'): scale has no option 'units'; did you mean 'unit'?",
        ),
        (
            "iris(scale=2)",
            "data: iris(scale=2): scale has no option 2; known: default, none, standardize, unit",
        ),
        ("speed(noise=-1)", "data: speed(noise=-1): noise must be at least 0, not -1"),
        (
            "speed(target_scale='unit')",
            "data: speed(target_scale='unit'): target_scale has no option 'unit'; known: none, "
            "standardize",
        ),
        (
            "diabetes(target_scale=1)",
            "data: diabetes(target_scale=1): target_scale has no option 1; known: none, "
            "standardize",
        ),
        ("circles(n=9)", "data: circles(n=9): n must be at least 10, not 9"),
        ("circles(factor=1)", "data: circles(factor=1): factor must be below 1, not 1"),
        ("moons(n=10.5)", "data: moons(n=10.5): n must be a whole number, not 10.5"),
        ("blobs(centers=1)", "data: blobs(centers=1): centers must be at least 2, not 1"),
        (
            "blobs(n=10, centers=6)",
            "data: blobs(n=10, centers=6): n must be at least twice centers = 6, not 10",
        ),
        (
            "spirals(n=10, arms=6)",
            "data: spirals(n=10, arms=6): n must be at least twice arms = 6, not 10",
        ),
        (
            "xor(n=5)",
            "data: xor(n=5): n must be 4 (the truth table) or at least 8 (two points for each "
            "corner), not 5",
        ),
        (
            "./my/table.docx/",
            "data: './my/table.docx/' is no folder of pictures, and no .csv, .xlsx, .parquet, "
            ".jsonl, .npz, .npy or IDX file; read it yourself and use "
            "sevensteps.data.from_arrays(x, y), or name one of: "
            f"{', '.join((*SOURCES, *OWN))}",
        ),
        (
            "digits(__import__('os'))",
            "data has no '__import__'; known: " + ", ".join(sorted((*SOURCES, *OWN))),
        ),
        (
            "(lambda: 1)()",
            "data: '(lambda: 1)()' has '(lambda: 1)()', which is not a plain value; write names "
            "of data with "
            "numbers, texts, True, False or None: digits",
        ),
    ],
)
def test_what_cannot_be_read_says_the_fix(text: str, message: str) -> None:
    with pytest.raises(NotationError) as caught:
        data.load(text)
    assert str(caught.value) == message


def test_keywords_are_checked_like_text() -> None:
    with pytest.raises(NotationError) as caught:
        data.load("speed", nois=1)
    assert str(caught.value) == "data: speed has no argument 'nois'; did you mean 'noise'?"
    with pytest.raises(ArgumentError, match="noise must be at least 0"):
        data.load("speed", noise=-1)
    with pytest.raises(
        NotationError, match="digits is already loaded; give seed where it is loaded"
    ):
        data.load(data.load("digits"), seed=1)
    with pytest.raises(NotationError, match="int is no source; give a name such as 'digits'"):
        data.load(3)  # type: ignore[arg-type]


def test_an_unknown_attribute_is_one() -> None:
    with pytest.raises(AttributeError, match="has no attribute 'digit'"):
        _ = data.digit  # type: ignore[attr-defined]


def test_what_does_not_fit_in_memory_is_refused_in_one_line() -> None:
    with pytest.raises(
        DataError, match=r"^circles\(n=1000000000000\) does not fit into memory"
    ) as caught:
        data.load("circles(n=1000000000000)")
    assert "\n" not in str(caught.value)


def test_a_name_that_no_file_can_have() -> None:
    with pytest.raises(NotationError, match=r"is no folder of pictures, and no \.csv"):
        data.load("x" * 5000 + "/")


def test_a_name_without_its_ending_is_answered_with_the_file(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "birds.csv").write_text("a,b\n1,2\n")
    with pytest.raises(NotationError, match=r"no 'birds'; did you mean the file birds\.csv\?$"):
        data.load("birds")
    with pytest.raises(NotationError, match=r"did you mean 'iris'\?$"):
        data.load("iri")
