"""Samples of a script's data set are read without a trace, and never for long."""

from __future__ import annotations

import random
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor
from torch.utils.data import DataLoader, Dataset, IterableDataset, Sampler

from sevensteps.observe.samples import Inputs
from sevensteps.observe.script.dataset_reader import MAX_SAMPLES, read_samples
from sevensteps.observe.script.loaders import BatchParts, Source, parts_of


class Computed(Dataset[Any]):
    """A sample is what `item(index)` gives."""

    def __init__(self, item: Callable[[int], Any], count: int = 100) -> None:
        self.item, self.count = item, count

    def __len__(self) -> int:
        return self.count

    def __getitem__(self, index: int) -> Any:
        return self.item(index)


class Stream(IterableDataset[Any]):
    """Samples one after another."""

    def __iter__(self) -> Iterator[Any]:
        return iter([plain(0)])


def plain(index: int) -> tuple[Tensor, int]:
    return torch.full((2,), float(index)), index


def parts() -> BatchParts:
    x, y = torch.ones(3, 2), torch.arange(3)
    found = parts_of(Inputs((x,)), y, {"0": x, "1": y})
    assert found is not None
    return found


def source_of(dataset: Any, **loader: Any) -> Source:
    return Source(iter(DataLoader(dataset, batch_size=8, **loader)))


@pytest.mark.draws
def test_samples_are_spread_over_all_data() -> None:
    pair, why = read_samples(source_of(Computed(plain, 5000)), parts())
    assert why == ""
    assert pair is not None
    x, y = pair
    assert torch.equal(x[:, 0].long(), y)
    assert MAX_SAMPLES <= len(y) <= MAX_SAMPLES + 64
    assert len(y.unique()) == len(y)
    assert int(y.max()) >= 4997
    assert abs(y.double().mean().item() - 2500) < 20


@pytest.mark.draws
def test_reading_leaves_no_trace(capsys: pytest.CaptureFixture[str]) -> None:
    def item(index: int) -> tuple[Tensor, int]:
        print("reading", index)
        noise = torch.rand(()) + random.random() + float(np.random.rand())
        return torch.ones(2) * noise, index

    source = source_of(Computed(item))
    states = torch.random.get_rng_state(), random.getstate(), np.random.get_state()[1].tolist()
    pair, _ = read_samples(source, parts())
    assert pair is not None
    assert pair[0][:, 0].std() > 0.1
    assert torch.equal(torch.random.get_rng_state(), states[0])
    assert random.getstate() == states[1]
    assert np.random.get_state()[1].tolist() == states[2]
    screen = capsys.readouterr()
    assert (screen.out, screen.err) == ("", "")


@pytest.mark.draws
def test_what_cannot_be_read_is_said() -> None:
    def broken(index: int) -> Any:
        raise OSError("the file is closed")

    class Own(Sampler[int]):
        def __iter__(self) -> Any:
            return iter(range(10))

    answers = [
        (read_samples(source_of(Computed(broken)), parts()), "OSError: the file is closed"),
        (read_samples(source_of(Computed(plain, 0)), parts()), "empty"),
        (read_samples(source_of(Computed(plain), sampler=Own()), parts()), "sampler of the script"),
        (read_samples(source_of(Stream()), parts()), "only once"),
    ]
    for (pair, why), words in answers:
        assert pair is None
        assert words in why


@pytest.mark.draws
def test_slow_samples_end_in_time_and_an_alarm_of_the_script_stays() -> None:
    def slow(index: int) -> tuple[Tensor, int]:
        time.sleep(0.01)
        return plain(index)

    before = signal.signal(signal.SIGALRM, ring := lambda *_: None)
    try:
        began = time.monotonic()
        pair, why = read_samples(source_of(Computed(slow, 5000)), parts(), seconds=0.05)
        assert time.monotonic() - began < 20
        assert pair is not None
        assert why.startswith(f"only {len(pair[0])} samples of its data set could be read")
        assert signal.getsignal(signal.SIGALRM) == ring
    finally:
        signal.signal(signal.SIGALRM, before)


HANGING = """
import signal, time
import torch
from torch.utils.data import DataLoader
from sevensteps.observe.script.dataset_reader import read_samples
from tests.observe.script.test_dataset_reader import Computed, parts, source_of

def hanging(index):
    while True:
        try:
            time.sleep(60)
        except Exception:
            pass

print(read_samples(source_of(Computed(hanging)), parts(), seconds=0.2))
print(signal.getsignal(signal.SIGALRM) == signal.SIG_DFL, signal.getitimer(signal.ITIMER_REAL))
"""


@pytest.mark.long
def test_a_sample_that_never_comes() -> None:
    run = subprocess.run(
        [sys.executable, "-c", HANGING], capture_output=True, text=True, timeout=100, check=False
    )
    assert run.stdout.splitlines() == [
        "(None, 'its data set gave no batch within 0.2 s')",
        "True (0.0, 0.0)",
    ], run.stderr


@pytest.mark.draws
def test_a_data_set_of_whole_batches() -> None:
    batches = Computed(lambda i: (torch.full((4, 2), float(i)), torch.full((4,), i)), 5)
    pair, why = read_samples(Source(iter(DataLoader(batches, batch_size=None))), parts())
    assert why == ""
    assert pair is not None
    assert pair[1].tolist() == [i for i in range(5) for _ in range(4)]
