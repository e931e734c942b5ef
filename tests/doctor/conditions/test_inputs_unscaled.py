"""Columns of another size are told from those that hardly ever vary."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from sevensteps.doctor.case import Case
from sevensteps.doctor.conditions.inputs_unscaled import examine
from sevensteps.observe.network_facts import network_facts
from sevensteps.observe.observation import Observation


def accused(x: Tensor) -> bool:
    """Whether these inputs are, where the network has learned nothing of what they tell."""
    y = x[:, :1] / x[:, :1].std()
    case = Case(Observation(network_facts(nn.Identity())), None, train=(x, y))
    vars(case).update(task="regression", scores={"train": 0.0}, skill=0.0, loss_is_error=True)
    return examine(case) is not None


def test_a_column_that_hardly_ever_varies_is_no_other_scale() -> None:
    x = 1.5 * torch.randn(300, 8, generator=torch.Generator().manual_seed(0))
    assert not accused(x)
    margin = x.clone()
    margin[:, 7] = 0
    margin[5, 7] = 0.1  # a pixel that one sample touches
    assert not accused(margin)
    wide = x.clone()
    wide[:, 7] *= 1000
    assert accused(wide)
    assert accused(16 * x)


def test_what_batch_norm_makes_up_for_in_training_mode_is_not_blamed() -> None:
    """Its running statistics are those of other inputs; with those of the batch it is right."""
    x = 16 * torch.randn(300, 4, generator=torch.Generator().manual_seed(0))
    y = x / 16 + 0.05 * torch.randn(300, 4, generator=torch.Generator().manual_seed(1))
    norm = nn.BatchNorm1d(4)
    case = Case(Observation(network_facts(norm)), norm, train=(x, y))
    vars(case).update(task="regression", skill=0.0, loss_is_error=True)
    assert case.scores["train"] < 0
    assert examine(case) is None
    assert [name for name, _ in case.ruled_out] == ["inputs_unscaled"]
    assert accused(x)
