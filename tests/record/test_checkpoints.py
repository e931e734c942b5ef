"""However a saved state is damaged, a whole one is read or an error names the damage."""

from __future__ import annotations

import contextlib
import math
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

import sevensteps as ss
from sevensteps.errors import Error, RunError
from sevensteps.record import checkpoints
from tests.api.interruptions import PLAIN, Keeping, interrupted_twice, same

STATES = ["state.json", "state.safetensors"]


@pytest.fixture(scope="module")
def trained(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with a run that was interrupted after step 3 and then after step 8."""
    folder = tmp_path_factory.mktemp("interrupted")
    with contextlib.chdir(folder):
        interrupted_twice()
    return folder


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> ss.Run:
    """The run that nobody interrupted."""
    return ss.train("xor", **PLAIN, out=tmp_path_factory.mktemp("whole") / "whole")


@pytest.fixture
def interrupted_run(trained: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A copy of the run that was interrupted: two states, to damage."""
    monkeypatch.chdir(tmp_path)
    return Path(shutil.copytree(trained / "run", tmp_path / "run"))


@pytest.mark.parametrize("name", STATES)
@pytest.mark.parametrize("damage", ["flipped", "cut", "empty", "gone"])
@pytest.mark.sampled(3)
def test_one_damaged_file_costs_one_state(
    interrupted_run: Path, whole: ss.Run, name: str, damage: str
) -> None:
    messages = list[str]()
    content = bytearray((interrupted_run / name).read_bytes())
    for at in range(0, len(content), max(len(content) // 5, 1)) if damage == "flipped" else (0,):
        if damage == "gone":
            (interrupted_run / name).unlink()
        else:
            content[at] ^= 1
            (interrupted_run / name).write_bytes(
                content
                if damage == "flipped"
                else content[: len(content) // 2]
                if damage == "cut"
                else b""
            )
            content[at] ^= 1
        saved = checkpoints.read(interrupted_run)
        assert saved is not None
        assert saved.wrong or damage == "gone"
    run = ss.resume("run", say=messages.append)
    assert same(run, whole)
    assert all("going on from step" in text for text in messages)
    assert messages or damage == "gone"


def test_where_every_state_is_damaged_there_is_an_error(interrupted_run: Path) -> None:
    for path in interrupted_run.glob("*state.safetensors"):
        path.write_bytes(path.read_bytes()[:-1])
    with pytest.raises(
        RunError,
        match=r"^no state in run is whole, so it cannot go on: the tensors of step 8 in run are "
        r"damaged",
    ):
        ss.resume("run")


@pytest.mark.parametrize("stopped_at", range(6))
@pytest.mark.sampled(2)
def test_wherever_saving_ends_there_is_a_whole_state(
    stopped_at: int, monkeypatch: pytest.MonkeyPatch, interrupted_run: Path, whole: ss.Run
) -> None:
    done = 0

    def dying(real: Callable[..., None]) -> Callable[..., None]:
        def call(*arguments: Any, **named: Any) -> None:
            nonlocal done
            if done == stopped_at:
                raise KeyboardInterrupt
            done += 1
            real(*arguments, **named)

        return call

    before = checkpoints.read(interrupted_run)
    assert before is not None
    with monkeypatch.context() as patched:
        patched.setattr(checkpoints, "write", dying(checkpoints.write))
        patched.setattr(checkpoints, "rename", dying(checkpoints.rename))
        with pytest.raises(KeyboardInterrupt):
            ss.resume("run", observers=[Keeping(10)])
    saved = checkpoints.read(interrupted_run)
    assert saved is not None
    assert saved.step in (8, 10)
    assert (saved.step == 8) == (stopped_at < 2)
    assert same(ss.resume("run"), whole)


def test_a_state_of_a_newer_sevensteps(
    interrupted_run: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(checkpoints, "SCHEMA", 0)
    with pytest.raises(
        RunError,
        match=r"^the state in run has schema 1, written by a newer sevensteps; this one reads up "
        r"to 0$",
    ):
        ss.resume("run")


def test_a_state_of_another_network(interrupted_run: Path) -> None:
    recipe = interrupted_run / "recipe.toml"
    recipe.write_text(recipe.read_text().replace("mlp(6)", "mlp(7)"))
    with pytest.raises(RunError, match=r"^the state in run is not of its recipe: RuntimeError"):
        ss.resume("run")


@pytest.mark.parametrize(
    "key",
    [
        "progress",
        "best",
        *(
            pytest.param(key, marks=pytest.mark.slow)
            for key in ("history", "place", "memory", "reasons", "data")
        ),
    ],
)
@pytest.mark.long
def test_hostile_states_raise_only_our_errors(key: str, interrupted_run: Path) -> None:
    saved = checkpoints.read(interrupted_run)
    assert saved is not None
    good = {key: value for key, value in saved.plain.items() if key not in ("schema", "tensors")}
    for bad in (None, 1, "x", [], {}, [{}], {"epoch": "x"}, math.nan):
        checkpoints.save(interrupted_run, saved.tensors, {**good, key: bad})
        try:
            run = ss.resume("run", say=lambda text: None)
        except Error:
            continue
        assert math.isfinite(run.metrics["valid"]["loss"])
        (interrupted_run / "run.json").unlink()
