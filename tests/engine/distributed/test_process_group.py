"""Several processes train one network: the same result as one, the same end for all, and a group
that loses one of them goes on.
"""

from __future__ import annotations

import ast
import json
import math
import os
import re
import signal
import socket
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest
import safetensors.torch
import torch

import sevensteps as ss
from sevensteps.engine.distributed.process_group import ProcessGroup, join
from sevensteps.errors import ArgumentError
from tests.helpers.process_group import (
    CASES,
    DEFAULTS,
    REFUSED,
    ROOT,
    environment_without_group,
    torchrun,
)

pytestmark = pytest.mark.long  # processes of their own
COMMAND = [sys.executable, "-m", "sevensteps"]


@pytest.fixture(scope="module", params=[2, pytest.param(4, marks=pytest.mark.slow)])
def group(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> tuple[int, Path, list[dict[str, Any]]]:
    """(how many processes trained, the folder, the results of each)."""
    folder = tmp_path_factory.mktemp("group")
    ended = torchrun(request.param, ["-m", "tests.helpers.process_group", str(folder)])
    assert ended.returncode == 0, ended.stderr[-3000:]
    return (
        request.param,
        folder,
        [json.loads((folder / f"results{rank}.json").read_text()) for rank in range(request.param)],
    )


@pytest.mark.parametrize("case", CASES)
def test_several_train_what_one_trains(case: str, group: Any) -> None:
    size, folder, results = group
    run = ss.train("digits", **{**DEFAULTS, **CASES[case]}, out=False, watch=0)
    tolerance = 1e-9 if run.recipe.precision == "float64" else 2e-5
    for rank in range(size):
        weights = safetensors.torch.load_file(folder / f"{case} {rank}")
        for name, tensor in run.network.state_dict().items():
            error = (weights[name] - tensor).norm() / tensor.norm().clamp_min(1e-12)
            assert error < (1e-6 if case == "finite differences" else tolerance), (
                f"{name} of process {rank}: {error:.1e}"
            )
        for row, mine in zip(results[rank][case]["history"], run.history, strict=True):
            assert row["step"] == mine["step"]
            assert row["train"]["loss"] == pytest.approx(mine["train"]["loss"], rel=1e-5)
            assert row["valid"]["accuracy"] == mine["valid"]["accuracy"]
    summary = results[0][case]["summary"]
    assert summary["processes"] == size
    assert {key: summary[key] for key in ("stop", "steps", "epochs", "threads")} == {
        key: run.summary[key] for key in ("stop", "steps", "epochs", "threads")
    }


@pytest.mark.parametrize("case", [*CASES, "seconds", "not finite", "interrupt", "again"])
def test_all_processes_come_to_the_same_bits(case: str, group: Any) -> None:
    size, folder, results = group
    first = (folder / f"{case} 0").read_bytes()
    for rank in range(1, size):
        assert (folder / f"{case} {rank}").read_bytes() == first
        assert str(results[rank][case]) == str(results[0][case])  # as text: a loss may be nan


def test_all_stop_after_the_same_step(group: Any) -> None:
    _, _, results = group
    assert results[0]["seconds"]["summary"]["stop"]["rule"] == "seconds"
    assert results[0]["not finite"]["summary"]["stop"]["rule"] == "not_finite"
    assert not math.isfinite(results[0]["not finite"]["history"][-1]["valid"]["loss"])
    assert results[0]["interrupt"]["summary"]["stop"]["rule"] == "interrupt"
    assert results[0]["interrupt"]["summary"]["steps"] in (5, 6), (
        "of twenty an epoch: the fifth batch brought the signal to process 1"
    )


@pytest.mark.parametrize(
    ("case", "text"),
    {
        "batch norm": r"takes its statistics over the whole batch, of which \d processes see a "
        r"part each; leave batch norm out",
        "dropout of PyTorch": r"^1 \(Dropout\) would draw other numbers in \d processes than in "
        r"one; use sevensteps.engine.modules.Dropout",
        "threads": r"^\d processes of 512 threads each are more than the \d+ processors of this "
        r"machine; use threads=\d",
        "another seed": r"^process 1 has another recipe than process 0; give all processes the "
        r"same command",
        "fails in one": r"^process 1: a batch of 100000 is larger than the 1438 training samples",
        "fails in all": r"^a batch of 100000 is larger than the 1438 training samples",
    }.items(),
)
def test_what_does_not_fit_is_refused_by_all_and_reported_by_one(
    case: str, text: str, group: Any
) -> None:
    size, _, results = group
    assert case in REFUSED
    assert re.search(text, results[0][case]["failure"]), results[0][case]
    assert [result[case]["reported_by_peer"] for result in results] == [False] + [True] * (size - 1)
    assert "\n" not in results[0][case]["failure"]


def test_batches_that_differ_between_the_processes_are_refused(group: Any) -> None:
    size, _, results = group
    for result in results:
        assert re.search(
            r"cannot share a batch: here it has 1\d samples|has lost the others",
            result["uneven"]["failure"],
        )
    assert "every process must go over the same batches in the same order" in " ".join(
        result["uneven"]["failure"] for result in results
    )
    assert size == len(results)


@pytest.mark.slow
def test_the_command_line_speaks_once_and_keeps_one_run(tmp_path: Path) -> None:
    ended = torchrun(
        2,
        ["-m", "sevensteps", "train", "digits", "--stop", "epochs(1)", "--out", "run"],
        cwd=tmp_path,
    )
    assert ended.returncode == 0, ended.stderr
    assert ended.stdout.count("Stopped by epochs") == 1
    assert ended.stderr.count("epoch 1 ") == 1
    assert os.listdir(tmp_path) == ["run"]
    run = ss.load(tmp_path / "run")
    assert run.summary["processes"] == 2
    assert run.findings == []
    refused = torchrun(
        2,
        ["-m", "sevensteps", "train", "digits", "--stop", "epochs(1)", "--out", "run"],
        cwd=tmp_path,
    )
    assert refused.returncode != 0
    assert next(line for line in refused.stderr.splitlines() if line.startswith("sevensteps:")) == (
        "sevensteps: run is not empty, and a run is never written over another; give another "
        "folder (--out), or remove it first"
    )


def free_port() -> int:
    """A port at which nobody listens."""
    with socket.socket() as server:
        server.bind(("127.0.0.1", 0))
        return int(server.getsockname()[1])


@pytest.mark.parametrize(
    ("rank", "text"),
    [
        (
            "1",
            "process 1: nobody answers at 127.0.0.1:PORT, where process 0 should be (Connection "
            "refused); start all at about the same time, "
            "or allow more than 0.5 s with SEVENSTEPS_JOIN_SECONDS",
        ),
        (
            "0",
            "of 2 processes number 1 did not come to 127.0.0.1:PORT within 0.5 s; start all at "
            "about the same time, or allow more than 0.5 s "
            "with SEVENSTEPS_JOIN_SECONDS",
        ),
    ],
)
@pytest.mark.sampled(1)
def test_a_process_does_not_wait_for_ever(rank: str, text: str, tmp_path: Path) -> None:
    port = str(free_port())
    environment = environment_without_group(
        RANK=rank,
        WORLD_SIZE="2",
        MASTER_ADDR="127.0.0.1",
        MASTER_PORT=port,
        SEVENSTEPS_JOIN_SECONDS="0.5",
    )
    ended = subprocess.run(
        [*COMMAND, "train", "digits", "--out", "run"],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
        env=environment,
    )
    assert (ended.returncode, ended.stderr.splitlines()) == (
        2,
        [f"sevensteps: {text}".replace("PORT", port)],
    )
    assert os.listdir(tmp_path) == []


@pytest.mark.slow
def test_another_version_is_refused(tmp_path: Path) -> None:
    (tmp_path / "other.py").write_text(
        "import os, sevensteps\nsevensteps.__version__ = '0.' + os.environ['RANK']\n"
        "from sevensteps.cli import main\nmain()\n"
    )
    ended = torchrun(
        2, [str(tmp_path / "other.py"), "train", "digits", "--out", "run"], cwd=tmp_path
    )
    assert [line for line in ended.stderr.splitlines() if line.startswith("sevensteps:")] == [
        "sevensteps: process 1 runs sevensteps 0.1, process 0 0.0; install the same version "
        "everywhere"
    ]
    assert not (tmp_path / "run").exists()


@pytest.mark.parametrize(
    ("variables", "text"),
    [
        (
            {"WORLD_SIZE": "two"},
            "WORLD_SIZE must be a whole number, not 'two'; let torchrun set it",
        ),
        ({"MASTER_PORT": "x"}, "MASTER_PORT must be a whole number, not 'x'; let torchrun set it"),
        (
            {"SEVENSTEPS_JOIN_SECONDS": "soon"},
            "SEVENSTEPS_JOIN_SECONDS must be a number of seconds above 0, not 'soon'",
        ),
        (
            {"SEVENSTEPS_JOIN_SECONDS": "0"},
            "SEVENSTEPS_JOIN_SECONDS must be a number of seconds above 0, not '0'",
        ),
    ],
)
def test_environment_variables_that_make_no_sense_are_refused(
    variables: dict[str, str], text: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name, value in {"RANK": "1", "WORLD_SIZE": "2", **variables}.items():
        monkeypatch.setenv(name, value)
    with pytest.raises(ArgumentError, match=text):
        join()


def test_one_process_forms_no_group(monkeypatch: pytest.MonkeyPatch) -> None:
    for name, value in {"RANK": "0", "WORLD_SIZE": "1", "MASTER_PORT": "x"}.items():
        monkeypatch.setenv(name, value)
    group = join()
    assert (group.rank, group.size, group.leads) == (0, 1, True)


def test_in_a_group_of_one_every_method_is_the_identity() -> None:
    group = ProcessGroup.alone()
    tensor = torch.tensor([1.0, 2.0])
    group.all_reduce(tensor)
    group.broadcast_tensor(tensor)
    assert tensor.tolist() == [1.0, 2.0]
    assert group.broadcast_bytes(b"bytes") == b"bytes"
    value = {"not": float("nan"), "json": {1, 2}}
    assert group.broadcast(value) is value
    assert group.all_gather(value) == [value]
    for device in ("cpu", "mps", "cuda"):
        assert group.device(torch.device(device)) == torch.device(device)
    failure = ArgumentError("whatever it is")
    for block in (group.consensus, group.left_on_failure):
        with pytest.raises(ArgumentError) as raised, block():
            raise failure
        assert raised.value is failure
    with group.consensus() as facts:
        facts["a fact"] = "that nobody compares"


def test_nothing_is_pickled_on_the_way() -> None:
    names = {
        node.attr
        for path in (ROOT / "sevensteps").rglob("*.py")
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8")))
        if isinstance(node, ast.Attribute)
    }
    assert {"all_reduce", "broadcast"} <= names
    assert {
        name
        for name in names
        if re.fullmatch(r"\w*(gather|broadcast|scatter|send|recv)_object\w*", name)
    } == set()


# -- going on --------------------------------------------------------------------------------------

OPTIONS = [
    "digits",
    "--predict",
    "mlp(16, dropout=0.1)",
    "--step",
    "adam(lr=0.01)",
    "--repeat",
    "batches(100)",
    "--stop",
    "epochs(12)",
    "--precision",
    "float64",
    "--threads",
    "1",
]
DIES = """
import os, signal
from sevensteps.training import loop
from sevensteps.cli import main
look = loop.evaluate_epoch

def dying(training, observers):
    look(training, observers)
    first = os.environ["TORCHELASTIC_RESTART_COUNT"] == "0"
    if training.progress.epoch == 7 and first and os.environ["RANK"] == os.environ["DIES"]:
        os.kill(os.getpid(), signal.SIGKILL)

loop.evaluate_epoch = dying
main()
"""


def weights(folder: Path) -> dict[str, Any]:
    return {name: tensor.double() for name, tensor in ss.load(folder).network.state_dict().items()}


def close(a: dict[str, Any], b: dict[str, Any], tolerance: float = 1e-9) -> bool:
    return all((a[name] - b[name]).norm() <= tolerance * b[name].norm() for name in b)


@pytest.mark.slow
@pytest.mark.parametrize("out", [True, False])
@pytest.mark.parametrize("dies", ["0", "1"])
def test_a_group_that_loses_a_process_goes_on(dies: str, out: bool, tmp_path: Path) -> None:
    (tmp_path / "dies.py").write_text(DIES)
    where = ["--out", "run"] if out else []
    ended = torchrun(
        2,
        [str(tmp_path / "dies.py"), "train", *OPTIONS, "--save-every", "0.001", *where],
        "--max-restarts",
        "2",
        cwd=tmp_path,
        DIES=dies,
    )
    assert ended.returncode == 0, ended.stderr[-3000:]
    assert "Continuing after step" in ended.stdout
    folders = [path for path in (tmp_path if out else tmp_path / "runs").iterdir() if path.is_dir()]
    assert len(folders) == 1
    whole = torchrun(2, ["-m", "sevensteps", "train", *OPTIONS, "--out", "whole"], cwd=tmp_path)
    assert whole.returncode == 0, whole.stderr[-3000:]
    one, other = ss.load(folders[0]), ss.load(tmp_path / "whole")
    assert close(weights(folders[0]), weights(tmp_path / "whole"), 0.0), "the same bits"
    assert [row["valid"] for row in one.history] == [row["valid"] for row in other.history]
    assert one.summary["stop"] == other.summary["stop"]


@pytest.mark.slow
def test_a_folder_of_another_job_is_refused(tmp_path: Path) -> None:
    (tmp_path / "dies.py").write_text(DIES)
    command = [
        str(tmp_path / "dies.py"),
        "train",
        *OPTIONS,
        "--save-every",
        "0.001",
        "--out",
        "run",
    ]
    assert torchrun(2, command, cwd=tmp_path, DIES="1").returncode != 0  # and no restart
    refused = torchrun(2, command, cwd=tmp_path, DIES="2")
    assert (
        "sevensteps: run holds a training that was not finished; go on with: sevensteps resume run"
        in refused.stderr
    )
    for size in (1, 2, 3):  # on as many processes as there are now
        folder = tmp_path / f"of{size}"
        subprocess.run(["cp", "-r", str(tmp_path / "run"), str(folder)], check=True)
        ended = torchrun(size, ["-m", "sevensteps", "resume", folder.name], cwd=tmp_path)
        assert ended.returncode == 0, ended.stderr[-3000:]
        assert ended.stdout.count("Continuing after step") == 1
    ss.train(
        "digits",
        **{
            "predict": "mlp(16, dropout=0.1)",
            "step": "adam(lr=0.01)",
            "repeat": "batches(100)",
            "stop": "epochs(12)",
            "precision": "float64",
            "threads": 1,
        },
        out=tmp_path / "alone",
    )
    for size in (1, 2, 3):
        assert close(weights(tmp_path / f"of{size}"), weights(tmp_path / "alone"))
    ended = torchrun(2, ["-m", "sevensteps", "resume", "of2"], cwd=tmp_path)
    assert (
        "sevensteps: of2 has finished: all 12 epochs are done; to go on, give a stop that is "
        "further away (--stop)" in ended.stderr
    )


@pytest.mark.slow
def test_a_group_ends_when_torchrun_gets_a_signal(tmp_path: Path) -> None:
    started = subprocess.Popen(
        [
            sys.executable,
            "-m",
            "torch.distributed.run",
            "--standalone",
            "--nproc-per-node",
            "2",
            "-m",
            "sevensteps",
            "train",
            *OPTIONS[:-6],
            "--stop",
            "epochs(100000)",
            "--save-every",
            "0.05",
            "--out",
            "run",
        ],
        cwd=tmp_path,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env=environment_without_group(),
    )
    try:
        end = time.monotonic() + 60
        while not (tmp_path / "run" / "state.json").exists() and time.monotonic() < end:
            time.sleep(0.05)
        started.send_signal(signal.SIGTERM)
        started.communicate(timeout=60)
    finally:
        started.kill()
    run = ss.load(tmp_path / "run")
    assert run.summary["stop"]["rule"] == "interrupt"
