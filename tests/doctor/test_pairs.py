"""Inputs and targets of any form: some of them, the same ones, what is to be answered."""

from __future__ import annotations

import torch

from sevensteps.doctor.pairs import same_tensors, subset, targets_of

X, Y = torch.arange(10.0)[:, None], torch.arange(10)


def test_some_are_spread_over_all_and_stay_together() -> None:
    named, answers = subset(({"a": X, "b": (X + 1)}, Y), 5)
    assert len(answers) == 5
    assert answers.tolist() == sorted(answers.tolist())
    assert int(answers[0]) < 2
    assert int(answers[-1]) > 7
    assert torch.equal(named["a"].flatten(), answers.float())
    assert torch.equal(named["b"], named["a"] + 1)
    assert subset((X, Y), 10) == (X, Y)  # the very same


def test_only_the_very_tensors_are_the_same() -> None:
    assert same_tensors((X, Y), (X, Y))
    assert not same_tensors((X, Y), (X.clone(), Y))
    assert same_tensors(None, None)
    assert not same_tensors((X, Y), None)


def test_the_targets_are_the_second() -> None:
    assert targets_of((X, Y)) is Y
    assert targets_of(None) is None
