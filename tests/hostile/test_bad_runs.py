"""Run folders and states that are damaged or hostile, one row each; and nothing outside of a run
folder is read or changed through one.
"""

from __future__ import annotations

import hashlib
import json
import os
import sqlite3
import struct
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from tests.hostile.conftest import Refused

Prepare = Callable[[], None]


# -- runs to make mistakes with --------------------------------------------------------------------


def put(name: str, content: str | bytes) -> Prepare:
    return lambda: (
        Path(name).write_bytes(content.encode() if isinstance(content, str) else content),
        None,
    )[1]


def without(name: str) -> Prepare:
    return lambda: Path(name).unlink()


def summary(change: Callable[[dict[str, Any]], Any]) -> Prepare:
    """`run.json` of the finished run, changed."""

    def prepare() -> None:
        file = Path("run/run.json")
        held = json.loads(file.read_text())
        change(held)
        file.write_text(json.dumps(held))

    return prepare


def set_to(path: str, value: Any) -> Callable[[dict[str, Any]], None]:
    def change(held: dict[str, Any]) -> None:
        *boxes, last = path.split(".")
        for key in boxes:
            held = held[key]
        held[last] = value

    return change


def recipe(line: str) -> Prepare:
    """`recipe.toml` of the finished run, with another line for one of its keys."""

    def prepare() -> None:
        file, key = Path("run/recipe.toml"), line.split(" ")[0]
        kept = [old for old in file.read_text().splitlines() if not old.startswith(f"{key} ")]
        file.write_text("\n".join([*kept, line, ""]))

    return prepare


def tensors(header: dict[str, Any] | bytes, data: bytes = b"") -> bytes:
    """A safetensors file."""
    text = header if isinstance(header, bytes) else json.dumps(header).encode()
    return struct.pack("<Q", len(text)) + text + data


def weights(header: dict[str, Any] | bytes, data: bytes = b"") -> Prepare:
    return put("run/weights.safetensors", tensors(header, data))


def tensor(*shape: int, kind: str = "F32", end: int = 0) -> dict[str, Any]:
    return {"dtype": kind, "shape": shape, "data_offsets": [0, end]}


def database(*commands: str) -> Prepare:
    """`record.sqlite` of the finished run, changed."""

    def prepare() -> None:
        changed = sqlite3.connect("run/record.sqlite")
        for command in commands:
            changed.execute(command)
        changed.commit()
        changed.close()

    return prepare


def state(change: Callable[[dict[str, Any]], Any]) -> Prepare:
    """`state.json` of the interrupted run, changed, with the sum that belongs to it."""

    def prepare() -> None:
        for old in Path("begun").glob("previous-*"):
            old.unlink()
        file = Path("begun/state.json")
        plain = json.loads(file.read_text())["state"]
        change(plain)
        file.write_text(
            json.dumps(
                {"sum": hashlib.sha256(json.dumps(plain).encode()).hexdigest(), "state": plain}
            )
        )

    return prepare


def link(name: str) -> Prepare:
    """A file of a run folder moved out of it, and a link to it in its place."""

    def prepare() -> None:
        Path("elsewhere").mkdir()
        outside = Path("elsewhere", Path(name).name).resolve()
        if Path(name).exists():
            Path(name).rename(outside)
        else:
            outside.write_text("precious")
        Path(name).symlink_to(outside)

    return prepare


def pipe(name: str) -> Prepare:
    def prepare() -> None:
        Path(name).unlink(missing_ok=True)
        os.mkfifo(name)

    return prepare


# -- the table -------------------------------------------------------------------------------------

