"""The options of every source of tables are checked alike."""

from __future__ import annotations

import pytest

from sevensteps.data.formats.frame import FrameOptions
from sevensteps.data.table.options import check_options, reading_options
from sevensteps.errors import ArgumentError


def test_one_name_is_enough() -> None:
    options = FrameOptions("a", target="y", drop="b", keep="c")  # type: ignore[arg-type]
    check_options(options)
    assert (options.drop, options.keep) == (("b",), ("c",))


@pytest.mark.parametrize(
    "wrong",
    [{"missing": "ignore"}, {"dates": "year_first"}, {"values": 0}, {"valid": 1.0}, {"scale": "x"}],
)
def test_options_that_make_no_sense(wrong: dict[str, object]) -> None:
    with pytest.raises(ArgumentError):
        check_options(FrameOptions("a", target="y", **wrong))  # type: ignore[arg-type]


def test_odd_cells_are_gaps_where_gaps_are_filled() -> None:
    assert reading_options(FrameOptions("a", target="y")).lenient
    assert not reading_options(FrameOptions("a", target="y", missing="drop")).lenient
