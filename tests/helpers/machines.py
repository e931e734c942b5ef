"""`python -m tests.helpers.machines`: the numerical tests as other machines run them.

Each variant takes away what this processor has (wide vectors, a second thread, the shared data
beside the repository) or lets other processes have the cores meanwhile. What rounds otherwise must
not be a failure, and what is slower must not be one.
"""

from __future__ import annotations

import argparse
import contextlib
import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent.parent
# What shares its work between threads, or takes time: the engines, the loop, the search for a rate.
ENGINES = ["tests/engine", "tests/training", "--ignore=tests/engine/distributed"]
TRAININGS = [*ENGINES, "tests/lr_finder"]
# What rounds: the engines, the steps and the explanations.
NUMBERS = [*ENGINES, "tests/steps", "tests/explain/gradient", "tests/explain/one_step"]
# What is judged by numbers, besides: rates, and the doctor's conditions, where rounding differs the
# most.
JUDGEMENTS = [
    *NUMBERS,
    "tests/lr_finder",
    "tests/doctor/test_conditions.py::test_a_fault_is_named_with_its_evidence",
    "tests/doctor/test_observer.py",
]


@dataclass(frozen=True)
class Machine:
    """What a variant sets: environment variables, data beside the repository, busy cores; and the
    tests that it may show something by.
    """

    name: str
    tests: list[str]
    variables: dict[str, str] = field(default_factory=dict)
    shared: bool = True
    busy: bool = False
    long: bool = True  # also the tests that take seconds


MACHINES = [
    Machine(
        "one thread, SSE, without ../shared",
        JUDGEMENTS,
        {
            "ATEN_CPU_CAPABILITY": "default",
            "ONEDNN_MAX_CPU_ISA": "SSE41",
            "MKL_ENABLE_INSTRUCTIONS": "SSE4_2",
            "OMP_NUM_THREADS": "1",
        },
        shared=False,
    ),
    Machine(
        "two threads, AVX2",
        NUMBERS,
        {
            "ATEN_CPU_CAPABILITY": "avx2",
            "ONEDNN_MAX_CPU_ISA": "AVX2",
            "MKL_ENABLE_INSTRUCTIONS": "AVX2",
            "OMP_NUM_THREADS": "2",
        },
    ),
    Machine(
        "two threads, SSE in MKL alone, beside processes that keep every core busy",
        TRAININGS,
        {"MKL_ENABLE_INSTRUCTIONS": "SSE4_2", "OMP_NUM_THREADS": "2"},
        busy=True,
        long=False,
    ),
]


@contextlib.contextmanager
def busy_cores() -> Iterator[None]:
    """A process for every core that does nothing but compute, until it is over."""
    command = [sys.executable, "-c", "while True: pass"]
    processes = [subprocess.Popen(command) for _ in range(os.cpu_count() or 1)]
    try:
        yield
    finally:
        for process in processes:
            process.kill()
            process.wait()


@contextlib.contextmanager
def copy_without_neighbours() -> Iterator[Path]:
    """A copy of the repository in a folder of its own."""
    with tempfile.TemporaryDirectory() as folder:
        copy = Path(folder) / "repository"
        unwanted = shutil.ignore_patterns(".*", "__pycache__", "runs", "build", "dist", "_build")
        shutil.copytree(ROOT, copy, ignore=unwanted)
        yield copy


def run(machine: Machine, tests: list[str]) -> int:
    """Run the tests as on `machine`; gives the exit status of pytest."""
    others = {
        name: value
        for name, value in os.environ.items()
        if name not in {variable for one in MACHINES for variable in one.variables}
        and (machine.shared or name != "SEVENSTEPS_DATA")
    }
    with (
        busy_cores() if machine.busy else contextlib.nullcontext(),
        contextlib.nullcontext(ROOT) if machine.shared else copy_without_neighbours() as root,
    ):
        which = "not slow" if machine.long else "not slow and not long"
        command = [sys.executable, "-m", "pytest", "-p", "no:cacheprovider", "-m", which]
        return subprocess.run(
            [*command, "-n", "2", "--dist", "worksteal", *tests],
            cwd=root,
            env={**others, **machine.variables, "PYTHONPATH": str(root)},
            check=False,
        ).returncode


def main() -> int:
    parser = argparse.ArgumentParser(
        prog="python -m tests.helpers.machines", description=(__doc__ or "").splitlines()[0]
    )
    parser.add_argument("--only", default="", help="the variants whose name contains this")
    parser.add_argument("tests", nargs="*", help="what to run instead")
    options = parser.parse_args()
    failed = []
    for machine in MACHINES:
        if options.only in machine.name:
            settings = " ".join(f"{name}={value}" for name, value in machine.variables.items())
            print(f"\n== {machine.name}: {settings}", flush=True)
            if run(machine, options.tests or machine.tests):
                failed.append(machine.name)
    for name in failed:
        print(f"failed: {name}", file=sys.stderr)
    return int(bool(failed))


if __name__ == "__main__":
    sys.exit(main())
