"""A network in parts, by PyTorch's FSDP: what one process comes to, with a part of the memory in
each; saved whole, and gone on with.
"""

from __future__ import annotations

import json
import re
import subprocess
from pathlib import Path
from typing import Any

import pytest
import safetensors.torch
import torch

import sevensteps as ss
from sevensteps.errors import ArgumentError
from tests.helpers.fsdp import CASES, REFUSED, train
from tests.helpers.process_group import torchrun

pytestmark = pytest.mark.long  # processes of their own

Group = tuple[int, Path, list[dict[str, Any]]]


@pytest.fixture(scope="module", params=[2, pytest.param(3, marks=pytest.mark.slow)])
def group(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Group:
    """(how many processes trained, the folder, the results of each)."""
    folder = tmp_path_factory.mktemp("spread")
    ended = torchrun(request.param, ["-m", "tests.helpers.fsdp", str(folder)])
    assert ended.returncode == 0, ended.stderr[-3000:]
    return (
        request.param,
        folder,
        [json.loads((folder / f"results{rank}.json").read_text()) for rank in range(request.param)],
    )


def distance(results: dict[str, torch.Tensor], wanted: dict[str, torch.Tensor]) -> float:
    """The largest relative difference of a tensor."""
    assert list(results) == list(wanted)
    return max(
        float((results[name] - wanted[name]).norm() / wanted[name].norm().clamp_min(1e-3))
        for name in wanted
    )


@pytest.mark.parametrize("case", CASES)
def test_parts_come_to_what_the_whole_comes_to(case: str, group: Group) -> None:
    size, folder, results = group
    run = train(CASES[case])
    tolerance = 1e-9 if run.recipe.precision == "float64" else 2e-5
    for rank in range(size):
        for which, network in (("last", run.last.network), ("best", run.best.network)):
            weights = {
                name: safetensors.torch.load_file(folder / f"{case} {which} {rank}")[name]
                for name in network.state_dict()
            }
            assert distance(weights, network.state_dict()) < tolerance, f"{which} of process {rank}"
        for row, mine in zip(results[rank][case]["history"], run.history, strict=True):
            assert row["step"] == mine["step"]
            assert row["train"]["loss"] == pytest.approx(mine["train"]["loss"], rel=1e-5)
            assert row["valid"]["accuracy"] == mine["valid"]["accuracy"]
    summary = results[0][case]["summary"]
    assert {key: summary[key] for key in ("stop", "steps", "epochs", "parameters")} == {
        key: run.summary[key] for key in ("stop", "steps", "epochs", "parameters")
    }
    assert summary["best"]["epoch"] == run.summary["best"]["epoch"]
    for which in ("metrics", "best"):
        metrics, mine = (
            part if which == "metrics" else part["metrics"]
            for part in (summary[which], run.summary[which])
        )
        assert metrics["train"]["loss"] == pytest.approx(mine["train"]["loss"], rel=1e-5)
    if case == "the best is not the last":
        assert run.best.epoch < run.last.epoch


@pytest.mark.parametrize("case", [*CASES, "interrupt"])
def test_all_processes_come_to_the_same_bits(case: str, group: Group) -> None:
    size, folder, results = group
    for rank in range(1, size):
        assert (folder / f"{case} last {rank}").read_bytes() == (
            folder / f"{case} last 0"
        ).read_bytes()
        assert results[rank][case] == results[0][case]
    assert results[0]["interrupt"]["summary"]["steps"] in (5, 6), (
        "the fifth batch brought the signal to process 1"
    )


def test_each_keeps_its_part(group: Group) -> None:
    size, _, results = group
    whole = 64 * 1000 + 1000 + 1000 * 40 + 40 + 40 * 10 + 10
    rows = sum(-(-rows // size) * columns for rows, columns in ((1000, 65), (40, 1001), (10, 41)))
    assert rows < 1.03 * whole / size
    assert sum(result["numbers"]["network"] for result in results) == whole
    for result in results:
        assert {**result["numbers"], "network": 0, "apart": 0} == {
            "network": 0,
            "apart": 0,
            "parameters": rows,
            "gradients": rows,
            "memory": 2 * rows,
        }
    if size == 2:
        assert [result["numbers"]["apart"] for result in results] == [0, 0], (
            "the network's tensors are views of the vector"
        )


@pytest.mark.parametrize(
    ("case", "text"),
    {
        "tied": "^first.weight and second.weight are one parameter, which cannot be shared out; "
        "leave shard out",
        "single number": r"scale is a single number, which cannot be shared out; give it the "
        r"shape \[1\], or leave shard out",
        "batch norm": r"takes its statistics over the whole batch, of which \d processes see a "
        r"part each; leave batch norm out",
    }.items(),
)
def test_what_cannot_be_shared_out_is_refused(case: str, text: str, group: Group) -> None:
    assert case in REFUSED
    for result in group[2]:
        assert re.search(text, result[case])


def test_one_process_is_not_enough() -> None:
    with pytest.raises(
        ArgumentError,
        match=r"^autograd\(shard=True\) shares a network out to several processes, and this is one",
    ):
        ss.train("digits", gradient="autograd(shard=True)", out=False, watch=0)
    with pytest.raises(ArgumentError, match="hands on clip and accumulate, not shard"):
        ss.train("digits", gradient="auto(shard=True)", out=False, watch=0)


def test_clipping_by_the_norm_over_all_processes() -> None:
    gradients = torch.tensor([3.0, 4.0], dtype=torch.float64)
    ss.autograd(clip=2.6, shard=True).finish(
        gradients, lambda: torch.tensor(13.0, dtype=torch.float64)
    )
    assert torch.allclose(gradients, torch.tensor([0.6, 0.8], dtype=torch.float64), rtol=1e-6)


# -- going on --------------------------------------------------------------------------------------

OPTIONS = [
    "digits",
    "--predict",
    "mlp(15, dropout=0.1)",
    "--step",
    "adam(lr=0.01)",
    "--repeat",
    "batches(100)",
    "--stop",
    "epochs(6)",
    "--precision",
    "float64",
    "--threads",
    "1",
]
DIES = """
import os, signal, sys
from sevensteps.record import writer
from sevensteps.cli import main
stepped = {"0": writer.Writer, "1": writer.GatheringObserver}[os.environ["RANK"]].stepped

def dying(self, training):
    stepped(self, training)
    first = os.environ["TORCHELASTIC_RESTART_COUNT"] == "0"
    if training.progress.step == 40 and first and os.environ["RANK"] == os.environ["DIES"]:
        os.kill(os.getpid(), signal.SIGKILL)

writer.Writer.stepped = writer.GatheringObserver.stepped = dying
main()
"""


def weights(folder: Path, which: str = "last") -> dict[str, torch.Tensor]:
    return getattr(ss.load(folder), which).network.state_dict()


@pytest.mark.slow
@pytest.mark.parametrize("dies", ["0", "1"])
def test_what_was_saved_is_gone_on_with(dies: str, tmp_path: Path) -> None:
    (tmp_path / "dies.py").write_text(DIES)
    spread = [*OPTIONS, "--gradient", "autograd(clip=0.5, shard=True)"]
    command = [str(tmp_path / "dies.py"), "train", *spread, "--save-every", "0.001", "--out", "run"]
    assert torchrun(2, command, cwd=tmp_path, DIES=dies).returncode != 0
    step = json.loads((tmp_path / "run" / "state.json").read_text())["state"]["progress"]["step"]
    assert 0 < step < 50, "within the third epoch, or before"
    for size in (2, 3):
        subprocess.run(["cp", "-r", str(tmp_path / "run"), str(tmp_path / f"of{size}")], check=True)
        ended = torchrun(size, ["-m", "sevensteps", "resume", f"of{size}"], cwd=tmp_path)
        assert ended.returncode == 0, ended.stderr[-3000:]
        assert ended.stdout.count("Continuing after step") == 1
    ended = torchrun(2, ["-m", "sevensteps", "train", *spread, "--out", "whole"], cwd=tmp_path)
    assert ended.returncode == 0, ended.stderr[-3000:]
    for which in ("last", "best"):
        assert (
            distance(weights(tmp_path / "of2", which), weights(tmp_path / "whole", which)) == 0.0
        ), "the same bits"
        assert distance(weights(tmp_path / "of3", which), weights(tmp_path / "whole", which)) < 1e-9
    options = dict(
        zip([name.removeprefix("--") for name in OPTIONS[1::2]], OPTIONS[2::2], strict=True)
    )
    alone = ss.train(
        "digits", **{**options, "threads": 1}, gradient="autograd(clip=0.5)", out=False, watch=0
    )
    assert distance(weights(tmp_path / "whole"), alone.network.state_dict()) < 1e-9
    assert repr(ss.load(tmp_path / "of3").recipe.gradient) == "autograd(clip=0.5, shard=True)"
    ended = torchrun(2, ["-m", "sevensteps", "resume", "of3", "--stop", "epochs(7)"], cwd=tmp_path)
    assert ended.returncode == 0, ended.stderr[-3000:]
    # another job: refused
    again = torchrun(2, command, "--max-restarts", "1", cwd=tmp_path, DIES=dies)
    assert "run holds a training that was not finished" in again.stderr


@pytest.mark.slow
def test_a_group_that_loses_a_process_starts_again(tmp_path: Path) -> None:
    (tmp_path / "dies.py").write_text(DIES)
    command = [
        str(tmp_path / "dies.py"),
        "train",
        *OPTIONS,
        "--gradient",
        "autograd(shard=True)",
        "--save-every",
        "0.001",
        "--out",
        "run",
    ]
    ended = torchrun(2, command, "--max-restarts", "1", cwd=tmp_path, DIES="1")
    assert ended.returncode == 0, ended.stderr[-3000:]
    assert "Continuing after step" in ended.stdout
    whole = torchrun(
        2,
        [
            "-m",
            "sevensteps",
            "train",
            *OPTIONS,
            "--gradient",
            "autograd(shard=True)",
            "--out",
            "whole",
        ],
        cwd=tmp_path,
    )
    assert whole.returncode == 0, whole.stderr[-3000:]
    assert distance(weights(tmp_path / "run"), weights(tmp_path / "whole")) == 0.0
