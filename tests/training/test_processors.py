"""What a process reads of its machine, from files as Linux writes them."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path

import pytest

from sevensteps.training import processors

Cores = Callable[[list[int]], None]


@pytest.fixture
def root(tmp_path: Path) -> Path:
    return tmp_path


@pytest.fixture
def affinity(monkeypatch: pytest.MonkeyPatch) -> Cores:
    """The process bound to these processors."""

    def bound(numbers: list[int]) -> None:
        monkeypatch.setattr(os, "sched_getaffinity", lambda _: set(numbers), raising=False)

    return bound


def write(root: Path, files: dict[str, str]) -> None:
    for name, text in files.items():
        file = root / name
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(f"{text}\n")


def topology(count: int, siblings: int) -> dict[str, str]:
    """Processors of which `siblings` share a core, numbered as Linux does: the first hyper-thread
    of every core, then the second ones.
    """
    cores = count // siblings
    return {
        f"sys/devices/system/cpu/cpu{number}/topology/thread_siblings_list": ",".join(
            str(number % cores + cores * sibling) for sibling in range(siblings)
        )
        for number in range(count)
    }


@pytest.mark.parametrize("count", [1, 2, 4, 16])
def test_processors_without_hyper_threads(count: int, root: Path, affinity: Cores) -> None:
    write(root, topology(count, 1))
    affinity(list(range(count)))
    assert (processors.usable_processors(root), processors.usable_cores(root)) == (count, count)


@pytest.mark.parametrize("count", [2, 4, 16])
def test_hyper_threads_of_a_core_count_once(count: int, root: Path, affinity: Cores) -> None:
    write(root, topology(count, 2))
    affinity(list(range(count)))
    assert (processors.usable_processors(root), processors.usable_cores(root)) == (
        count,
        count // 2,
    )
    # one hyper-thread of each core, and both of the first one alone
    affinity(list(range(count // 2)))
    assert processors.usable_cores(root) == count // 2
    affinity([0, count // 2])
    assert (processors.usable_processors(root), processors.usable_cores(root)) == (2, 1)


def test_a_system_that_says_nothing(
    root: Path, affinity: Cores, monkeypatch: pytest.MonkeyPatch
) -> None:
    affinity([3, 5])
    assert (processors.usable_processors(root), processors.usable_cores(root)) == (2, 2)
    assert (processors.cpu_quota(root), processors.busy_processors(root)) == (1e9, 0)
    monkeypatch.delattr(os, "sched_getaffinity", raising=False)
    monkeypatch.setattr(os, "cpu_count", lambda: 6)
    assert processors.usable_cores(root) == 6
    monkeypatch.setattr(os, "cpu_count", lambda: None)
    assert processors.usable_cores(root) == 1


V2 = {"proc/self/cgroup": "0::/user.slice/job"}
V1 = {"proc/self/cgroup": "12:memory:/docker/a\n4:cpu,cpuacct:/docker/a\n0::/system"}


@pytest.mark.parametrize(
    ("files", "quota"),
    [
        ({**V2, "sys/fs/cgroup/user.slice/job/cpu.max": "150000 100000"}, 1.5),
        ({**V2, "sys/fs/cgroup/user.slice/job/cpu.max": "max 100000"}, 1e9),
        # the group around it allows less
        (
            {
                **V2,
                "sys/fs/cgroup/user.slice/job/cpu.max": "800000 100000",
                "sys/fs/cgroup/user.slice/cpu.max": "200000 100000",
            },
            2,
        ),
        # a container that sees its own group as the root
        ({**V2, "sys/fs/cgroup/cpu.max": "300000 100000"}, 3),
        ({"proc/self/cgroup": "0::/", "sys/fs/cgroup/cpu.max": "50000 100000"}, 0.5),
        (
            {
                **V1,
                "sys/fs/cgroup/cpu,cpuacct/docker/a/cpu.cfs_quota_us": "250000",
                "sys/fs/cgroup/cpu,cpuacct/docker/a/cpu.cfs_period_us": "100000",
            },
            2.5,
        ),
        (
            {
                **V1,
                "sys/fs/cgroup/cpu/cpu.cfs_quota_us": "400000",
                "sys/fs/cgroup/cpu/cpu.cfs_period_us": "100000",
            },
            4,
        ),
        (
            {
                **V1,
                "sys/fs/cgroup/cpu/docker/a/cpu.cfs_quota_us": "-1",
                "sys/fs/cgroup/cpu/docker/a/cpu.cfs_period_us": "100000",
            },
            1e9,
        ),
        # files that are cut off, empty, or of something else
        ({**V2, "sys/fs/cgroup/user.slice/job/cpu.max": ""}, 1e9),
        ({**V2, "sys/fs/cgroup/user.slice/job/cpu.max": "100000"}, 1e9),
        ({**V2, "sys/fs/cgroup/user.slice/job/cpu.max": "100000 0"}, 1e9),
        ({**V2, "sys/fs/cgroup/user.slice/job/cpu.max": "-5 x y"}, 1e9),
        ({"proc/self/cgroup": "no colons here"}, 1e9),
    ],
)
def test_quotas_of_control_groups(
    files: dict[str, str], quota: float, root: Path, affinity: Cores
) -> None:
    write(root, files)
    affinity(list(range(16)))
    assert processors.cpu_quota(root) == quota
    assert processors.usable_processors(root) == max(1, min(16, int(quota)))
    affinity([0])
    assert processors.usable_cores(root) == 1


@pytest.mark.parametrize(
    ("load", "busy"),
    [
        ("0.00 0.01 0.05 1/80 1234", 0),
        ("9.00 0.01 0.05 1/80 1234", 0),  # who was at work is gone
        ("0.00 0.01 0.05 2/80 1234", 1),
        ("0.00 0.01 0.05 4/80 1234", 3),
        ("0.00 0.01 0.05 99/200 1234", 4),  # no more than there are processors
        ("0.00 0.00 0.00 0/0 0", 0),  # as some sandboxes write
        ("", 0),
        ("0.1 0.2 0.3 x/y 5", 0),
    ],
)
def test_busy_processors(load: str, busy: int, root: Path, affinity: Cores) -> None:
    write(root, {"proc/loadavg": load})
    affinity([0, 1, 2, 3])
    assert processors.busy_processors(root, samples=2) == busy


def test_who_only_comes_by_keeps_no_processor_busy(
    root: Path, affinity: Cores, monkeypatch: pytest.MonkeyPatch
) -> None:
    affinity([0, 1, 2, 3])
    loads = [3, 4, 2]
    write(root, {"proc/loadavg": "0 0 0 3/80 1"})

    def passes(_: float) -> None:
        loads.pop(0)
        write(root, {"proc/loadavg": f"0 0 0 {loads[0]}/80 1"})

    monkeypatch.setattr(processors.time, "sleep", passes)
    assert processors.busy_processors(root, samples=3) == 1


def task(state: str) -> str:
    return f"7 (a) name) R) {state} 1 7 7 0"


@pytest.mark.parametrize(
    ("running", "own", "wait"),
    [
        (2, ["R", "R"], False),
        (3, ["R", "R"], True),  # two processors, and a third thread wants one
        (4, ["R", "R", "R", "R"], False),  # all of them ours
        (2, ["S", "R"], False),
        (3, ["R", "S"], True),  # one of ours sleeps: two others fill the processors
    ],
)
def test_others_wait_where_more_want_to_run_than_can(
    running: int, own: list[str], wait: bool, root: Path, affinity: Cores
) -> None:
    affinity([0, 1])
    tasks = {f"proc/self/task/{i}/stat": task(state) for i, state in enumerate(own)}
    write(root, {"proc/loadavg": f"0.2 0.2 0.1 {running}/80 11206", **tasks})
    assert processors.others_wait(root) is wait


def test_nobody_waits_where_the_system_says_nothing(root: Path) -> None:
    assert not processors.others_wait(root)
