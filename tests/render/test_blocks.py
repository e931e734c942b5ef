"""Curves as blocks: heights, gaps, and one scale for several."""

from __future__ import annotations

import math

from sevensteps.render.blocks import common_scale, sparkline


def test_blocks_rise_with_the_numbers() -> None:
    assert sparkline([0.0, 1.0], 0, 1) == "▁█"
    assert sparkline([0.0, math.nan, 1.0], 0, 1) == "▁ █"
    assert len(sparkline(range(100), 0, 100)) == 8
    assert sparkline([5.0], 5, 5) == "▁"
    assert sparkline([-9.0, 2.0], 0, 1) == "▁█"


def test_all_curves_have_one_scale() -> None:
    assert common_scale([[0.1, 0.5], [0.9, math.nan]]) == (0.1, 0.9)
    assert common_scale([[-50.0, 0.5], [0.9]]) == (0.0, 0.9)
    assert common_scale([[-50.0], [-2.0]]) == (-50.0, -2.0)
    assert common_scale([[math.nan]]) == (0.0, 1.0)