PREDICT, RESUME = ("predict", "run", "new.csv"), ("resume", "begun")
BAD: dict[str, tuple[Prepare, tuple[str, ...], str]] = {
    # the folder
    "no run": (
        lambda: None,
        ("predict", "rum", "new.csv"),
        "there is no run rum; make one with: sevensteps train digits",
    ),
    "a name without end": (
        lambda: None,
        ("predict", "r" * 300, "new.csv"),
        "the run rrrrrrrrrrrrrrrrrrrrrrrrrrrrrrrrrrrrrrrrrrrrrrrrrrrrrrrrrrrrrrrrrrrrrrrrrrrrrrr… "
        "cannot be looked for: File name too "
        "long; give a run folder, or a name under runs/",
    ),
    "not finished": (
        without("run/run.json"),
        PREDICT,
        "run holds a training that was not finished; go on with: sevensteps resume run",
    ),
    # run.json
    "summary: not JSON": (
        put("run/run.json", "run"),
        PREDICT,
        "run/run.json cannot be read: Expecting value: line 1 column 1 (char 0)",
    ),
    "summary: brackets": (
        put("run/run.json", "[" * 100_000),
        PREDICT,
        "run/run.json cannot be read: it nests too many brackets",
    ),
    "summary: a list": (
        put("run/run.json", "[]"),
        PREDICT,
        "run/run.json holds a list where a JSON object belongs; it is damaged or something else",
    ),
    "summary: of another version": (
        summary(set_to("schema", 99)),
        PREDICT,
        "run/run.json has schema 99; this sevensteps reads up to 1",
    ),
    "summary: half a character": (
        summary(set_to("data.task.classes", ["\ud800", "no"])),
        PREDICT,
        "run/run.json cannot be read: a text in it holds half of a character",
    ),
    "summary: a word for a number": (
        summary(set_to("metrics.valid.loss", "low")),
        ("compare", "run", "run"),
        "run/run.json is damaged: metrics.valid must be numbers by name, the loss among them, not "
        "{'loss': 'low', 'accuracy': 1.0, "
        "'by_class': {'no': 1.0, 'yes': 1.0}}",
    ),
    "summary: steps back": (
        summary(set_to("steps", -3)),
        ("compare", "run", "run"),
        "run/run.json is damaged: steps must be a whole number, not -3",
    ),
    "summary: no recipe": (
        summary(set_to("recipe", "mlp(3)")),
        ("diagnose", "run"),
        "run/run.json is damaged: recipe must be texts by name, not 'mlp(3)'",
    ),
    "summary: without a result": (
        summary(lambda held: held.pop("best")),
        PREDICT,
        "run/run.json is damaged: KeyError: 'best'",
    ),
    "summary: another task": (
        summary(set_to("data.task.kind", "divination")),
        PREDICT,
        "run/run.json is damaged: the task is 'divination'; known: regression, binary, "
        "multiclass, multilabel",
    ),
    "summary: one class": (
        summary(set_to("data.task.classes", ["yes"])),
        PREDICT,
        "run/run.json is damaged: a binary task cannot have 1 columns of targets and 1 classes",
    ),
    "summary: inputs of terabytes": (
        summary(set_to("data.inputs.shape", [10**12])),
        PREDICT,
        "run/run.json is damaged: other names of columns than its 1000000000000 columns",
    ),
    "summary: scaling by nothing": (
        summary(set_to("data.inputs.scaling.scale", [0, 1])),
        PREDICT,
        "run/run.json is damaged: the stored scaling is damaged: offset and scale must be finite, "
        "of one shape, and scale not 0",
    ),
    "summary: scaling of another shape": (
        summary(set_to("data.inputs.scaling", {"name": "none", "offset": [0], "scale": [1]})),
        PREDICT,
        "run/run.json is damaged: a scaling of [1] numbers, where [2] belong",
    ),
    # recipe.toml
    "recipe: gone": (
        without("run/recipe.toml"),
        PREDICT,
        "there is no recipe run/recipe.toml; write one with Recipe.to_toml(), or take a run's "
        "recipe.toml",
    ),
    "recipe: code": (
        recipe("predict = \"module('badnet:stamp')\""),
        PREDICT,
        'run/recipe.toml: predict = module("badnet:stamp") would run code from this machine; '
        "allow it with --allow-code "
        "(allow_code=True) if you trust the recipe",
    ),
    "recipe: code to diagnose": (
        recipe("predict = \"module('badnet:stamp')\""),
        ("diagnose", "run"),
        'run/recipe.toml: predict = module("badnet:stamp") would run code from this machine; '
        "allow it with --allow-code "
        "(allow_code=True) if you trust the recipe",
    ),
    "recipe: code to go on with": (
        recipe("predict = \"module('badnet:stamp')\""),
        ("resume", "run", "--stop", "epochs(3)"),
        'run/recipe.toml: predict = module("badnet:stamp") would run code from this machine; '
        "allow it with --allow-code "
        "(allow_code=True) if you trust the recipe",
    ),
    "recipe: a layer of terabytes": (
        recipe('predict = "mlp(100000000000)"'),
        PREDICT,
        "mlp(100000000000) has 400,000,000,001 parameters; at most 4,294,967,296 are trained; "
        "take smaller layers",
    ),
    "recipe: a layer beyond counting": (
        recipe('predict = "mlp(100000000000000000000)"'),
        PREDICT,
        "mlp(100000000000000000000) has more parameters than can be counted; take smaller layers",
    ),
    "recipe: another network": (
        recipe('predict = "mlp(4)"'),
        PREDICT,
        "run/weights.safetensors does not fit mlp(4): size mismatch for output.weight: it has "
        "shape [1, 3], the network [1, 4]",
    ),
    "recipe: left open": (
        recipe('predict = "auto()"'),
        PREDICT,
        "run/recipe.toml leaves predict open, which the recipe of a run never does; it was "
        "changed since",
    ),
    "recipe: too many threads": (
        recipe("threads = 1000000000"),
        PREDICT,
        "threads must be at most 1024, not 1000000000",
    ),
    "recipe: a number without end": (
        recipe("seed = 0x" + "f" * 5000),
        PREDICT,
        "run/recipe.toml: seed is too large a number; TOML goes up to 2^63",
    ),
    "recipe: a device without memory": (
        recipe('device = "meta"'),
        PREDICT,
        "device 'meta' cannot be used here: Tensor.item() cannot be called on meta tensors; use "
        "device='cpu'",
    ),
    "recipe: dots": (
        recipe("x = 3\n" + ".".join("a" * 40_000) + " = 1"),
        PREDICT,
        "run/recipe.toml has more than 100 dots in a line; outside of quotes a recipe has none",
    ),
    "recipe: brackets": (
        recipe("x = " + "[" * 40_000),
        PREDICT,
        "run/recipe.toml is not valid TOML: too many brackets",
    ),
    "recipe: megabytes": (
        put("run/recipe.toml", b"x = '" + b"x" * 2_000_000 + b"'\n"),
        PREDICT,
        "run/recipe.toml cannot be read: it has 2,000,007 bytes, and a recipe at most 100,000; a "
        "recipe is a TOML text file",
    ),
    # weights
    "weights: empty": (
        put("run/weights.safetensors", b""),
        PREDICT,
        "run/weights.safetensors cannot be read: Error while deserializing header: header too "
        "small",
    ),
    "weights: a header that is longer than the file": (
        put("run/weights.safetensors", b"\xff\xff\xff\x7f\0\0\0\0{}"),
        PREDICT,
        "run/weights.safetensors cannot be read: Error while deserializing header: header too "
        "large",
    ),
    "weights: a header without end": (
        weights(b"{" + b" " * 10_000_000 + b"}"),
        PREDICT,
        "run/weights.safetensors has a header of 10,000,002 bytes, more than any honest one (at "
        "most 10,000,000 are read); it is "
        "damaged or something else",
    ),
    "weights: too many": (
        weights({str(n): tensor(0) for n in range(50_001)}),
        PREDICT,
        "run/weights.safetensors holds 50,001 tensors; at most 50,000 are read",
    ),
    "weights: larger than any": (
        weights({"layer1.bias": tensor(0, 2**60)}),
        PREDICT,
        "run/weights.safetensors holds layer1.bias of shape [0, 1152921504606846976], larger than "
        "any; it is damaged, or something else",
    ),
    "weights: of a strange kind": (
        weights({"layer1.bias": tensor(2, kind="F8_E5M2", end=2)}, bytes(2)),
        PREDICT,
        "run/weights.safetensors holds layer1.bias as F8_E5M2, which no network here has; known: "
        "BOOL, U8, I8, I16, F16, BF16, I32, "
        "F32, I64, F64",
    ),
    "weights: none": (
        weights({}),
        PREDICT,
        "run/weights.safetensors does not fit mlp(3): Missing key(s) in state_dict: "
        '"layer1.weight", "layer1.bias", "output.weight", '
        '"output.bias".',
    ),
    "weights: cut": (
        lambda: os.truncate("run/weights.safetensors", 100),
        PREDICT,
        "run/weights.safetensors cannot be read: Error while deserializing header: invalid header "
        "length",
    ),
    # record.sqlite
    "record: gone": (
        without("run/record.sqlite"),
        PREDICT,
        "run/record.sqlite is missing, so the run has no history",
    ),
    "record: no database": (
        put("run/record.sqlite", b"SQLite, honestly"),
        PREDICT,
        "run/record.sqlite cannot be used: file is not a database",
    ),
    "record: of another version": (
        database("pragma user_version = 99"),
        PREDICT,
        "run/record.sqlite has schema 99, written by a newer sevensteps; this one reads up to 2",
    ),
    "record: no table": (
        database("drop table history"),
        PREDICT,
        "run/record.sqlite cannot be used: no such table: history",
    ),
    "record: a table that never ends": (
        database(
            "drop table history",
            "create view history as with recursive n(i) as (select 1 union all "
            "select i + 1 from n) select i as step, i as epoch, 1.0 as seconds, 1.0 as lr, '{}' as "
            "train, '{}' as valid from n",
        ),
        PREDICT,
        "run/record.sqlite cannot be used: no such table: history",
    ),
    "record: a cell of another kind": (
        database("update history set train = x'00'"),
        PREDICT,
        "run/record.sqlite cannot be used: train in its table history is b'\\x00'",
    ),
    "record: no JSON": (
        database("update history set train = 'low'"),
        PREDICT,
        "run/record.sqlite cannot be used: Expecting value: line 1 column 1 (char 0)",
    ),
    "record: no loss": (
        database("update history set train = '[]'"),
        PREDICT,
        "run/record.sqlite cannot be used: the metrics of step 4 have no loss",
    ),
    # states
    "state: its sum": (
        lambda: (state(lambda held: None)(), put("begun/state.json", '{"sum": 1, "state": {}}')())[
            1
        ],
        RESUME,
        "no state in begun is whole, so it cannot go on: begun/state.json is damaged: its sum is "
        "not that of its content",
    ),
    "state: of a newer version": (
        state(set_to("schema", 99)),
        RESUME,
        "the state in begun has schema 99, written by a newer sevensteps; this one reads up to 1",
    ),
    "state: of no version": (
        state(set_to("schema", "1")),
        RESUME,
        "no state in begun is whole, so it cannot go on: begun/state.json is damaged: it does not "
        "say which tensors belong to it",
    ),
    "state: steps back": (
        state(set_to("progress.step", -1)),
        RESUME,
        "no state in begun is whole, so it cannot go on: begun/state.json is damaged: it does not "
        "say of which step it is",
    ),
    "state: other tensors": (
        state(set_to("tensors", "0" * 64)),
        RESUME,
        "no state in begun is whole, so it cannot go on: the tensors of step 6 in begun are "
        "damaged or gone",
    ),
    "state: other data": (
        state(set_to("data", "0" * 64)),
        RESUME,
        "xor is not what begun was trained on: some numbers or their order differ; give the same "
        "data, or train anew",
    ),
    "state: no history": (
        state(set_to("history", "")),
        RESUME,
        "the state in begun is not of its recipe: TypeError: its history is no list",
    ),
    "state: further than an epoch": (
        state(set_to("place.taken", 10**30)),
        RESUME,
        "the state in begun is not of its recipe: ValueError: a number in it is none, or larger "
        "than any",
    ),
    "state: past the end of an epoch": (
        state(set_to("place.taken", 99)),
        RESUME,
        "the state in begun is not of its recipe: ValueError: it is 99 steps into an epoch of 4",
    ),
    "state: memory elsewhere": (
        state(set_to("memory", {"momentum_buffer": "meta"})),
        RESUME,
        "the state in begun is not of its recipe: ValueError: the step remembers something on meta",
    ),
    "state: without memory": (
        state(lambda held: held.pop("memory")),
        RESUME,
        "the state in begun is not of its recipe: KeyError: 'memory'",
    ),
    # links and pipes
    **{
        f"link: {name}": (
            link(f"run/{name}"),
            PREDICT,
            f"run/{name} is a symbolic link to {{here}}/elsewhere/{name}, out of the run folder, "
            "and is not followed; put the file itself in "
            "its place",
        )
        for name in (
            "run.json",
            "recipe.toml",
            "record.sqlite",
            "record.sqlite-wal",
            "weights.safetensors",
            "best.safetensors",
        )
    },
    **{
        f"pipe: {name}": (
            pipe(f"run/{name}"),
            PREDICT,
            f"run/{name} is a pipe, where a file belongs; take it away, or copy the run folder "
            "again",
        )
        for name in ("recipe.toml", "record.sqlite", "weights.safetensors")
    },
    "link to go on with: the recipe": (
        link("begun/recipe.toml"),
        RESUME,
        "begun/recipe.toml is a symbolic link to {here}/elsewhere/recipe.toml, out of the run "
        "folder, and is not followed; put the file"
        " itself in its place",
    ),
    "link to go on with: the state": (
        link("begun/state.safetensors"),
        RESUME,
        "begun/state.safetensors is a symbolic link to {here}/elsewhere/state.safetensors, out of "
        "the run folder, and is not followed; "
        "put the file itself in its place",
    ),
    "link to go on with: the lock": (
        link("begun/.lock"),
        RESUME,
        "begun/.lock is a symbolic link to {here}/elsewhere/.lock, out of the run folder, and is "
        "not followed; put the file itself in "
        "its place",
    ),
    "link to go on with: the record": (
        link("begun/record.sqlite"),
        RESUME,
        "begun/record.sqlite is a symbolic link to {here}/elsewhere/record.sqlite, out of the run "
        "folder, and is not followed; put the "
        "file itself in its place",
    ),
    "a pipe as a recipe": (
        pipe("my.toml"),
        ("train", "--recipe", "my.toml"),
        "my.toml cannot be read: it is no file; a recipe is a TOML text file",
    ),
}


@pytest.mark.parametrize("mistake", BAD)
def test_a_bad_run_is_one_line_that_says_what_is_wrong(
    mistake: str, here: Path, refused: Refused
) -> None:
    Path("new.csv").write_text("0,1\n")
    prepare, arguments, message = BAD[mistake]
    prepare()
    refused(arguments, message.replace("{here}", str(here.resolve())))
