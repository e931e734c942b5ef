"""A case in a folder: the same findings come back on another machine, and a folder that is damaged
is said to be, in one line.
"""

from __future__ import annotations

import functools
import json
import shutil
import sqlite3
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor, nn

import sevensteps as ss
from sevensteps.api.watch import Watch
from sevensteps.doctor.case_folder import load_case
from sevensteps.doctor.finding import Finding
from sevensteps.errors import RunError


@dataclass
class Loop:
    """A plain training of a few steps, and the condition that is at fault, if one is."""

    network: Callable[[], nn.Module]
    loss: Callable[[Tensor, Tensor], Tensor] = F.cross_entropy
    lr: float = 0.3
    fault: str | None = None
    clear: bool = True
    numbers: bool = False  # a regression
    epochs: int = 12


def mlp(*, outputs: int = 3) -> nn.Sequential:
    return nn.Sequential(nn.Linear(8, 24), nn.ReLU(), nn.Linear(24, outputs))


def equal() -> nn.Sequential:
    network = mlp()
    for parameter in network.parameters():
        nn.init.constant_(parameter, 0.05)
    return network


LOOPS = {
    "healthy": Loop(mlp),
    "healthy, tanh": Loop(lambda: nn.Sequential(nn.Linear(8, 24), nn.Tanh(), nn.Linear(24, 3))),
    "healthy, regression": Loop(lambda: mlp(outputs=1), F.mse_loss, 0.05, numbers=True, epochs=30),
    "equal weights": Loop(equal, fault="symmetric_units"),
    "long steps": Loop(mlp, lr=300.0, fault="learning_rate_too_high"),
    "softmax twice": Loop(
        lambda: nn.Sequential(*mlp(), nn.Softmax(1)), fault="output_loss_mismatch"
    ),
    "never cleared": Loop(mlp, lr=1.0, clear=False, fault="gradient_not_cleared", epochs=20),
    "diverged regression": Loop(
        lambda: mlp(outputs=1), F.mse_loss, 1e3, fault="learning_rate_too_high", numbers=True
    ),
}


@pytest.fixture(autouse=True)
def own_random_numbers() -> Iterator[None]:
    """Layers draw their first weights from the global generator; the tests put it back."""
    with torch.random.fork_rng():
        torch.manual_seed(0)
        yield


def data(numbers: bool) -> tuple[tuple[Tensor, Tensor], tuple[Tensor, Tensor]]:
    """Three clouds, or the sum of the first inputs; for training and validation."""
    generator = torch.Generator().manual_seed(3)
    x, y = torch.randn(600, 8, generator=generator), torch.arange(600) % 3
    if numbers:
        target = x[:, :3].sum(1, keepdim=True)
        return (x[:400], target[:400]), (x[400:], target[400:])
    x[torch.arange(600), y] += 3.0
    return (x[:400], y[:400]), (x[400:], y[400:])


@functools.cache
def trained_once(name: str) -> tuple[Watch, nn.Module]:
    """The watch over the loop of that name, and its network."""
    watch = trained(LOOPS[name])
    return watch, watch.network


def trained(loop: Loop) -> Watch:
    network = loop.network()
    optimizer = torch.optim.SGD(network.parameters(), lr=loop.lr)
    (x, y), _ = data(loop.numbers)
    order = torch.Generator().manual_seed(0)
    with ss.watch(network, optimizer, budget=1.0) as watch:
        for _ in range(loop.epochs):
            for chosen in torch.randperm(len(x), generator=order).split(50):
                loss = loop.loss(network(x[chosen]), y[chosen])
                if loop.clear:
                    optimizer.zero_grad()
                loss.backward()
                optimizer.step()
                watch.step(loss, target=y[chosen])
    assert isinstance(watch, Watch)
    return watch


