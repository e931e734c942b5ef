"""A race on Ray: a small cluster of processes on this machine, what it comes to, and what becomes
of it when machines go.
"""

from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
import sys
import time
import types
import warnings
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch import nn

import sevensteps as ss
from sevensteps.data.streaming.streamed_inputs import StreamedInputs
from sevensteps.errors import ArgumentError, RunError
from sevensteps.racing import ray_tasks
from sevensteps.racing.grouping import LockstepPlan
from sevensteps.view.race_progress import GroupsLine, GroupsLog

ROOT = Path(__file__).resolve().parent.parent.parent
WAIT = 60.0  # seconds, the longest that anything is waited for


@pytest.fixture(scope="module")
def cluster() -> Iterator[Any]:
    """A cluster on 127.0.0.1 with a head that trains nothing; its address is `cluster.address`."""
    with pytest.MonkeyPatch.context() as patch, warnings.catch_warnings():
        warnings.simplefilter("ignore")
        patch.setenv("RAY_ENABLE_WINDOWS_OR_OSX_CLUSTER", "0")  # everything on 127.0.0.1
        patch.setenv("RAY_USAGE_STATS_ENABLED", "0")
        pytest.importorskip("ray", reason="Ray is not installed: make test-ray")
        from ray.cluster_utils import Cluster

        soon = {
            "health_check_initial_delay_ms": 0,
            "health_check_period_ms": 500,
            "health_check_failure_threshold": 6,
        }
        local_cluster = Cluster(
            initialize_head=True,
            head_node_args={
                "num_cpus": 0,
                "include_dashboard": False,
                "object_store_memory": 100_000_000,
                "_system_config": soon,
            },
        )
        try:
            yield local_cluster
        finally:
            local_cluster.shutdown()


@pytest.fixture
def machines(cluster: Any) -> Iterator[Callable[[int], Any]]:
    """Adds a machine with so many processors to the cluster; taken away after the test."""
    added = []

    def add(cpus: int) -> Any:
        added.append(cluster.add_node(num_cpus=cpus, object_store_memory=100_000_000))
        return added[-1]

    yield add
    for node in added:
        if node in cluster.worker_nodes:
            cluster.remove_node(node, allow_graceful=True)


class Waiting(nn.Module):
    """A network that says in `place` which process trains it, and goes on when there is a file
    `go`.
    """

    def __init__(self, place: Path) -> None:
        super().__init__()
        self.layer, self.place, self.driver = nn.Linear(2, 2), str(place), os.getpid()

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        if os.getpid() != self.driver:
            Path(self.place, f"{os.getpid()}.pid").touch()
            until(lambda: Path(self.place, "go").exists())
        output: torch.Tensor = self.layer(x)
        return output


class Late(Waiting):
    """A network that fails when another one waits in `place`."""

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        until(lambda: list(Path(self.place).glob("*.pid")))
        output: torch.Tensor = self.layer(x[:, :1])
        return output


def until(condition: Callable[[], object]) -> None:
    """Wait for what is sure to come, and fail where it does not."""
    end = time.monotonic() + WAIT
    while not condition():
        if time.monotonic() > end:
            raise TimeoutError("waited in vain")
        time.sleep(0.02)


def recipes() -> list[ss.Recipe]:
    """Three groups: two of networks trained together, and one of autograd that is trained alone."""
    variants = ss.grid(
        "circles(n=200)",
        predict=["mlp(4)", "mlp(6)"],
        step=["sgd(lr=0.1)", "adam(lr=0.01)"],
        seeds=2,
        stop="epochs(4)",
        repeat="batches(32)",
        threads=1,
    )
    return [
        *variants,
        ss.Recipe(
            "circles(n=200)", predict="mlp(4)", gradient="autograd()", stop="epochs(2)", threads=1
        ),
    ]


def assert_alike(one: ss.Race, other: ss.Race) -> None:
    assert len(one.runs) == len(other.runs)
    for mine, theirs in zip(one.runs, other.runs, strict=True):
        assert mine.recipe == theirs.recipe
        assert mine.recipe.reasons == theirs.recipe.reasons
        assert [row["epoch"] for row in mine.history] == [row["epoch"] for row in theirs.history]
        assert mine.summary["stop"] == theirs.summary["stop"]
        assert [finding.condition for finding in mine.findings] == [
            finding.condition for finding in theirs.findings
        ]
        for part in ("train", "valid"):
            assert mine.metrics[part]["loss"] == pytest.approx(
                theirs.metrics[part]["loss"], rel=1e-4
            )
        for ours, its in ((mine.network, theirs.network), (mine.best.network, theirs.best.network)):
            for name, tensor in ours.state_dict().items():
                torch.testing.assert_close(tensor, its.state_dict()[name], rtol=1e-4, atol=1e-6)
    assert [row.label for row in one.table] == [row.label for row in other.table]
    assert [row.metric for row in one.table] == pytest.approx(
        [row.metric for row in other.table], rel=1e-4
    )


