"""Copies among validation rows are judged against what chance gives."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from sevensteps.doctor.case import Case
from sevensteps.doctor.conditions.train_valid_mismatch import examine
from sevensteps.doctor.finding import Finding
from sevensteps.observe.network_facts import network_facts
from sevensteps.observe.observation import Observation


def found(train: Tensor, valid: Tensor) -> Finding | None:
    network = nn.Flatten()
    pairs = [(x, x.sum(1, keepdim=True) / 7) for x in (train, valid)]
    return examine(Case(Observation(network_facts(network)), None, train=pairs[0], valid=pairs[1]))


def drawn(count: int, values: int, columns: int) -> Tensor:
    generator = torch.Generator().manual_seed(0)
    return torch.randint(values, (count, columns), generator=generator).float()


def test_copies_that_chance_gives_are_none() -> None:
    table = drawn(1000, 3, 6)  # 729 different rows: some three quarters have a copy
    assert len(table.unique(dim=0)) > 500
    assert found(table[:700], table[700:]) is None


def test_copies_beyond_chance_are_found() -> None:
    generator = torch.Generator().manual_seed(0)
    table = torch.randn(1000, 6, generator=generator)
    assert found(table[:700], table[700:]) is None
    leaked = torch.cat([table[700:900], table[:100]])
    finding = found(table[:700], leaked)
    assert finding is not None
    assert finding.severity == "warning"
    assert finding.evidence[0].observed == 0.333
    digits = drawn(1000, 17, 20)  # whole numbers, and yet no two rows alike by chance
    assert found(digits[:700], digits[700:]) is None
    assert found(digits[:700], torch.cat([digits[700:900], digits[:100]])) is not None
