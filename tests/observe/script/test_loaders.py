"""The data sets that fed a network are found, with what of a batch was input and what target."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torch.utils.data import (
    DataLoader,
    Dataset,
    IterableDataset,
    Subset,
    SubsetRandomSampler,
    TensorDataset,
    WeightedRandomSampler,
)

from sevensteps.observe.any_loop_watcher import AnyLoopWatcher
from sevensteps.observe.samples import Inputs
from sevensteps.observe.script.dataset_reader import read_samples
from sevensteps.observe.script.hooks import ScriptHooks
from sevensteps.observe.script.loaders import Source, parts_of
from sevensteps.observe.script.training import ScriptTraining

pytestmark = pytest.mark.draws

X = torch.linspace(-1, 1, 720).reshape(60, 3, 4)
Y = (torch.arange(60) * 7) % 4


def trained(script: Callable[[], Any]) -> list[ScriptTraining]:
    """The trainings that a real watcher sees in `script`."""
    hooks = ScriptHooks(lambda networks, optimizers: AnyLoopWatcher(networks, optimizers, 1.0))
    hooks.install()
    try:
        script()
        hooks.discovery.end()
    finally:
        hooks.remove()
    assert hooks.failure is None
    return hooks.discovery.trainings


class Digits(Dataset[Any]):
    """Dictionaries of samples, as they lie on a disk."""

    def __len__(self) -> int:
        return len(X)

    def __getitem__(self, index: int) -> dict[str, Any]:
        return {"label": int(Y[index]), "image": X[index].double(), "name": f"{index}.png"}


class Stream(IterableDataset[Any]):
    """Samples one after another."""

    def __iter__(self) -> Iterator[Any]:
        return iter(zip(X, Y, strict=True))


def train_on(
    train: DataLoader[Any],
    valid: DataLoader[Any] | None = None,
    prepare: Callable[[Any], tuple[Tensor, Tensor]] = lambda batch: (batch[0], batch[1]),
    epochs: int = 2,
) -> None:
    net = nn.Sequential(nn.Flatten(), nn.Linear(12, 4))
    optimizer = torch.optim.SGD(net.parameters(), lr=0.1)
    for _ in range(epochs):
        for batch in train:
            x, y = prepare(batch)
            optimizer.zero_grad()
            F.cross_entropy(net(x), y).backward()
            optimizer.step()
        with torch.no_grad():
            for batch in valid or ():
                net(prepare(batch)[0])


def of_digits(batch: dict[str, Any]) -> tuple[Tensor, Tensor]:
    return batch["image"].float().view(-1, 12), batch["label"]


def test_train_and_valid_of_a_data_set_of_dictionaries() -> None:
    train, valid = Subset(Digits(), range(40)), Subset(Digits(), range(40, 60))

    def script() -> None:
        train_on(DataLoader(train, 8, shuffle=True), DataLoader(valid, 20), of_digits)

    (training,) = trained(script)
    loaders = training.loaders
    assert loaders.train is not None
    assert loaders.valid is not None
    assert loaders.parts is not None
    assert training.watcher is not None
    assert training.watcher.observation.notes["loader"] == {
        "samples": 40,
        "batch_size": 8,
        "drop_last": False,
        "shuffled": True,
        "workers": 0,
    }
    pair, why = read_samples(loaders.train, loaders.parts)
    assert why == ""
    assert pair is not None
    assert torch.equal(pair[0], X[:40].reshape(40, 12))
    assert torch.equal(pair[1], Y[:40])
    pair, _ = read_samples(loaders.valid, loaders.parts)
    assert pair is not None
    assert torch.equal(pair[1], Y[40:])


@pytest.mark.parametrize(
    "prepare",
    [
        lambda batch: (batch[0] / 2, batch[1]),
        lambda batch: (batch[0].mul_(0.5), batch[1]),
        lambda batch: (batch[0].flip(2), batch[1]),
        lambda batch: (batch[0], 3 - batch[1]),
    ],
    ids=["scaled", "scaled in place", "flipped", "other targets"],
)
def test_batches_that_the_script_changes_are_not_the_data(prepare: Any) -> None:
    def script() -> None:
        train_on(DataLoader(TensorDataset(X, Y), 10), prepare=prepare)

    (training,) = trained(script)
    assert training.loaders.train is None


def test_an_evaluation_on_the_training_data_is_no_validation() -> None:
    data = TensorDataset(X[:40], Y[:40])
    other = TensorDataset(X[40:], Y[40:])

    def script(*parts: Any) -> None:
        net = nn.Sequential(nn.Flatten(), nn.Linear(12, 4))
        optimizer = torch.optim.SGD(net.parameters(), lr=0.1)
        for _ in range(3):
            for x, y in DataLoader(data, 8, shuffle=True):
                optimizer.zero_grad()
                F.cross_entropy(net(x), y).backward()
                optimizer.step()
            with torch.no_grad():
                for part in parts:
                    for x, y in DataLoader(part, 20):
                        F.cross_entropy(net(x), y)

    (training,) = trained(lambda: script(data))
    assert training.loaders.valid is None
    assert training.watcher is not None
    assert training.watcher.observation.evaluations == []
    for parts in ((data, other), (other, data)):
        (training,) = trained(lambda parts=parts: script(*parts))  # type: ignore[misc]
        assert training.loaders.valid is not None
        assert training.loaders.valid.dataset is other
        assert training.watcher is not None
        assert len(training.watcher.observation.evaluations) == 3


def test_one_data_set_split_by_samplers() -> None:
    data = TensorDataset(X, Y)

    def loader(indices: range) -> DataLoader[Any]:
        return DataLoader(data, 10, sampler=SubsetRandomSampler(indices))

    (training,) = trained(lambda: train_on(loader(range(40)), loader(range(40, 60))))
    loaders = training.loaders
    assert loaders.train is not None
    assert loaders.valid is not None
    assert list(loaders.train.indices() or ()) == list(range(40))
    assert list(loaders.valid.indices() or ()) == list(range(40, 60))


def test_weighted_samples_are_drawn_by_their_weights() -> None:
    weights = [1.0 if label == 3 else 0.0 for label in Y]
    sampler = WeightedRandomSampler(weights, 60)
    source = Source(iter(DataLoader(TensorDataset(X, Y), 8, sampler=sampler)))
    assert {int(Y[index]) for index in source.indices() or ()} == {3}


def test_a_data_set_of_an_earlier_training_is_not_kept_alive() -> None:
    def script() -> None:
        for _ in range(2):
            train_on(DataLoader(TensorDataset(X, Y), 10))

    first, second = trained(script)
    assert first.loaders.train is not None
    assert second.loaders.train is not None
    assert (first.loaders.train.gone, second.loaders.train.gone) == (True, False)


def test_samples_that_come_one_after_another() -> None:
    (training,) = trained(lambda: train_on(DataLoader(Stream(), 10)))
    assert training.loaders.train is not None
    assert training.loaders.train.iterable


def test_several_inputs_by_name() -> None:
    batch = {"a": X, "b": X + 1, "y": Y.float()}
    arguments = Inputs((X[:5].reshape(5, 12),), {"other": X[:5] + 1, "scale": 2})
    parts = parts_of(arguments, Y[:5].float().unsqueeze(1), batch)
    assert parts is not None
    inputs, targets = parts.split(batch)
    assert torch.equal(inputs.args[0], X.reshape(60, 12))
    assert torch.equal(inputs.kwargs["other"], X + 1)
    assert inputs.kwargs["scale"] == 2
    assert targets.shape == (60, 1)
    assert parts_of(arguments, Y[5:10].float(), batch) is None


@pytest.mark.parametrize("shuffle", [False, True])
def test_inputs_and_targets_of_two_loaders_are_pairs_by_their_index(shuffle: bool) -> None:
    def script() -> None:
        net = nn.Sequential(nn.Flatten(), nn.Linear(12, 4))
        optimizer = torch.optim.SGD(net.parameters(), lr=0.1)
        images, labels = (DataLoader(of, 10, shuffle=shuffle) for of in (X, Y))
        for x, y in zip(images, labels, strict=True):
            optimizer.zero_grad()
            F.cross_entropy(net(x), y).backward()
            optimizer.step()
        with torch.no_grad():
            for x in DataLoader(X[:30], 10):
                net(x)

    [training] = trained(script)
    loaders = training.loaders
    assert loaders.train is not None
    assert loaders.parts is not None
    (x, y), why = read_samples(loaders.train, loaders.parts)  # type: ignore[misc]
    order = [int((row == X).flatten(1).all(1).nonzero()) for row in x]
    assert not why
    assert sorted(order) == list(range(60))
    assert torch.equal(y, Y[order])
    assert loaders.valid is not None
    assert read_samples(loaders.valid, loaders.parts)[1].startswith("its targets come from")


def test_two_loaders_of_other_lengths_make_no_pairs() -> None:
    def script() -> None:
        net = nn.Sequential(nn.Flatten(), nn.Linear(12, 4))
        optimizer = torch.optim.SGD(net.parameters(), lr=0.1)
        for x, y in zip(DataLoader(X, 10), DataLoader(Y[:40], 10), strict=False):
            optimizer.zero_grad()
            F.cross_entropy(net(x), y).backward()
            optimizer.step()

    [training] = trained(script)
    assert training.loaders.train is None
