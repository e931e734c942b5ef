"""The process that trains: how many threads it takes, and that it gives back what it found."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path

import pytest
import torch
from torch import nn

import sevensteps as ss
from sevensteps.engine import matmul
from sevensteps.engine.distributed.process_group import processes_on_this_machine
from sevensteps.engine.parameters import multiplications
from sevensteps.errors import ArgumentError
from sevensteps.seeds import generator
from sevensteps.training import threads
from sevensteps.training.recipe import Recipe
from sevensteps.training.resolve import ResolvedRecipe, resolve


@pytest.fixture
def two_threads() -> Iterator[None]:
    """Two threads, whatever tests before this one left."""
    before = torch.get_num_threads()
    torch.set_num_threads(2)
    yield
    torch.set_num_threads(before)


@dataclass
class Machine:
    """What a process sees of the machine it is on."""

    cores: int
    busy: int = 0
    limit: int = 1_000  # that PyTorch was given


@pytest.fixture
def on(monkeypatch: pytest.MonkeyPatch) -> Callable[[Machine], None]:
    """The process on another machine."""

    def on(machine: Machine) -> None:
        monkeypatch.setattr(threads, "usable_cores", lambda: machine.cores)
        monkeypatch.setattr(threads, "usable_processors", lambda: machine.cores)
        monkeypatch.setattr("os.cpu_count", lambda: machine.cores)
        monkeypatch.setattr(threads, "busy_processors", lambda: machine.busy)
        monkeypatch.setattr(torch, "get_num_threads", lambda: machine.limit)

    return on


def digits(predict: str = "mlp(30)") -> ResolvedRecipe:
    # half of the samples
    return resolve(Recipe("digits", predict=predict, repeat="batches(719)"))


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
def test_the_work_of_a_step(predict: str, work: int) -> None:
    resolved = digits(predict)
    assert multiplications(resolved.network, (1, 8, 8)) == work
    assert threads.step_work(resolved) == 719 * work


def test_the_work_of_a_race_is_that_of_one_product() -> None:
    assert threads.step_work(digits(), 16) == 719 * (64 * 30 + 30 * 10) * 16 / 2


# a machine, by its cores and how many are busy, and the threads of steps of so many times FOR_TWO
@pytest.mark.parametrize(
    ("machine", "counts"),
    [
        (Machine(1), {0.1: 1, 1: 1, 100: 1}),
        (Machine(1, busy=1), {100: 1}),
        (Machine(2), {0.9: 1, 1: 2, 100: 2}),
        (Machine(2, busy=1), {0.9: 1, 1: 1, 100: 1}),
        (Machine(2, busy=2), {100: 1}),
        (Machine(4), {0.9: 1, 1: 2, 2.5: 3, 4: 4, 100: 4}),
        (Machine(4, busy=1), {1: 2, 100: 3}),
        (Machine(16), {0.9: 1, 1: 2, 4: 4, 16: 8, 64: 16, 1000: 16}),
        (Machine(16, busy=1), {4: 4, 1000: 15}),
        (Machine(16, busy=14), {0.9: 1, 4: 2, 1000: 2}),
        (Machine(16, limit=6), {1: 2, 1000: 6}),
        (Machine(16, limit=1), {1000: 1}),
    ],
    ids=str,
)
def test_what_allows_least_decides(
    machine: Machine,
    counts: dict[float, int],
    on: Callable[[Machine], None],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    resolved = digits()
    work = threads.step_work(resolved)
    on(machine)
    for factor, count in counts.items():
        monkeypatch.setattr(threads, "FOR_TWO", work / factor)
        assert threads.choose_threads(resolved)[0] == count


@pytest.mark.parametrize(
    ("machine", "for_two", "choice"),
    [
        (Machine(4), 5e6, (1, "a step of 1.6 million multiplications")),
        (Machine(4), 1e6, (2, "a step of 1.6 million multiplications")),
        (Machine(4), 1e3, (4, "all cores that it may use")),
        (Machine(4, limit=3), 1e3, (3, "what PyTorch is limited to")),
        (Machine(4, busy=2), 1e3, (2, "2 of 4 processors busy")),
    ],
    ids=str,
)
def test_the_reason(
    machine: Machine,
    for_two: float,
    choice: tuple[int, str],
    on: Callable[[Machine], None],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    resolved = digits()
    on(machine)
    monkeypatch.setattr(threads, "FOR_TWO", for_two)
    assert threads.choose_threads(resolved) == choice
    recipe = threads.with_threads(resolved).recipe
    assert (recipe.threads, recipe.reasons["threads"]) == choice
    assert f"threads = {choice[0]} # {choice[1]}" in recipe.to_toml()
    asked = replace(resolved, recipe=replace(resolved.recipe, threads=7))
    recipe = threads.with_threads(asked).recipe
    assert (recipe.threads, recipe.reasons["threads"]) == (7, "as asked")


def test_who_else_is_at_work_is_asked_only_where_it_matters(
    on: Callable[[Machine], None], monkeypatch: pytest.MonkeyPatch
) -> None:
    on(Machine(4))

    def busy() -> int:
        raise AssertionError

    monkeypatch.setattr(threads, "busy_processors", busy)
    assert threads.choose_threads(digits())[0] == 1


def test_a_training_says_its_threads_and_why(tmp_path: Path) -> None:
    run = ss.train("xor", stop="max_steps(1)", out=tmp_path / "run")
    summary = json.loads((tmp_path / "run" / "run.json").read_text())
    assert summary["threads"] == run.recipe.threads == 1
    why = summary["reasons"]["threads"]
    assert why.startswith("a step of ")
    assert why == run.recipe.reasons["threads"] == ss.load(run.folder).summary["reasons"]["threads"]


def test_a_recipe_repeats_to_the_same_bits_with_no_cache_at_all(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Wide layers, whose products have two kernels, and the threads written into the recipe."""
    x = torch.randn(1024, 200, generator=generator(0, "split"))
    data = ss.data.from_arrays(x, (x[:, 0] > 0).long())
    recipe = ss.Recipe(data, predict="mlp(200, 100)", repeat="batches(512)", stop="epochs(2)")
    networks = []
    for home in ("one", "two"):
        for name in ("HOME", "XDG_CACHE_HOME", "LOCALAPPDATA"):
            monkeypatch.setenv(name, str(tmp_path / home))
        monkeypatch.setattr(matmul, "_by_shape", {})
        run = ss.train(recipe, out=False, watch=0)
        recipe = replace(run.recipe, data=data)
        networks.append(run.network.state_dict())
        # nothing is remembered outside of the recipe
        assert not (tmp_path / home).exists()
    assert run.recipe.threads == recipe.threads
    assert all(torch.equal(networks[0][name], networks[1][name]) for name in networks[0])


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
    on: Callable[[Machine], None], monkeypatch: pytest.MonkeyPatch
) -> None:
    resolved = digits()
    monkeypatch.setattr(threads, "FOR_TWO", 1)
    on(Machine(8))
    assert (processes_on_this_machine(), threads.choose_threads(resolved)[0]) == (1, 8)
    threads.refuse_threads(64)  # one process may take what it is told to
    for name, held in {"RANK": "1", "WORLD_SIZE": "8", "LOCAL_WORLD_SIZE": "4"}.items():
        monkeypatch.setenv(name, held)
    assert processes_on_this_machine() == 4
    shared = (2, "the cores of this machine, shared by 4 processes")
    assert threads.choose_threads(resolved) == shared
    on(Machine(8, busy=3))  # the others of the group, at work already
    assert threads.choose_threads(resolved) == shared
    threads.refuse_threads(2)
    with pytest.raises(
        ArgumentError,
        match="4 processes of 3 threads each are more than the 8 processors of this machine; use "
        "threads=2",
    ):
        threads.refuse_threads(3)
    on(Machine(2))
    assert threads.choose_threads(resolved)[0] == 1
    threads.refuse_threads(1)  # fewer there are not
