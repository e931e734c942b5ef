"""What every test shares: shapes checked, one thread, real data where it is, PyTorch's global
generator left alone.
"""

from __future__ import annotations

import gc
import os
import sys
from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

# Two workers may have two threads each, on two processors; threads that wait by spinning keep
# others from working: two CNN trainings side by side took 109 s each, and take 17 s. Read when
# PyTorch is loaded.
os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")
# NumPy's and SciPy's products are small here, and their threads do spin.
os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")

import pytest
from hypothesis import settings

from tests.helpers import shape_checks
from tests.helpers.counts import COUNTS

# Collecting tests throws nothing away, and looking for what it threw away took a fifth of it.
gc.disable()

# Before anything imports them: from here on a tensor of another shape than a signature promises is
# an error.
shape_checks.check_shapes_of(
    "sevensteps.engine",
    "sevensteps.steps",
    "sevensteps.task",
    "sevensteps.head",
    "sevensteps.metrics",
)

import torch  # noqa: E402

import sevensteps.training.threads  # noqa: E402

# two workers have a processor each; `make test-machines` has the trainings with two threads
torch.set_num_threads(int(os.environ.get("OMP_NUM_THREADS", "1")))
# how many threads a training takes must not depend on who else is at work while tests run
sevensteps.training.threads.busy_processors = lambda *_: 0
settings.register_profile("quick", deadline=None, derandomize=True, max_examples=20)
# `make check-all`
settings.register_profile("thorough", deadline=None, derandomize=True, max_examples=50)
settings.load_profile("quick")

ROOT = Path(__file__).resolve().parent.parent
MNIST_FILES = [
    f"{part}-{kind}-ubyte.gz"
    for part in ("train", "t10k")
    for kind in ("images-idx3", "labels-idx1")
]


@pytest.fixture(scope="session")
def mnist_dir() -> Path:
    """The folder with the four MNIST files; the test is skipped, saying so, where they are not."""
    named = os.environ.get("SEVENSTEPS_DATA")
    folders = [ROOT.parent / "shared" / "data" / "mnist"] + (
        [Path(named), Path(named) / "mnist"] if named else []
    )
    for folder in folders:
        if all((folder / name).is_file() for name in MNIST_FILES):
            return folder
    pytest.skip("MNIST is neither in ../shared/data/mnist nor in $SEVENSTEPS_DATA")


@pytest.fixture(autouse=True)
def global_generator_untouched(request: pytest.FixtureRequest) -> Iterator[None]:
    """Fail a test during which PyTorch's global generator moved; `@pytest.mark.draws` allows it.
    Put back either way.
    """
    before = torch.random.get_rng_state()
    shape_checks.next_test()
    yield
    moved = not torch.equal(before, torch.random.get_rng_state())
    torch.random.set_rng_state(before)
    if moved and request.node.get_closest_marker("draws") is None:
        pytest.fail(
            "PyTorch's global generator moved: the package must draw from seeds.generator(seed, "
            "purpose); if it was "
            "the test that drew (nn.Linear(…) does), mark it @pytest.mark.draws",
            pytrace=False,
        )


@pytest.fixture(autouse=True)
def counts(record_property: Callable[[str, object], None]) -> Iterator[None]:
    """Keep what the test counts, for the end of the run."""
    COUNTS.clear()
    yield
    for what, number in COUNTS.items():
        record_property("counted", [what, number])


@pytest.hookimpl(tryfirst=True)
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    refuse_addresses(items)
    thin_out(items)


def thin_out(items: list[pytest.Item]) -> None:
    """Of the parameters of a test marked `sampled(n)` that are not slow, all but n, evenly spread,
    are long.
    """
    groups: dict[str, list[pytest.Item]] = {}
    for item in items:
        if item.get_closest_marker("sampled") and not item.get_closest_marker("slow"):
            groups.setdefault(item.nodeid.split("[")[0], []).append(item)
    for group in groups.values():
        marker = group[0].get_closest_marker("sampled")
        assert marker is not None
        count = min(marker.args[0], len(group))
        stay = {round(i * len(group) / count) for i in range(count)}
        for index, item in enumerate(group):
            if index not in stay:
                item.add_marker("long")


def refuse_addresses(items: list[pytest.Item]) -> None:
    """Refuse a test that is called by an address: two workers would call it differently."""
    for item in items:
        if " object at 0x" in item.nodeid:
            raise pytest.UsageError(f"{item.nodeid}: give this parameter an id of its own")


def pytest_collection_finish() -> None:
    """From here on garbage is collected, but not looked for among all that was imported."""
    gc.collect()
    gc.freeze()
    gc.enable()


def pytest_terminal_summary(terminalreporter: Any) -> None:
    """Say what was counted in all tests."""
    total: Counter[str] = Counter()
    for report in terminalreporter.stats.get("", []):
        if report.when == "teardown":
            for name, held in report.user_properties:
                if name == "counted":
                    total[held[0]] += held[1]
    for what in sorted(total):
        terminalreporter.write_line(f"{what}: {total[what]:,}")


@pytest.fixture(autouse=True)
def forgets_compiled_functions() -> Iterator[None]:
    """A watch is careful in a process in which a function was compiled: the next test is another
    process's.
    """
    yield
    if (frames := sys.modules.get("torch._dynamo.eval_frame")) is not None:
        if any(dict(frames.cached_backends).values()):
            torch._dynamo.reset()
        frames.always_optimize_code_objects.refs.clear()
        frames.always_optimize_code_objects.values.clear()
