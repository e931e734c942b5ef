"""Structures of tensors are taken apart and put together again."""

from __future__ import annotations

from collections import OrderedDict, namedtuple
from dataclasses import dataclass
from typing import Any

import pytest
import torch
from torch import Tensor
from torch.nn.utils.rnn import pack_padded_sequence, pad_packed_sequence

from sevensteps.observe.structure import (
    joined,
    main_output,
    main_target,
    map_tensors,
    rows,
    sample_count,
    spread_indices,
    tensors_of,
    to_device,
)

Pair = namedtuple("Pair", ["mean", "scale"])


@dataclass
class Answer:
    loss: Tensor
    logits: Tensor
    note: str = "kept"


class Named(OrderedDict[str, Any]):
    """A mapping made of keywords, as model libraries have them."""

    def __init__(self, **parts: Any) -> None:
        super().__init__(parts)


ONE, TWO = torch.arange(6.0).view(3, 2), torch.arange(3)
STRUCTURES: dict[str, tuple[Any, list[str]]] = {
    "tensor": (ONE, [""]),
    "tuple": ((ONE, (TWO, ONE)), ["0", "1.0", "1.1"]),
    "list": ([ONE, TWO], ["0", "1"]),
    "dict": ({"x": ONE, "rest": {"y": TWO}, "size": 3}, ["x", "rest.y"]),
    "mapping": (Named(x=ONE, y=TWO), ["x", "y"]),
    "named tuple": (Pair(ONE, TWO), ["mean", "scale"]),
    "dataclass": (Answer(torch.tensor(0.5), ONE), ["loss", "logits"]),
    "nothing": ("words", []),
}


@pytest.mark.parametrize("name", STRUCTURES)
def test_tensors_have_paths_and_are_put_back(name: str) -> None:
    value, paths = STRUCTURES[name]
    assert list(tensors_of(value)) == paths
    doubled = map_tensors(lambda t: 2 * t, value)
    assert type(doubled) is type(value)
    assert all(
        torch.equal(2 * a, b)
        for a, b in zip(tensors_of(value).values(), tensors_of(doubled).values(), strict=True)
    )
    if name == "dict":
        assert doubled["size"] == 3
    if name == "dataclass":
        assert doubled.note == "kept"


def test_the_answer_is_found_among_other_things() -> None:
    assert main_output(Answer(torch.tensor(0.5), ONE)) is ONE
    assert main_output({"hidden": torch.ones(3, 4), "logits": ONE}) is ONE
    assert main_output((torch.tensor(0.5), ONE)) is ONE  # one number is a loss
    assert main_output((TWO, ONE)) is ONE  # whole numbers are no answer
    assert main_output(TWO) is None
    assert main_output("words") is None


def test_the_target_of_the_answer_has_its_name() -> None:
    output = {"box": torch.ones(3, 4), "logits": ONE}
    assert main_target({"box": ONE, "logits": TWO}, output) is TWO
    assert main_target({"kind": TWO, "weight": ONE}, output) is TWO
    assert main_target(None, output) is None


def test_rows_are_taken_of_what_is_as_long_as_the_batch() -> None:
    batch = {"x": ONE, "mask": torch.ones(7, 7), "y": TWO}
    some = rows(batch, torch.tensor([2, 0]))
    assert torch.equal(some["x"], ONE[[2, 0]])
    assert torch.equal(some["y"], TWO[[2, 0]])
    assert some["mask"].shape == (7, 7)
    assert sample_count(rows(batch, slice(0, 2))) == 2


def test_a_packed_sequence_keeps_its_lengths() -> None:
    padded, lengths = torch.arange(24.0).view(3, 4, 2), torch.tensor([2, 4, 1])
    packed = pack_padded_sequence(padded, lengths, batch_first=True, enforce_sorted=False)
    assert sample_count(packed) == 3
    assert main_output((packed, padded)) is packed.data
    (taken,) = rows((packed,), torch.tensor([1, 2]))
    back, kept = pad_packed_sequence(taken, batch_first=True)
    assert kept.tolist() == [4, 1]
    assert torch.equal(back[0], padded[1])
    assert torch.equal(to_device(packed, "cpu").data, packed.data)
    with_more = map_tensors(lambda t: t + 1, packed)
    assert torch.equal(with_more.data, packed.data + 1)


def test_batches_of_one_form_are_joined() -> None:
    both = joined({"x": ONE, "y": TWO}, {"x": ONE[:2], "y": TWO[:2]})
    assert torch.equal(both["x"], torch.cat([ONE, ONE[:2]]))
    assert sample_count(both) == 5
    assert joined({"x": ONE}, {"z": ONE}) is None
    assert joined({"x": ONE}, {"x": torch.ones(3, 5)}) is None


def test_indices_are_spread_and_fall_on_every_kind_of_sample() -> None:
    assert spread_indices(3, 5).tolist() == [0, 1, 2]
    chosen = spread_indices(4096, 2048)
    assert (chosen // 2).tolist() == list(range(2048))
    assert 0.4 < (chosen % 2).double().mean() < 0.6
    assert len(spread_indices(3, 2).unique()) == 2


@pytest.mark.filterwarnings("ignore:Sparse CSR:UserWarning")
def test_rows_of_a_sparse_tensor_are_taken() -> None:
    dense = torch.eye(5) + torch.eye(5).roll(1, 1)
    for sparse in (dense.to_sparse(), dense.to_sparse_csr()):
        for index in (slice(1, 3), torch.tensor([4, 0]), torch.arange(5) > 2):
            taken = rows((dense, sparse), index)
            assert torch.equal(taken[1].to_dense(), dense[index])
