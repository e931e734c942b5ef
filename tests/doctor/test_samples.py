"""What people hand over as training or validation data."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from torch.utils.data import DataLoader, TensorDataset

from sevensteps.doctor.samples import MAX_SAMPLES, pair_of
from sevensteps.errors import ArgumentError

X, Y = torch.arange(30.0).view(10, 3), torch.arange(10)


@pytest.mark.parametrize(
    "given",
    [
        (X, Y),
        [X, Y],
        (X.numpy(), Y.numpy()),
        TensorDataset(X, Y),
        DataLoader(TensorDataset(X, Y), 4),
    ],
    ids=["tensors", "list", "arrays", "dataset", "loader"],
)
def test_all_forms_are_one_pair(given: Any) -> None:
    found = pair_of("train", given)
    assert found is not None
    assert torch.equal(found[0], X)
    assert torch.equal(found[1], Y)


def test_a_shuffling_loader_leaves_the_global_generator_alone() -> None:
    before = torch.random.get_rng_state()
    found = pair_of("train", DataLoader(TensorDataset(X, Y), 4, shuffle=True))
    assert torch.equal(torch.random.get_rng_state(), before)
    assert found is not None
    assert sorted(found[1].tolist()) == Y.tolist()
    assert torch.equal(found[0][:, 0], 3.0 * found[1])  # inputs and targets stay together


def test_a_large_loader_is_not_read_to_its_end() -> None:
    found = pair_of(
        "train", TensorDataset(torch.zeros(3 * MAX_SAMPLES, 1), torch.zeros(3 * MAX_SAMPLES))
    )
    assert found is not None
    assert len(found[0]) == MAX_SAMPLES


class Rows(torch.utils.data.Dataset[Any]):
    """Samples in whatever form."""

    def __init__(self, form: str) -> None:
        self.form = form

    def __len__(self) -> int:
        return len(X)

    def __getitem__(self, index: int) -> Any:
        if self.form == "three":
            return X[index], Y[index], 2 * Y[index]
        return {"x": X[index], "n": Y[index], "labels": 2 * Y[index]}


@pytest.mark.parametrize(
    ("form", "inputs"), [("three", None), ("named", None), ("named", ("x", "n"))]
)
def test_batches_of_several_parts_are_split(form: str, inputs: Any) -> None:
    found = pair_of("train", DataLoader(Rows(form), 4), inputs)
    assert found is not None
    parts = found[0] if form == "three" else (found[0]["x"], found[0]["n"])
    assert torch.equal(parts[0], X)
    assert torch.equal(parts[1], Y)
    assert torch.equal(found[1], 2 * Y)


def test_inputs_says_what_the_network_is_given() -> None:
    by_place = pair_of("train", DataLoader(Rows("three"), 4), (0,))
    assert by_place is not None
    assert torch.equal(by_place[0], X)
    assert [t.tolist() for t in by_place[1]] == [Y.tolist(), (2 * Y).tolist()]
    by_name = pair_of("train", Rows("named"), ("x",))
    assert by_name is not None
    assert list(by_name[0]) == ["x"]
    assert list(by_name[1]) == ["n", "labels"]
    with pytest.raises(ArgumentError, match="say which of them"):
        pair_of("train", Rows("named"), ("z",))


def test_tuples_and_dictionaries_of_tensors_and_arrays_are_taken() -> None:
    several = pair_of("train", ((X, Y.numpy()), Y))
    assert several is not None
    assert torch.equal(several[0][1], Y)
    named = pair_of("train", ({"x": X.numpy(), "n": Y}, {"first": Y, "second": X}))
    assert named is not None
    assert torch.equal(named[0]["x"], X)
    assert set(named[1]) == {"first", "second"}
    with pytest.raises(ArgumentError, match=r"inputs \[10, 3\], \[10\] and targets \[5\]"):
        pair_of("train", ((X, Y), Y[:5]))


@pytest.mark.parametrize(
    ("given", "said"),
    [
        (X, "must be a pair"),
        ((X, Y[:5]), r"inputs \[10, 3\] and targets \[5\]"),
        ((X[:0], Y[:0]), "at least one sample"),
        (([["a"]], [0]), "must hold numbers"),
        (DataLoader([X], 1), "not pairs"),
        ("digits", "not a str"),
        (DataLoader([]), "no batch"),
    ],
    ids=["one tensor", "lengths", "empty", "words", "no targets", "a name", "empty loader"],
)
def test_the_rest_is_refused_in_one_line(given: Any, said: str) -> None:
    with pytest.raises(ArgumentError, match=said):
        pair_of("valid", given)


def test_nothing_stays_nothing() -> None:
    assert pair_of("valid", None) is None