def said(findings: list[Finding]) -> list[Any]:
    return [
        (f.condition, f.step, f.severity, round(f.confidence, 3), f.onset, said(f.symptoms))
        for f in findings
    ]


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """One that is whole, of a loop with equal weights."""
    with torch.random.fork_rng():
        torch.manual_seed(0)
        train, valid = data(False)
        return trained(LOOPS["equal weights"]).save(
            tmp_path_factory.mktemp("kept") / "whole", train, valid, F.cross_entropy
        )


@pytest.fixture
def copy(folder: Path, tmp_path: Path) -> Path:
    """A copy of it, to damage."""
    return Path(shutil.copytree(folder, tmp_path / "copy"))


# -- there and back --------------------------------------------------------------------------------


@pytest.mark.parametrize("with_data", [True, False], ids=["with the data", "from looks alone"])
@pytest.mark.parametrize("name", LOOPS)
@pytest.mark.sampled(3)
def test_the_same_findings_come_back(name: str, with_data: bool, tmp_path: Path) -> None:
    loop = LOOPS[name]
    watch, network = trained_once(name)
    watch.network = network
    train, valid = data(loop.numbers)
    given: dict[str, Any] = (
        {"train": train, "valid": valid, "loss_fn": loop.loss} if with_data else {}
    )
    before = watch.diagnose(**given)
    grave = [f.condition for f in before.findings if f.severity != "info"]
    assert grave[:1] == ([loop.fault] if loop.fault else [])
    made = watch.save(tmp_path / "here", **given)
    watch.network = nn.Identity()  # the network stays behind
    elsewhere = made.rename(tmp_path / "elsewhere")
    after = ss.diagnose(elsewhere)
    assert after.case.network is None
    assert said(after.findings) == said(before.findings)
    assert (
        json.loads((elsewhere / "watch.json").read_text())["findings"]
        == before.to_dict()["findings"]
    )


def test_the_folder_says_what_is_in_it(folder: Path) -> None:
    held = json.loads((folder / "watch.json").read_text())
    assert (held["schema"], held["steps"], held["network"]) == (1, 96, "Sequential")
    assert [finding["condition"] for finding in held["findings"]] == ["symmetric_units"]
    assert sorted(path.name for path in folder.iterdir()) == ["record.sqlite", "watch.json"]


def test_what_was_seen_comes_back_whole(tmp_path: Path) -> None:
    watch = trained(LOOPS["healthy"])
    train, valid = data(False)
    case = load_case(watch.save(tmp_path / "kept", train, valid, F.cross_entropy))
    assert case.losses == watch.observation.losses
    assert [look.step for look in case.looks] == [look.step for look in watch.observation.looks]
    assert case.facts == watch.observation.facts
    assert case.observation.rates == watch.observation.rates
    assert case.scores["valid"] == pytest.approx(
        (watch.network(valid[0]).argmax(1) == valid[1]).double().mean().item()
    )
    assert case.sample is not None
    assert torch.equal(case.sample[0], train[0])
    assert case.valid_outputs is not None
    assert torch.allclose(case.valid_outputs, watch.network(valid[0]).detach())


def test_a_folder_that_may_not_be_written_can_be_read(copy: Path) -> None:
    for path in copy.iterdir():
        path.chmod(0o444)
    copy.chmod(0o555)
    try:
        assert [finding.condition for finding in ss.diagnose(copy).findings] == ["symmetric_units"]
    finally:
        copy.chmod(0o755)


# -- what is refused -------------------------------------------------------------------------------


def test_a_folder_with_something_in_it_is_not_written_over(tmp_path: Path) -> None:
    watch = trained(Loop(mlp, epochs=1))
    (tmp_path / "taken").mkdir()
    (tmp_path / "taken" / "thesis.txt").write_text("mine")
    with pytest.raises(RunError, match="taken is not empty"):
        watch.save(tmp_path / "taken")
    assert [(path.name, path.read_text()) for path in (tmp_path / "taken").iterdir()] == [
        ("thesis.txt", "mine")
    ]
    (tmp_path / "file").write_text("mine")
    with pytest.raises(RunError, match=r"file cannot be made: a file of that name"):
        watch.save(tmp_path / "file")
    kept = watch.save(tmp_path / "kept")
    with pytest.raises(RunError, match="kept is not empty"):
        watch.save(kept)


