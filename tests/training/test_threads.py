"""The process that trains: how many threads it takes, and that it gives back what it found."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
import torch
from torch import nn

from sevensteps.engine.distributed.process_group import processes_on_this_machine
from sevensteps.engine.parameters import multiplications
from sevensteps.errors import ArgumentError
from sevensteps.training import threads
from sevensteps.training.recipe import Recipe
from sevensteps.training.resolve import resolve


@pytest.fixture
def two_threads() -> Iterator[None]:
    """Two threads, whatever tests before this one left."""
    before = torch.get_num_threads()
    torch.set_num_threads(2)
    yield
    torch.set_num_threads(before)


@pytest.mark.parametrize(
    ("predict", "work"),
    [
        ("linear()", 64 * 10),
        ("mlp(30, 20, batch_norm=True)", 64 * 30 + 30 * 20 + 20 * 10),
        # 3 × 3 convolutions at 8 × 8 places, and at the 4 × 4 that pooling leaves, then a linear
        # layer over 2 × 2 of them
        ("cnn(4, 6)", 9 * 4 * 64 + 9 * 4 * 6 * 16 + 6 * 4 * 10),
        ("pixel_similarity()", 0),
    ],
)
def test_the_work_of_a_step_decides_the_threads(
    predict: str, work: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    # half of the samples
    resolved = resolve(Recipe("digits", predict=predict, repeat="batches(719)"))
    assert multiplications(resolved.network, (1, 8, 8)) == work
    for had, processors, most in (
        (1, 1, 1),
        (2, 2, 1),
        (6, 6, 3),
        (64, 64, 4),
        (2, 4, 2),
        (12, 64, 12),
    ):
        monkeypatch.setattr(torch, "get_num_threads", lambda had=had: had)
        monkeypatch.setattr("os.cpu_count", lambda processors=processors: processors)
        monkeypatch.setattr(threads, "LITTLE", 719 * work + 1)
        assert threads.usual_threads(resolved) == 1
        monkeypatch.setattr(threads, "LITTLE", 719 * work)
        assert threads.usual_threads(resolved) == most


def test_the_work_of_a_network_from_outside_counts_each_weight_once() -> None:
    network = nn.utils.skip_init(nn.Conv2d, 1, 2, 3)
    network.forward = lambda x: x  # type: ignore[method-assign]  # it may do anything
    assert multiplications(network, (1, 8, 8)) == 18


@pytest.mark.usefixtures("two_threads")
def test_threads_are_set_and_put_back() -> None:
    before = torch.get_num_threads()
    with threads.threads(1) as used:
        assert (used, torch.get_num_threads()) == (1, 1)
    assert torch.get_num_threads() == before
    with threads.threads(3) as used:
        assert used == torch.get_num_threads() == 3
    with pytest.raises(KeyError), threads.threads(1):
        raise KeyError
    assert torch.get_num_threads() == before


def test_processes_that_share_a_machine_share_its_processors(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    resolved = resolve(Recipe("digits", predict="mlp(30)", repeat="batches(719)"))
    monkeypatch.setattr(threads, "LITTLE", 0)
    monkeypatch.setattr(torch, "get_num_threads", lambda: 8)
    monkeypatch.setattr("os.cpu_count", lambda: 8)
    assert (processes_on_this_machine(), threads.usual_threads(resolved)) == (1, 4)
    threads.refuse_threads(64)  # one process may take what it is told to
    for name, held in {"RANK": "1", "WORLD_SIZE": "8", "LOCAL_WORLD_SIZE": "4"}.items():
        monkeypatch.setenv(name, held)
    assert (processes_on_this_machine(), threads.usual_threads(resolved)) == (4, 1)
    threads.refuse_threads(2)
    with pytest.raises(
        ArgumentError,
        match="4 processes of 3 threads each are more than the 8 processors of this machine; use "
        "threads=2",
    ):
        threads.refuse_threads(3)
    monkeypatch.setattr("os.cpu_count", lambda: 2)
    threads.refuse_threads(1)  # fewer there are not
