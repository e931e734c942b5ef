"""What is fuzzed: everything that reads text or files from elsewhere. Each target takes bytes and
lets nothing out but our own errors.

Both the tests (hypothesis, `tests/hostile/test_fuzz.py`) and the longer check (atheris, `python -m
tests.hostile.fuzz`) use these."""

from __future__ import annotations

import contextlib
import functools
import gzip
import hashlib
import io
import json
import shutil
import sqlite3
import struct
import tempfile
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy
import torch

import sevensteps as ss
from sevensteps import steps
from sevensteps.cli.compare import command as compare
from sevensteps.data.formats import idx
from sevensteps.data.formats.csv import csv
from sevensteps.data.formats.idx_files import idx_reader
from sevensteps.data.formats.npy import load_npy, npy_reader
from sevensteps.data.prediction_inputs import read_inputs
from sevensteps.data.streaming.row_reader import BinaryRowReader
from sevensteps.data.streaming.streamed_inputs import stream_rows
from sevensteps.errors import Error
from sevensteps.record import checkpoints
from sevensteps.record.database import read_watched
from sevensteps.training import loop, state
from sevensteps.training.recipe import Recipe
from sevensteps.training.resolve import resolve
from tests.helpers.interrupts import InterruptAt

LONGEST = 4000  # characters of a message; one line that nobody can read is no help either
FILES = ("recipe.toml", "run.json", "record.sqlite", "weights.safetensors", "best.safetensors")
LAST = 9  # steps of the training that is resumed


@dataclass(frozen=True)
class Target:
    """`run(data)` raises only where something is wrong with us; `samples()` are valid, and start
    with `head` bytes that choose.
    """

    name: str
    run: Callable[[bytes], None]
    samples: Callable[[], list[bytes]]
    head: int = 0


@contextlib.contextmanager
def ours() -> Iterator[None]:
    """Lets our errors pass, and fails for one that is no line for people."""
    try:
        yield
    except Error as failure:
        said = str(failure)
        assert said, "an error without a word"
        assert "\n" not in said, said
        assert len(said) <= LONGEST, f"{len(said)} characters: {said[:200]}"


@functools.cache
def folder() -> Path:
    """A folder of this process, with a finished run, `run`, an interrupted one, `begun`, and one
    that stays as it is, `good`.
    """
    place = Path(tempfile.mkdtemp(prefix="hostile-"))
    made = {
        "predict": "mlp(3, batch_norm=True)",
        "step": "adam(lr=0.01)",
        "repeat": "batches(40)",
        "seed": 1,
    }
    ss.train("xor", **made, stop="epochs(2)", out=place / "run")
    ss.train("xor", **made, stop=f"steps({LAST})", out=place / "begun", observers=[InterruptAt(6)])
    shutil.copytree(place / "run", place / "good")
    return place


def remove() -> None:
    """Take that folder away."""
    if folder.cache_info().currsize:
        shutil.rmtree(folder(), ignore_errors=True)
        folder.cache_clear()


# -- text ------------------------------------------------------------------------------------------


def notation(data: bytes) -> None:
    """A step's value; what is read is written back, and reads as equal."""
    step, text = (
        steps.STEPS[data[0] % 7] if data else "stop",
        data[1:].decode(errors="surrogateescape"),
    )
    with ours():
        made = steps.parse(step, text)
        assert steps.parse(step, repr(made)) == made


def notations() -> list[bytes]:
    """A value of each step, and some that are written otherwise."""
    texts = [
        (index, f"{entry.name}({argument})")
        for index, step in enumerate(steps.STEPS)
        for entry in steps.catalog(step)
        for argument in ("", "3", "0.1", "lr=0.1", "'relu', bias=False")
    ]
    more = [
        "epochs(20) | patience(3, on='train') | seconds(1e3)",
        "sgd(lr=one_cycle(0.1), momentum=0.9, nesterov=True)",
        'mlp(30, [10, (5,)], activation="tanh")  # a remark',
        "module('package:factory')",
    ]
    return [
        bytes([index]) + text.encode()
        for index, text in [*texts, *((6, text) for text in more), *((4, text) for text in more)]
    ]


def toml(data: bytes) -> None:
    """A recipe, as text and as a file; nothing that it names is imported."""
    text = data.decode(errors="replace") + "\n"
    file = folder() / "recipe.toml"
    file.write_bytes(data)
    for source in (text, file):
        with ours():
            made = Recipe.from_toml(source)
            assert Recipe.from_toml(made.to_toml()) == made


def tomls() -> list[bytes]:
    """The recipe of a run, and others."""
    full = (folder() / "run" / "recipe.toml").read_bytes()
    return [
        full,
        b'data = "digits"\n',
        b"data = 'speed(noise=1.0)'\nseed = 3\nthreads = 1\ndevice = \"cpu\"\nprecision = "
        b'"float64"\n',
        b'data = "digits"\npredict = "module(\'package:factory\')"\n',
        b'data = """xor"""\nstep.lr = 3\n[loss]\nx = [1, {y = 2}]\n',
    ]


