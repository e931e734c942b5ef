"""Looks come back whole from the folder that keeps them."""

from __future__ import annotations

import json
from dataclasses import fields

import torch

from sevensteps.observe.look import Look
from sevensteps.observe.stored_look import deserialize_look, serialize_look
from tests.observe.loops import NETWORKS, train


def test_a_look_survives_the_folder() -> None:
    _, watch = train(NETWORKS["convolution"], 1.0, steps=2)
    assert watch is not None
    look = watch.observation.looks[0]
    again = deserialize_look(*serialize_look(look))
    assert again.leftover_gradient == 0
    for field in fields(Look):
        before, after = getattr(look, field.name), getattr(again, field.name)
        if isinstance(before, torch.Tensor):
            assert torch.equal(before, after), field.name
        elif field.name not in ("signals", "changes"):
            assert before == after, field.name
    for group in ("signals", "changes"):
        assert list(getattr(again, group)) == list(getattr(look, group))
        for name, measured in getattr(look, group).items():
            for field in fields(measured):
                value = getattr(measured, field.name)
                copy = getattr(getattr(again, group)[name], field.name)
                same = (
                    torch.equal(value, copy) if isinstance(value, torch.Tensor) else value == copy
                )
                assert same, (group, name, field.name)


def test_a_folder_keeps_its_names() -> None:
    _, watch = train(NETWORKS["one layer"], 1.0, steps=1)
    assert watch is not None
    text, tensors = serialize_look(watch.observation.looks[0])
    assert {"step", "loss", "lr", "left", "backwards", "signals", "changes"} <= json.loads(
        text
    ).keys()
    assert b'"slope"' in tensors
    assert set(watch.observation.to_dict()) == {
        *("facts", "losses", "rates", "steps", "seconds", "spent", "notes", "graph"),
        *("networks", "evaluations", "scores", "parts", "sketch", "warnings"),
    }
    assert set(watch.observation.to_dict()["graph"]) == {"head", "outside", "whole", "reached"}
