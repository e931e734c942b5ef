"""Gradients of the parts of a loss survive a run folder."""

from __future__ import annotations

import json
import math

import pytest

from sevensteps.observe.look import Look
from sevensteps.observe.observation import deserialize_look, serialize_look
from sevensteps.observe.part_gradients import LossPart, PartGradients


def test_they_are_written_and_read_back() -> None:
    parts = (
        LossPart("price", 2, 4e10, "price", 1.8e6),
        LossPart("kind", None, None, "", 0.0),
    )
    gradients = PartGradients("body", parts, ((1.0, math.nan), (math.nan, math.nan)))
    assert json.loads(json.dumps(gradients.to_dict()))["cosines"] == [[1.0, None], [None, None]]
    (read,) = deserialize_look(
        *serialize_look(Look(3, 0.5, full=True, part_gradients=(gradients,)))
    ).part_gradients
    assert (read.place, read.parts) == ("body", parts)
    assert read.cosines[0] == pytest.approx((1.0, math.nan), nan_ok=True)