# -- data ------------------------------------------------------------------------------------------


def idx_file(data: bytes) -> None:
    """Images and labels of an IDX file, plain and packed."""
    file = folder() / "idx"
    file.write_bytes(data)
    for read in (idx.read_array, idx.read_images, idx.read_labels):
        with ours():
            read(file)


def idx_files() -> list[bytes]:
    """Small files of several kinds."""
    made = [
        b"\0\0\x08\x03" + struct.pack(">3I", 2, 3, 4) + bytes(range(24)),
        b"\0\0\x08\x01" + struct.pack(">I", 5) + bytes(5),
        b"\0\0\x0d\x02" + struct.pack(">2I", 2, 2) + struct.pack(">4f", 0, 1, 2, 3),
        b"\0\0\x08\x03" + struct.pack(">3I", 0, 2**32 - 1, 2**32 - 1),
        b"\0\0\x08\x04" + struct.pack(">4I", 2**32 - 1, 2**32 - 1, 2**32 - 1, 2**32 - 1),
    ]
    return [*made, *(gzip.compress(content, mtime=0) for content in made)]


def npy_file(data: bytes) -> None:
    """A .npy, and an IDX file, whose numbers stay where they are; and arrays that are loaded."""
    file = folder() / "array.npy"
    file.write_bytes(data)
    for read in (npy_reader, idx_reader, functools.partial(load_npy, limit=1 << 20)):
        with ours():
            rows = read(file)
            if isinstance(rows, BinaryRowReader):
                assert len(stream_rows(rows, 1 << 20)[:3]) <= 3


def npy_files() -> list[bytes]:
    """Arrays of several kinds, and an IDX file."""
    arrays: list[Any] = [
        numpy.arange(12.0).reshape(4, 3),
        numpy.zeros((2, 3, 4, 3), "u1"),
        numpy.array(["a", "bc"]),
        numpy.zeros((0, 3), ">f4"),
        numpy.asfortranarray(numpy.ones((3, 2), "f4")),
        numpy.zeros(3, [("x", "i4")]),
    ]
    made = []
    for held in arrays:
        whole = io.BytesIO()
        numpy.save(whole, held)
        made.append(whole.getvalue())
    return [*made, idx_files()[0]]


def table(data: bytes) -> None:
    """A CSV to train on, with several ways to read it, and the same as new inputs to answer."""
    file = folder() / "table.csv"
    file.write_bytes(data[1:])
    way = data[0] if data else 0
    given: dict[str, Any] = {
        "separator": ",;\t "[way & 3],
        "missing": ("refuse", "fill", "drop", "fill")[way >> 2 & 3],
    }
    for target in ("t", "x"):
        with ours():
            made = csv(str(file), target=target, **given).load()
            read_inputs(file, made.inputs)
    for inputs in plain_inputs():
        with ours():
            read_inputs(file, inputs)


@functools.cache
def plain_inputs() -> list[Any]:
    """What two trainings on arrays took in: two numbers, and pictures of 2 × 2."""
    y = [0, 1] * 4
    return [
        ss.data.from_arrays(numpy.arange(size * 8.0).reshape(8, *shape), y).inputs
        for size, shape in ((2, (2,)), (4, (2, 2)))
    ]


def tables() -> list[bytes]:
    """Numbers, texts, dates, gaps, quotes, other separators, line ends of other systems."""
    rows = [
        ("1.5", "red", "2024-01-02", "yes", "a"),
        ("2", "blue", "2024-02-03T10:00:00+01:00", "no", "b"),
    ] * 6
    plain = b"\n".join([b"x,colour,born,ok,t", *(",".join(row).encode() for row in rows)])
    numbers = b"x,t\n" + b"\n".join(b"%d,%d.5" % (n, n * n) for n in range(12))
    return [
        b"\0" + plain,
        b"\4" + plain.replace(b"red", b"").replace(b"2,", b"NA,"),
        b"\1" + plain.replace(b",", b";"),
        b"\2" + plain.replace(b",", b"\t").replace(b"\n", b"\r\n"),
        b"\0" + numbers,
        b"\0\xef\xbb\xbf" + numbers.replace(b"\n", b"\r"),
        b'\0"x, y","t"\n"1","a ""b"""\n"2\n3",c\n',
        b"\0" + b"\n".join(b"1,2" for _ in range(5)),
        b"\0" + "größe,t\n1,猫\n2,犬\n3,猫\n4,犬\n".encode(),
    ]


# -- runs ------------------------------------------------------------------------------------------


def run_json(data: bytes) -> None:
    """`run.json` of a run that is otherwise whole."""
    with replaced(folder() / "run" / "run.json", data):
        whole_run()
        with ours(), contextlib.redirect_stdout(io.StringIO()):
            for as_json in (True, False):
                compare.callback(str(folder() / "run"), str(folder() / "good"), as_json)  # type: ignore[misc]


