"""Splits samples into a training and a validation part, at random or each class alike."""

from __future__ import annotations

import torch
from jaxtyping import Int
from torch import Tensor

from sevensteps.arguments import number


def split_indices(
    count: int,
    share: float,
    generator: torch.Generator,
    strata: Int[Tensor, "N"] | None = None,
) -> tuple[Int[Tensor, "T"], Int[Tensor, "V"]]:
    """The indices of the training and of the validation part, each in an order drawn from
    `generator`.

    Of every group in `strata` (without: of all samples), `round(share * group)` go into the
    validation part, but at least one goes to each part where the group has two; a group of one
    stays in the training part.

    >>> from sevensteps.seeds import generator
    >>> [len(part) for part in split_indices(10, 0.2, generator(0, "split"))]
    [8, 2]
    """
    number("share", share, above=0, below=1)
    order = torch.randperm(count, generator=generator)
    groups = (
        [order]
        if strata is None
        else [order[strata[order] == group] for group in torch.unique(strata)]
    )
    is_valid = torch.zeros(count, dtype=torch.bool)
    for group in groups:
        valid_count = min(max(round(share * len(group)), 1), len(group) - 1)
        is_valid[group[: max(valid_count, 0)]] = True
    # In the drawn order: a file sorted by class must not reach an unshuffled training sorted.
    return order[~is_valid[order]], order[is_valid[order]]
