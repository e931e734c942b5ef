"""Gradients of the parts of a loss survive a run folder."""

from __future__ import annotations

import json
import math

import pytest

from sevensteps.observe.look import Look
from sevensteps.observe.part_gradients import LossPart, PartGradients
from sevensteps.observe.stored_look import deserialize_look, serialize_look


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


def test_of_several_networks_each_has_those_that_meet_in_it() -> None:
    parts = (LossPart("a", 0, 1.0, "net.kind", 1.0), LossPart("b", 1, 1.0, "judge", 2.0))
    look = Look(0, 1.0, networks={"net": Look(0, 1.0), "judge": Look(0, 1.0)})
    look.part_gradients = (PartGradients("net.body", parts, ((1.0, 0.0), (0.0, 1.0))),)
    net, judge = look.of("net"), look.of("judge")
    assert net is not None
    assert judge is not None
    assert [one.place for one in net.part_gradients] == ["body"]
    assert [part.own for part in net.part_gradients[0].parts] == ["kind", "judge"]
    assert judge.part_gradients == ()