def test_two_machines_come_to_what_one_process_comes_to(
    cluster: Any, machines: Any, tmp_path: Path
) -> None:
    machines(1)
    machines(1)
    reports: list[Any] = []
    far = ss.race(
        recipes(),
        on=f"ray:{cluster.address}",
        out=tmp_path / "far",
        report=lambda progress: reports.append(
            (progress.done, progress.groups, progress.nodes, progress.cpus)
        ),
        diagnose="all",  # who looks odd hangs on who else is in the same task
    )
    assert_alike(far, ss.race(recipes(), out=tmp_path / "near", diagnose="all"))
    assert reports[0] == (0, 3, 2, 2)
    assert reports[-1] == (3, 3, 2, 2)
    assert not far.missing
    assert sorted(path.name for path in (tmp_path / "far").iterdir()) == sorted(
        path.name for path in (tmp_path / "near").iterdir()
    )
    for run in far.runs:
        assert run.folder is not None
        assert {path.name for path in run.folder.iterdir()} == {
            path.name
            for path in (tmp_path / "near" / run.folder.name).iterdir()
            if not path.name.startswith(".")
        }
        read = ss.load(run.folder)
        assert all(
            torch.equal(tensor, run.network.state_dict()[name])
            for name, tensor in read.network.state_dict().items()
        )
        assert [row["valid"] for row in read.history] == [row["valid"] for row in run.history]
    stored = json.loads((tmp_path / "far" / "race.json").read_text())
    assert [run["run"] for run in stored["runs"]] == [f"{number}" for number in range(1, 10)]


def test_data_and_networks_of_python_go_there(cluster: Any, machines: Any, tmp_path: Path) -> None:
    machines(1)
    draw = torch.Generator().manual_seed(1)
    x = torch.randn(60, 2, generator=draw)
    data = ss.data.from_arrays(x, (x[:, 0] > x[:, 1]).long())
    with torch.random.fork_rng():
        network = nn.Sequential(nn.Linear(2, 3), nn.Softsign(), nn.Linear(3, 1))
    variants = [
        ss.Recipe(data, predict=predict, stop="epochs(3)", threads=1)
        for predict in (network, "mlp(3)")
    ]
    far = ss.race(variants, on=f"ray:{cluster.address}", out=False)
    assert_alike(far, ss.race(variants, out=False))
    assert [run.folder for run in far.runs] == [None, None]


def test_data_larger_than_memory_are_read_there(
    cluster: Any, machines: Any, tmp_path: Path
) -> None:
    machines(1)
    x = np.random.default_rng(1).standard_normal((2000, 4)).astype("float32")
    x[:, 3] = x[:, 0] > 0
    np.save(tmp_path / "big.npy", x)
    variants = [
        ss.Recipe(
            f'npy("{tmp_path}/big.npy", target=-1, memory=0.02)',
            predict="mlp(4)",
            stop="epochs(2)",
            threads=1,
        )
    ]
    assert isinstance(ss.data.load(variants[0].source).train.x, StreamedInputs)
    assert_alike(
        ss.race(variants, on=f"ray:{cluster.address}", out=False), ss.race(variants, out=False)
    )


def test_a_machine_that_goes_while_it_trains(cluster: Any, machines: Any, tmp_path: Path) -> None:
    first, killed = machines(1), False
    place = tmp_path / "place"
    place.mkdir()
    with torch.random.fork_rng():
        waiting = ss.Recipe(
            "circles(n=200)",
            predict=Waiting(place),
            loss="cross_entropy()",
            stop="epochs(1)",
            threads=1,
        )

    def kill(tally: Any) -> None:
        nonlocal killed
        if not killed and list(place.glob("*.pid")):
            killed = True
            cluster.remove_node(first, allow_graceful=False)
            machines(1)
            (place / "go").touch()

    others = recipes()[:4]
    far = ss.race(
        [waiting, *others], on=f"ray:{cluster.address}", out=tmp_path / "far", report=kill
    )
    assert killed
    assert len(list(place.glob("*.pid"))) == 2  # it began twice
    assert_alike(ss.Race(far.runs[1:], [], []), ss.Race(ss.race(others, out=False).runs, [], []))
    names = [f"{number}" for number in range(1, 6)]
    assert sorted(path.name for path in (tmp_path / "far").iterdir()) == [*names, "race.json"]
    assert [run.folder and run.folder.name for run in far.runs] == names
    assert sorted(member for row in far.table for member in row.members) == list(range(5))


