"""Words of two parts that are numbered by one table, or by two."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import pytest
import torch
from torch import Tensor

from sevensteps.doctor.recoded_words import recoded_words
from tests.helpers.seeds import five_seeds

pytestmark = pytest.mark.draws


def asked(train: Tensor, valid: Tensor) -> Any:
    parts = SimpleNamespace(train=(train, None), valid=(valid, None))
    return recoded_words(parts)  # type: ignore[arg-type]


def sentences(count: int, length: int, generator: torch.Generator) -> Tensor:
    """Some words come often, as in a language."""
    shares = 1 / (1 + torch.arange(40.0))
    return torch.multinomial(shares.expand(count, -1), length, True, generator=generator)


@five_seeds
@pytest.mark.parametrize("length", [9, 100])
def test_another_table(seed: int, length: int) -> None:
    generator = torch.Generator().manual_seed(seed)
    train, valid = sentences(400, length, generator), sentences(150, length, generator)
    assert asked(train, valid) is None
    found = asked(train, torch.randperm(40, generator=generator)[valid])
    assert found.apart > 0.2
    assert found.sorted < 0.4 * found.apart


@five_seeds
def test_other_sentences_are_no_other_table(seed: int) -> None:
    """Words that come more often in one part than in the other, and never one for another."""
    generator = torch.Generator().manual_seed(seed)
    train = sentences(400, 20, generator)
    assert asked(train, torch.randint(40, (150, 20), generator=generator)) is None
    assert asked(train.float(), train[:100].float()) is None
    assert asked(train, train[:100].clamp_max(5)) is None
