"""Copies that are measured later, in few operations, and never too many of them."""

from __future__ import annotations

import pytest
import torch

from sevensteps.observe import later
from sevensteps.observe.later import FlatCopies, LazyDict


def test_a_lazy_dictionary_is_computed_once_when_it_is_read() -> None:
    computed = []

    def compute() -> dict[str, int]:
        computed.append(1)
        return {"a": 1, "b": 2}

    lazy = LazyDict(compute)
    assert not computed
    assert dict(lazy) == {"a": 1, "b": 2}
    assert (len(lazy), lazy["a"], len(computed)) == (2, 1, 1)


def test_no_more_bytes_wait_than_may(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(later, "_waiting", later._Waiting())
    monkeypatch.setattr(later, "MAX_LATER", 100)
    monkeypatch.setattr(later, "MAX_WAITING", 150)
    computed: list[int] = []

    def entry(number: int, size: int) -> LazyDict[int]:
        return LazyDict(lambda: {"number": computed.append(number) or number}, size)

    first, second = entry(1, 80), entry(2, 60)
    assert not computed
    third = entry(3, 50)
    assert computed == [1]
    fourth = entry(4, 101)
    assert computed == [1, 4]
    assert [one["number"] for one in (first, second, third, fourth)] == [1, 2, 3, 4]
    assert later._waiting.size == 0


def test_one_that_is_gone_is_not_computed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(later, "_waiting", later._Waiting())
    monkeypatch.setattr(later, "MAX_WAITING", 100)
    computed: list[int] = []
    gone = LazyDict(lambda: {"a": computed.append(1)}, 60)
    del gone
    assert later._waiting.size == 0
    kept = LazyDict(lambda: {"a": 1}, 60)
    assert not computed
    assert later._waiting.size == 60
    assert dict(kept) == {"a": 1}


def test_flat_copies_are_copies_of_each_tensor() -> None:
    draw = torch.Generator().manual_seed(0)
    tensors = {
        "a": torch.randn(3, 4, generator=draw),
        "turned": torch.randn(4, 5, generator=draw).T,
        "double": torch.randn(2, dtype=torch.float64, generator=draw),
        "sparse": torch.eye(3).to_sparse(),
        "number": torch.tensor(2.0),
        "none": torch.zeros(0, 3),
        "half": torch.ones(2, dtype=torch.bfloat16),
    }
    before = {name: t.clone() for name, t in tensors.items()}
    copies = FlatCopies(tensors)
    for tensor in tensors.values():
        tensor.mul_(0)
    assert list(copies.tensors()) == list(tensors)
    for name, copy in copies.tensors().items():
        assert torch.equal(copy.to_dense(), before[name].to_dense())
        assert (copy.dtype, copy.shape) == (before[name].dtype, before[name].shape)
    assert copies
    assert not FlatCopies({})