def test_another_version_there(
    cluster: Any, machines: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    machines(1)
    here = ray_tasks.versions()
    monkeypatch.setattr(ray_tasks, "versions", lambda: {**here, "torch": "1.0"})
    with pytest.raises(RunError) as refusal:
        ss.race(recipes(), on=f"ray:{cluster.address}", out=False)
    assert str(refusal.value) == (
        f"the machine {socket.gethostname()} has torch {here['torch']} instead of 1.0; install "
        "the same on all "
        "machines of the cluster"
    )


def test_what_fails_there_is_one_line_and_ends_the_others(
    cluster: Any, machines: Any, tmp_path: Path
) -> None:
    machines(2)
    with torch.random.fork_rng():
        wrong = ss.Recipe("circles(n=200)", predict=Late(tmp_path), threads=1)
        waiting = ss.Recipe(
            "circles(n=200)", predict=Waiting(tmp_path), loss="cross_entropy()", threads=1
        )
    with pytest.raises(
        ArgumentError,
        match=r"^the network fails: RuntimeError: mat1 and mat2 shapes cannot be multiplied",
    ):
        ss.race([wrong, waiting], on=f"ray:{cluster.address}", out=False)
    until(lambda: not Path("/proc", next(tmp_path.glob("*.pid")).stem).exists())


def test_a_class_that_is_only_here(
    cluster: Any, machines: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    machines(1)
    only = types.ModuleType("only_here")
    only.Network = type(
        "Network", (nn.Linear,), {"__module__": "only_here", "__qualname__": "Network"}
    )  # type: ignore[attr-defined]
    monkeypatch.setitem(sys.modules, "only_here", only)
    with torch.random.fork_rng():
        recipe = ss.Recipe(
            "circles(n=200)", predict=only.Network(2, 2), loss="cross_entropy()", threads=1
        )
    with pytest.raises(
        RunError,
        match=r"^run 1: a machine of the cluster lacks what it needs: No module named "
        r"'only_here'; install ",
    ):
        ss.race([recipe], on=f"ray:{cluster.address}", out=False)


def test_no_machine_has_so_many_processors(cluster: Any, machines: Any) -> None:
    machines(2)
    with pytest.raises(
        ArgumentError,
        match=r"a group takes 3 processors, and no machine of the cluster has more than 2",
    ):
        ss.race([ss.Recipe("xor", threads=3)], on=f"ray:{cluster.address}", out=False)


def test_a_ray_of_its_own_listens_to_this_machine_only(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    ray = pytest.importorskip("ray", reason="Ray is not installed: make test-ray")
    monkeypatch.delenv("RAY_ADDRESS", raising=False)
    nodes: list[Any] = []
    before = dict(os.environ), signal.getsignal(signal.SIGTERM)
    race = ss.race(
        recipes()[:2], on="ray", out=False, report=lambda tally: nodes.append(nodes or ray.nodes())
    )
    assert len(race.runs) == 2
    assert (dict(os.environ), signal.getsignal(signal.SIGTERM)) == before
    assert not ray.is_initialized()
    assert nodes[0][0]["NodeManagerAddress"] == "127.0.0.1"


def test_the_command_line_in_a_cluster(cluster: Any, machines: Any, tmp_path: Path) -> None:
    machines(1)
    environment = {
        name: value
        for name, value in os.environ.items()
        if name != "RAY_ENABLE_WINDOWS_OR_OSX_CLUSTER"
    }
    done = subprocess.run(
        [
            sys.executable,
            "-m",
            "sevensteps",
            "race",
            "xor",
            "--step",
            "sgd(lr=0.1)",
            "--step",
            "sgd(lr=1.0)",
            "--stop",
            "epochs(20)",
            "--json",
            "--on",
            f"ray:{cluster.address}",
            "--out",
            tmp_path / "race",
        ],
        cwd=ROOT,
        env=environment,
        capture_output=True,
        text=True,
        timeout=WAIT,
    )
    assert (done.returncode, done.stderr) == (0, "")
    printed = json.loads(done.stdout)
    assert [run["run"] for run in printed["runs"]] == ["1", "2"]
    assert printed["missing"] == []
    assert {**printed, "finished": ""} == {
        **json.loads((tmp_path / "race" / "race.json").read_text()),
        "finished": "",
    }


def test_ctrl_c_keeps_what_has_finished(tmp_path: Path) -> None:
    pytest.importorskip("ray", reason="Ray is not installed: make test-ray")
    for name, stop, predict in (
        ("short", "epochs(1)", "mlp(3)"),
        ("long", "seconds(300)", "mlp(4)"),
    ):
        (tmp_path / f"{name}.toml").write_text(
            ss.Recipe("xor", predict=predict, stop=stop).to_toml()
        )
    errors = tmp_path / "errors"
    environment = {name: value for name, value in os.environ.items() if name != "RAY_ADDRESS"}
    with errors.open("w") as stderr:
        racing = subprocess.Popen(
            [
                sys.executable,
                "-m",
                "sevensteps",
                "race",
                "--recipe",
                tmp_path / "short.toml",
                "--recipe",
                tmp_path / "long.toml",
                "--on",
                "ray",
                "--out",
                tmp_path / "race",
            ],
            cwd=ROOT,
            env=environment,
            stdout=subprocess.PIPE,
            stderr=stderr,
            text=True,
            start_new_session=True,
        )
        try:
            until(lambda: "1 of 2 groups done" in errors.read_text() or racing.poll() is not None)
            os.killpg(racing.pid, signal.SIGINT)  # as a terminal does, to all of them
            printed, _ = racing.communicate(timeout=WAIT)
        finally:
            if racing.poll() is None:
                os.killpg(racing.pid, signal.SIGKILL)
                racing.wait()
    assert racing.returncode == 130, errors.read_text()
    assert "Interrupted: 1 of 2 networks had not finished" in " ".join(printed.split())
    error_lines = errors.read_text().splitlines()
    assert len(error_lines) == 2  # and nothing of Ray's
    assert all("of 2 groups done" in line for line in error_lines)
    stored = json.loads((tmp_path / "race" / "race.json").read_text())
    assert (
        stored["missing"],
        [run["run"] for run in stored["runs"]],
        stored["groups"][0]["members"],
    ) == ([2], ["1"], [1])
    assert sorted(path.name for path in (tmp_path / "race").iterdir()) == ["1", "race.json"]


# -- without a cluster -----------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("sizes", "wanted", "expected"),
    [
        ([3, 20], 2, [3, 20]),
        ([3, 20], 3, [3, 10, 10]),
        ([3, 20], 9, [3, 5, 5, 5, 5]),
        ([7], 4, [7]),
        ([8], 4, [4, 4]),
        ([1, 1], 8, [1, 1]),
    ],
)
def test_large_groups_are_halved_while_there_are_processors(
    sizes: list[int], wanted: int, expected: list[int]
) -> None:
    numbers = iter(range(100))
    parted = [LockstepPlan([next(numbers) for _ in range(size)]) for size in sizes]
    halved = ray_tasks.split_groups(parted, wanted)
    assert [len(group.numbers) for group in halved] == expected
    assert sorted(number for group in halved for number in group.numbers) == list(range(sum(sizes)))


def test_how_far_it_is_is_one_line(capsys: pytest.CaptureFixture[str]) -> None:
    log, line = GroupsLog(), GroupsLine()
    for tally in (
        ray_tasks.RayProgress(0, 8, 1, 1),
        ray_tasks.RayProgress(0, 8, 1, 1),
        ray_tasks.RayProgress(3, 8, 2, 8, {"loss": 0.2, "accuracy": 0.95}),
    ):
        line(tally)
        log(tally)
    assert str(line.status.status) == "3 of 8 groups done, best accuracy 0.9500, 2 machines, 8 CPUs"
    line.close()
    lines = [line for line in capsys.readouterr().err.splitlines() if "groups" in line]
    assert lines[-2:] == [
        "0 of 8 groups done, 1 machine, 1 CPU",
        "3 of 8 groups done, best accuracy 0.9500, 2 machines, 8 CPUs",
    ]


def test_a_run_folder_that_comes_twice_is_there_once(tmp_path: Path) -> None:
    ray_tasks.write_run_folder(tmp_path / "1", {"run.json": b"old", "weights.safetensors": b"w"})
    ray_tasks.write_run_folder(tmp_path / "1", {"run.json": b"new"})
    assert [path.name for path in tmp_path.iterdir()] == ["1"]
    assert {path.name: path.read_bytes() for path in (tmp_path / "1").iterdir()} == {
        "run.json": b"new"
    }


def test_a_folder_that_cannot_be_written_is_not_half_there(tmp_path: Path) -> None:
    with pytest.raises(RunError, match="cannot be written"):
        ray_tasks.write_run_folder(tmp_path / "1", {"run.json": b"new", "no/such": b"x"})
    assert list(tmp_path.iterdir()) == []


def test_what_cannot_go_elsewhere_is_refused() -> None:
    batches = [(torch.zeros(2, 2), torch.zeros(2, 1))]
    with pytest.raises(ArgumentError, match=r"recipe 2: its batches come from a loader of yours"):
        ss.race(
            [ss.Recipe("xor"), ss.Recipe("xor", repeat=ss.steps.repeat.loader(batches))],
            on="ray",
            out=False,
        )
    with pytest.raises(ArgumentError, match="leave halve or on out"):
        ss.race([ss.Recipe("xor")], on="ray", halve=True, out=False)
