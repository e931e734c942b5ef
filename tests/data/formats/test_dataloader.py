"""A DataLoader as data: its samples, to the bit, once; nothing global moves, and what is no batch
is said in one line.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image
from torch.utils.data import DataLoader, Dataset, IterableDataset, TensorDataset

import sevensteps as ss
from sevensteps.data import from_arrays, from_loader
from sevensteps.data.formats import dataloader as module
from sevensteps.errors import Error

X = torch.randn(90, 5, generator=torch.Generator().manual_seed(0))
Y = (X[:, 0] > 0).long()
SAMPLES = TensorDataset(X, Y)


class Squares(Dataset[Any]):
    """Samples as most datasets give them: one at a time, a tensor and a number."""

    def __len__(self) -> int:
        return 30

    def __getitem__(self, index: int) -> tuple[torch.Tensor, int]:
        if index >= 30:
            raise IndexError
        return torch.full((1, 4, 4), float(index)), index % 3


class Stream(IterableDataset[Any]):
    def __iter__(self) -> Iterator[tuple[torch.Tensor, float]]:
        return ((row, float(row.sum())) for row in X)


def alike(one: ss.data.Data, other: ss.data.Data) -> bool:
    return all(
        torch.equal(a, b)
        for part in ("train", "valid")
        for a, b in (
            (getattr(one, part).x, getattr(other, part).x),
            (getattr(one, part).y, getattr(other, part).y),
        )
    )


@pytest.mark.parametrize(
    "train",
    [
        SAMPLES,
        DataLoader(SAMPLES, batch_size=32),
        [(X[:50], Y[:50]), (X[50:], Y[50:])],
        [(X[:50].tolist(), Y[:50].tolist()), (X[50:].numpy(), Y[50:].numpy())],
    ],
)
def test_it_is_what_its_samples_are(train: Any) -> None:
    data = from_loader(train, SAMPLES, seed=4)
    assert alike(data, from_arrays(X, Y, valid=(X, Y), seed=4))
    assert alike(from_loader(train, seed=4), from_arrays(X, Y, seed=4))
    assert (data.source, data.about) == (
        "loader",
        f"90 samples of a {type(train).__name__}, taken once",
    )
    assert from_loader(train, None).about.endswith("; trained and validated on the same samples")


def test_the_samples_of_a_shuffled_loader_are_the_same_and_in_an_order_of_their_seed() -> None:
    train = DataLoader(SAMPLES, batch_size=32, shuffle=True)
    one, again, other = (from_loader(train, SAMPLES, seed=seed) for seed in (0, 0, 1))
    assert alike(one, again)
    assert not torch.equal(one.train.x, other.train.x)
    assert torch.equal(one.train.x.sort(0).values, X.sort(0).values)


def test_nothing_global_moves() -> (
    None
):  # the fixture of all tests fails where PyTorch's generator does
    before = np.random.get_state()[1].copy()
    from_loader(DataLoader(SAMPLES, batch_size=8, shuffle=True), DataLoader(SAMPLES, batch_size=8))
    assert (np.random.get_state()[1] == before).all()


def test_datasets_of_every_form() -> None:
    pictures = from_loader(Squares())
    assert (pictures.kind, pictures.task.classes, len(pictures.train)) == (
        "image",
        ("0", "1", "2"),
        24,
    )
    assert sorted(torch.cat([pictures.train.x, pictures.valid.x])[:, 0, 0, 0].tolist()) == list(
        range(30)
    )
    stream = from_loader(Stream(), target_scale="standardize")
    assert (stream.task.kind, len(stream.train)) == ("regression", 72)
    assert alike(from_loader(DataLoader(Squares(), batch_size=7)), pictures)
    assert len(from_loader(DataLoader(SAMPLES, batch_size=32, drop_last=True), SAMPLES).train) == 64


def test_targets_as_texts_and_names() -> None:
    named = from_loader([(X[:2], ["cat", "dog"]), (X[2:4], ("dog", "cat"))], None)
    assert (named.task.classes, named.train.y[:, 0].tolist()) == (("cat", "dog"), [0, 1, 1, 0])
    assert from_loader(SAMPLES, classes=("no", "yes"), features=list("abcde")).task.classes == (
        "no",
        "yes",
    )


def test_batches_that_are_filled_anew() -> None:
    buffer = torch.zeros(4, 2)

    def batches() -> Iterator[tuple[torch.Tensor, torch.Tensor]]:
        for value in (1.0, 2.0):
            buffer.fill_(value)
            yield buffer, torch.tensor([0, 1, 0, 1])

    assert from_loader(batches(), None).train.x[:, 0].tolist() == [1] * 4 + [2] * 4


def test_it_trains() -> None:
    data = from_loader(
        DataLoader(SAMPLES, batch_size=16, shuffle=True), DataLoader(SAMPLES, batch_size=16)
    )
    run = ss.train(data, predict="linear()", repeat=ss.batches(16), stop="epochs(20)", out=False)
    assert run.metrics["valid"]["accuracy"] > 0.9


class Bad(Dataset[Any]):
    def __init__(self, *samples: Any) -> None:
        self.samples = samples

    def __len__(self) -> int:
        return len(self.samples)

    def __getitem__(self, index: int) -> Any:
        return self.samples[index]


@pytest.mark.parametrize(
    ("train", "message"),
    [
        (
            3,
            "loader: training data must be a DataLoader, a torch.utils.data.Dataset or batches "
            "(x, y), not a int",
        ),
        (
            "digits",
            "loader: training data must be a DataLoader, a torch.utils.data.Dataset or batches "
            "(x, y), not a str",
        ),
        ([], "loader: the training data give no batch; check the dataset and drop_last"),
        (
            DataLoader(SAMPLES, batch_size=100, drop_last=True),
            "loader: the training data give no batch; check the dataset and drop_last",
        ),
        (
            [{"x": X, "y": Y}],
            "loader: training batch 1 is a dict of x, y; a batch must be a pair (x, y)",
        ),
        ([X], "loader: training batch 1 is a Tensor; a batch must be a pair (x, y)"),
        (
            [(X, Y), (X, Y, Y)],
            "loader: training batch 2 is a tuple of 3; a batch must be a pair (x, y)",
        ),
        (
            [(X, Y[:9])],
            "loader: training batch 1 has inputs [90, 5] and targets [9]; give one target for "
            "each input",
        ),
        (
            [(X, 1)],
            "loader: training batch 1 has inputs [90, 5] and targets []; give one target for each "
            "input",
        ),
        (
            [(X, Y), (X[:, :3], Y)],
            "loader: training batch 2 has inputs [90, 3], the first [90, 5]; give all samples one "
            "shape",
        ),
        (
            [(X, Y), (X, Y[:, None])],
            "loader: the targets of the training batches have several shapes; give all samples "
            "one shape",
        ),
        (
            [("ab", Y)],
            "loader: training batch 1 cannot be made tensors: new(): invalid data type 'str'",
        ),
        (
            TensorDataset(X),
            "loader: the training TensorDataset has 1 tensors; give two: inputs and targets",
        ),
    ],
)
def test_what_is_no_data(train: Any, message: str) -> None:
    with pytest.raises(Error) as caught:
        from_loader(train)
    assert str(caught.value) == message


@pytest.mark.parametrize(
    "samples",
    [
        [(Image.new("L", (4, 4)), 0)],
        [(torch.zeros(3), 0), (torch.zeros(4), 1)],
        [(None, 1)],
    ],
)
def test_samples_that_cannot_be_put_together(samples: list[Any]) -> None:
    with pytest.raises(
        Error,
        match=r"^loader: the validation samples cannot be put together: .*; give the dataset a "
        r"transform that makes "
        r"tensors of one size$",
    ) as caught:
        from_loader(SAMPLES, Bad(*samples))
    assert "\n" not in str(caught.value)


def test_an_error_of_the_loader_itself_is_its_own() -> None:
    def broken() -> Iterator[Any]:
        yield X, Y
        raise RuntimeError("the camera is off")

    with pytest.raises(RuntimeError, match="the camera is off"):
        from_loader(broken())


def test_a_loader_without_end(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "bytes_allowed", lambda memory: 30_000)

    def endless() -> Iterator[Any]:
        while True:
            yield X, Y

    with pytest.raises(
        Error,
        match=r"^loader: the training samples take more than 0.0 GB, which do not fit into "
        r"memory; does it end\? "
        r"Give fewer, or save them with numpy.save and train on the file$",
    ):
        from_loader(endless())


def test_a_loader_or_a_dataset_can_be_trained_on_as_it_is() -> None:
    for train in (SAMPLES, DataLoader(SAMPLES, batch_size=32)):
        run = ss.train(train, stop="epochs(2)", out=False, seed=3)
        assert run.recipe.source == "loader"
        assert run.summary["data"]["train"] + run.summary["data"]["valid"] == 90
