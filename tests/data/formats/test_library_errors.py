"""Errors of other libraries become short reasons."""

from __future__ import annotations

import io

import numpy
import pytest

from sevensteps.data.formats.library_errors import short_reason


@pytest.mark.parametrize(
    ("failure", "reason"),
    [
        (ValueError("bad magic"), "bad magic"),
        (ValueError("several\n  lines\tof it"), "several lines of it"),
        (EOFError(), "EOFError"),
        (KeyError("x"), "'x'"),
    ],
)
def test_a_short_text_is_one_line_or_the_name_of_the_error(failure: Exception, reason: str) -> None:
    assert short_reason(failure) == reason


def test_a_long_text_is_cut_between_words() -> None:
    reason = short_reason(ValueError("word " * 100))
    assert len(reason) <= 160
    assert reason.endswith("word …")


def test_objects_that_could_run_code_are_named() -> None:
    file = io.BytesIO()
    numpy.save(file, numpy.array([object()]))
    file.seek(0)
    with pytest.raises(ValueError, match="allow_pickle") as refusal:
        numpy.load(file)
    assert short_reason(refusal.value).startswith("it holds Python objects, which could run code")