def run_jsons() -> list[bytes]:
    """That of a run."""
    return [(folder() / "good" / "run.json").read_bytes()]


def run_folder(data: bytes) -> None:
    """Any one file of a run folder; the first byte chooses which."""
    with replaced(folder() / "run" / FILES[data[0] % len(FILES) if data else 0], data[1:]):
        whole_run()


def run_folders() -> list[bytes]:
    """Those of a run."""
    return [
        bytes([place]) + (folder() / "good" / name).read_bytes() for place, name in enumerate(FILES)
    ]


def whole_run() -> None:
    """Read the run in every way that there is."""
    with ours():
        run = ss.load(folder() / "run")
        for which in ("last", "best"):
            run.predict(torch.zeros(2, *run.inputs.shape), which)  # type: ignore[arg-type]
        repr(run)
    with ours():
        run = ss.load(folder() / "run")
        _ = run.findings, run.healed
    with ours():
        read_watched(folder() / "run")


def seen(data: bytes) -> None:
    """What watching kept of a run, in its record: the first byte chooses the text of which row."""
    file = folder() / "run" / "record.sqlite"
    with replaced(file, file.read_bytes()):
        table, column, row = rows_seen()[data[0] % len(rows_seen())] if data else rows_seen()[0]
        with contextlib.closing(sqlite3.connect(file)) as record, record:
            record.execute(
                f"update {table} set {column} = ? where rowid = ?",
                (data[1:].decode(errors="replace"), row),
            )
        for more in ("-wal", "-shm"):
            file.with_name(file.name + more).unlink(missing_ok=True)
        with ours():
            str(ss.diagnose(folder() / "run"))


@functools.cache
def rows_seen() -> list[tuple[str, str, int]]:
    """Table, column and number of each row of the record that has a text."""
    with contextlib.closing(sqlite3.connect(folder() / "good" / "record.sqlite")) as record:
        return [
            (table, column, row)
            for table, column in (("watched", "held"), ("looks", "numbers"))
            for (row,) in record.execute(f"select rowid from {table}")
        ]


def all_seen() -> list[bytes]:
    """Those of a run."""
    with contextlib.closing(sqlite3.connect(folder() / "good" / "record.sqlite")) as record:
        return [
            bytes([place])
            + record.execute(f"select {column} from {table} where rowid = ?", (row,))
            .fetchone()[0]
            .encode()
            for place, (table, column, row) in enumerate(rows_seen())
        ]


@contextlib.contextmanager
def replaced(file: Path, content: bytes) -> Iterator[None]:
    """Another content of a file, for a while."""
    before = file.read_bytes()
    file.write_bytes(content)
    try:
        yield
    finally:
        file.write_bytes(before)


def states(data: bytes) -> None:
    """A state to go on from. "R" starts a whole `state.json`, "J" what stands in it, "T" the
    tensors; these two with the sums that fit.
    """
    begun = folder() / "begun"
    kind, content = data[:1], data[1:]
    plain = json.loads((begun / checkpoints.PLAIN).read_bytes())["state"]
    tensors = (begun / checkpoints.TENSORS).read_bytes()
    if kind == b"T":
        tensors = content
        plain["tensors"] = hashlib.sha256(content).hexdigest()
    elif kind == b"J":
        try:
            plain = json.loads(content)
        except (ValueError, RecursionError):
            kind = b"R"
    whole = (
        content
        if kind not in (b"T", b"J")
        else json.dumps(
            {"sum": hashlib.sha256(json.dumps(plain).encode()).hexdigest(), "state": plain}
        ).encode()
    )
    with (
        replaced(begun / checkpoints.PLAIN, whole),
        replaced(begun / checkpoints.TENSORS, tensors),
        ours(),
    ):
        kept = checkpoints.read(begun)
        training = state.start(resolve(Recipe.from_toml(begun / "recipe.toml")))
        if kept is not None:
            kept.restore(training)
            loop.train(training)


def all_states() -> list[bytes]:
    """The state of the training that was interrupted."""
    begun = folder() / "begun"
    whole = (begun / checkpoints.PLAIN).read_bytes()
    inner = json.dumps(json.loads(whole)["state"]).encode()
    return [
        b"R" + whole,
        b"J" + inner,
        b"J" + inner,
        b"T" + (begun / checkpoints.TENSORS).read_bytes(),
    ]


TARGETS = {
    target.name: target
    for target in (
        Target("notation", notation, notations, 1),
        Target("recipe", toml, tomls),
        Target("idx", idx_file, idx_files),
        Target("csv", table, tables, 1),
        Target("run_json", run_json, run_jsons),
        Target("run_folder", run_folder, run_folders, 1),
        Target("state", states, all_states, 1),
        Target("npy", npy_file, npy_files),
        Target("seen", seen, all_seen, 1),
    )
}
