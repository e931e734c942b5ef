"""Random bytes, and valid samples made wrong: nothing comes out but our own errors, nothing hangs,
nothing takes much memory.

The same targets are looked at for longer, and led by what code they reach, in `python -m
tests.hostile.fuzz` (`make fuzz`)."""

from __future__ import annotations

import json
import resource
import sys
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.helpers.counts import count
from tests.hostile.mutations import sampled
from tests.hostile.targets import TARGETS, folder, remove

# bytes more than before: what a target may hold by accident, and far from what a hostile header
# announces
MEMORY = 600_000_000
EXAMPLES = {  # in a thorough run
    "notation": 1500,
    "recipe": 300,
    "idx": 400,
    "csv": 250,
    "run_json": 200,
    "run_folder": 200,
    "state": 150,
    "npy": 400,
    "seen": 60,
}
EXECUTIONS = "executions of fuzz targets, nothing but our own errors"
calm = settings(suppress_health_check=list(HealthCheck), deadline=None, derandomize=True)


@pytest.fixture(scope="module", autouse=True)
def one_folder() -> Iterator[None]:
    """The runs that are read: made once, taken away at the end."""
    folder()
    yield
    remove()


@pytest.fixture(autouse=True)
def little_memory() -> Iterator[None]:
    """Fail a test that took much."""
    before = peak()
    yield
    assert peak() - before < MEMORY


def peak() -> int:
    """The most memory that this process had so far, in bytes."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * (
        1 if sys.platform == "darwin" else 1024
    )


@pytest.mark.parametrize("name", TARGETS)
@pytest.mark.sampled(3)
def test_samples_are_read(name: str) -> None:
    target = TARGETS[name]
    for sample in target.samples():
        target.run(sample)


@pytest.mark.parametrize("name", TARGETS)
@pytest.mark.sampled(3)
def test_any_bytes(name: str) -> None:
    target = TARGETS[name]
    heads = sorted({sample[: target.head] for sample in target.samples()})

    @settings(calm, max_examples=2 * settings.default.max_examples)
    @given(
        st.sampled_from(heads),
        st.binary(max_size=400)
        | st.text(max_size=200).map(lambda text: text.encode(errors="replace")),
    )
    def check(head: bytes, data: bytes) -> None:
        target.run(head + data)
        count(EXECUTIONS)

    check()


@pytest.mark.parametrize("name", TARGETS)
@pytest.mark.sampled(3)
def test_samples_made_wrong(name: str) -> None:
    target, samples = TARGETS[name], TARGETS[name].samples()

    @settings(calm, max_examples=EXAMPLES[name] * settings.default.max_examples // 50)
    @given(st.integers(0, 2**32))
    def check(seed: int) -> None:
        target.run(sampled(seed, samples, target.head))
        count(EXECUTIONS)

    check()


# -- what was found --------------------------------------------------------------------------------


def at(path: str, value: Any) -> Callable[[Any], None]:
    """Puts `value` at a dotted `path`."""

    def change(held: Any) -> None:
        *boxes, last = path.split(".")
        for key in boxes:
            held = held[int(key) if isinstance(held, list) else key]
        held[int(last) if isinstance(held, list) else last] = value

    return change


FOUND: list[tuple[str, Any]] = [
    ("notation", b"\4sgd(lr=0x" + b"f" * 1900 + b")"),
    (
        "recipe",
        b".".join([b"a"] * 40_000) + b" = 1",
    ),  # took seconds, and 50,000 nested tables could not be printed
    ("recipe", b"data = 'xor'\nseed = " + b"{a=" * 200 + b"1" + b"}" * 200),
    ("recipe", b"data = 'xor'\nseed = 0x" + b"f" * 20_000),  # a number that Python does not print
    ("recipe", b"data = 'xor'\nthreads = 1000000000"),  # ended the process
    ("recipe", b"data = 'xor'\ndevice = 'meta'"),  # a device without memory
    ("recipe", b"data = 'xor'\ndevice = 'hpu'"),
    (
        "idx",
        b"\0\0\x08\x08" + b"\0\0\0\0" + b"\xff" * 28,
    ),  # no number, in more dimensions than fit into 64 bits
    ("csv", b"\0" + b"x," * 60_000 + b"t\n"),  # was compared each with each
    ("run_json", at("data.inputs.scaling.name", "a" * 5000)),  # a message that went on and on
    (
        "run_json",
        at("data.task.classes", ["\ud800", "no"]),
    ),  # half a character, which cannot be printed
    ("run_json", at("data.task.kind", "divination")),
    ("run_json", at("data.inputs.shape", [10**12])),  # a layer of terabytes
    ("run_json", at("data.inputs.scaling.offset", [[1.0, 2.0]])),
    ("run_json", at("metrics.valid.accuracy", "high")),
    ("run_json", at("recipe", "mlp(3)")),
    ("run_folder", b"\0data = 'xor'\n"),  # a network that is left open cannot be built
    (
        "run_folder",
        b"\0data = 'xor'\npredict = 'mlp(100000000000)'\nloss = 'binary_cross_entropy()'\n",
    ),
    ("state", at("history", "")),  # failed in the loop
    ("state", at("history.0.valid", {"loss": 1.0})),
    ("state", at("tensors", ["x"])),
    ("state", at("schema", None)),
    ("state", at("place.taken", 10**30)),
    ("state", at("memory", {"exp_avg": "meta", "exp_avg_sq": "cuda", "step": "cpu"})),
]


@pytest.mark.parametrize(("name", "found"), FOUND)
def test_what_fuzzing_found(name: str, found: Any) -> None:
    target = TARGETS[name]
    if callable(found):
        sample = next(sample for sample in target.samples() if not sample.startswith(b"R"))
        held = json.loads(sample[target.head :])
        found(held)
        found = sample[: target.head] + json.dumps(held).encode()
    target.run(found)