def sql(*commands: str) -> Callable[[Path], None]:
    def damage(folder: Path) -> None:
        database = sqlite3.connect(folder / "record.sqlite")
        for command in commands:
            assert database.execute(command).rowcount != 0  # it met a row, or was no change of rows
        database.commit()
        database.close()

    return damage


def cut(share: float) -> Callable[[Path], None]:
    def damage(folder: Path) -> None:
        path = folder / "record.sqlite"
        path.write_bytes(path.read_bytes()[: int(share * path.stat().st_size)])

    return damage


def overwrite(folder: Path) -> None:
    (folder / "record.sqlite").write_bytes(b"no database" * 1000)


DAMAGES: dict[str, Callable[[Path], None]] = {
    "nothing left of the record": cut(0),
    "half of the header": cut(0.0005),
    "a third of the record": cut(0.33),
    "most of the record": cut(0.9),
    "another file": overwrite,
    "no record": lambda folder: (folder / "record.sqlite").unlink(),
    "no watch.json": lambda folder: (folder / "watch.json").unlink(),
    "no looks": sql("drop table looks"),
    "nothing else": sql("drop table watched"),
    "a newer schema": sql("pragma user_version = 99"),
    "no facts": sql("delete from watched where name = 'observed'"),
    "half of the facts": sql(
        "update watched set held = substr(held, 1, 500) where name = 'observed'"
    ),
    "facts of another kind": sql("update watched set held = '[1, 2]' where name = 'observed'"),
    "facts without losses": sql(
        "update watched set held = json_remove(held, '$.losses') where name = 'observed'"
    ),
    "a loss that is a word": sql(
        "update watched set held = json_set(held, '$.losses[0][1]', 'low') where name = 'observed'"
    ),
    "answers that are none": sql("update watched set held = 'perhaps' where name = 'answers'"),
    "scores that are words": sql(
        """update watched set held = '{"scores": {"train": "good"}}' where name = 'answers'"""
    ),
    "scores that are missing": sql(
        """update watched set held = '{"scores": {"train": null}}' where name = 'answers'"""
    ),
    "scores that are a number": sql(
        """update watched set held = '{"scores": 5}' where name = 'answers'"""
    ),
    "samples cut": sql(
        "update watched set tensors = substr(tensors, 1, 200) where name = 'samples'"
    ),
    "no samples": sql("update watched set tensors = x'' where name = 'samples'"),
    "a look that is no JSON": sql("update looks set numbers = '{' where rowid = 3"),
    "a look of nothing": sql("update looks set numbers = '{}' where rowid = 3"),
    "a look's tensors cut": sql(
        "update looks set tensors = substr(tensors, 1, 100) where rowid = 3"
    ),
    "a look with a word more": sql(
        "update looks set numbers = json_set(numbers, '$.mood', 'good') where rowid = 3"
    ),
}


@pytest.mark.parametrize("name", DAMAGES)
def test_what_is_damaged_is_said_in_one_line(name: str, copy: Path) -> None:
    DAMAGES[name](copy)
    with pytest.raises(RunError) as refused:
        ss.diagnose(copy)
    line = str(refused.value)
    assert "\n" not in line
    assert copy.name in line
    assert len(line) < 400


def test_a_folder_of_something_else(tmp_path: Path) -> None:
    with pytest.raises(RunError, match="holds no finished run"):
        ss.diagnose(tmp_path)
    with pytest.raises(RunError, match="there is no run"):
        ss.diagnose(tmp_path / "nowhere")
    (tmp_path / "watch.json").write_text("{}")
    with pytest.raises(RunError, match=r"record\.sqlite is missing"):
        ss.diagnose(tmp_path)
