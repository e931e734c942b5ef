"""A part is as long as its inputs, and selecting samples keeps each with its target."""

from __future__ import annotations

import torch

from sevensteps.data import Part


def test_selected_samples_are_those_of_indexing() -> None:
    part = Part(torch.arange(20.0).view(10, 2), torch.arange(10))
    chosen = part.select(torch.tensor([1, 4, 9]))
    assert (len(part), len(chosen)) == (10, 3)
    assert chosen.x.tolist() == [[2, 3], [8, 9], [18, 19]]  # type: ignore[union-attr]
    assert chosen.y.tolist() == [1, 4, 9]


def test_no_sample_can_be_selected() -> None:
    part = Part(torch.zeros(3, 1, 4, 4), torch.zeros(3, 1)).select(torch.tensor([]).long())
    assert (len(part), part.x.shape, part.y.shape) == (0, (0, 1, 4, 4), (0, 1))
