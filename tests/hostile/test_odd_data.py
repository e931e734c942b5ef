"""Data that are odd and legal, and some that only look so: each trains to something sensible, or is
refused in one line.
"""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

import sevensteps as ss
from sevensteps.data.formats import delimited
from sevensteps.errors import DataError

X = np.arange(80.0).reshape(40, 2) / 80
NOT_FINITE = "arrays: the training targets hold"
HALF = (np.arange(40) >= 20).astype(int)  # told apart by X


@pytest.fixture(autouse=True)
def elsewhere(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)


def trained(x: Any, y: Any, predict: str = "linear()", **given: Any) -> ss.Run:
    data = ss.data.from_arrays(x, y, **{"scale": "standardize", **given})
    return ss.train(
        data,
        predict=predict,
        step="sgd(lr=0.5)",
        repeat="full_batch()",
        stop="epochs(60)",
        out=False,
        watch=0,
    )


# -- labels ----------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("y", "classes"),
    [
        (np.array(["früh", "spät 猫"])[HALF], ("früh", "spät 猫")),
        (np.array([b"a", b"b"])[HALF], ("a", "b")),
        (np.array(["a", "b"], dtype=object)[HALF], ("a", "b")),
        (HALF == 1, ("False", "True")),
        ((HALF == 1).tolist(), ("False", "True")),
        (HALF * 1.0, ("0", "1")),
        (HALF * 200 - 100, ("-100", "100")),
        (HALF.astype("u1"), ("0", "1")),
        (HALF[:, None], ("0", "1")),
        (torch.from_numpy(HALF), ("0", "1")),
        (np.eye(2)[HALF], ("0", "1")),
        (np.eye(2, dtype=bool)[HALF], ("0", "1")),
        (np.eye(2, dtype=int)[HALF].tolist(), ("0", "1")),
    ],
    ids=[
        "texts",
        "bytes",
        "objects",
        "booleans",
        "a list of booleans",
        "floats",
        "any whole numbers",
        "bytes 0 and 1",
        "a column",
        "a tensor",
        "one-hot",
        "one-hot booleans",
        "one-hot lists",
    ],
)
def test_labels_of_every_kind(y: Any, classes: tuple[str, ...]) -> None:
    run = trained(X, y)
    assert run.output.task.kind == "binary"
    assert run.output.task.classes == classes
    assert run.metrics["valid"]["accuracy"] >= 0.75
    assert set(run.predict(X).answers) == set(classes)


def test_floats_are_amounts_and_several_columns_are_labels() -> None:
    assert trained(X, X[:, 0] + 0.25).output.task.kind == "regression"
    both = trained(X, np.stack([HALF, 1 - HALF | (np.arange(40) % 2)], 1))
    assert both.output.task.kind == "multilabel"
    assert all(isinstance(answer, tuple) for answer in both.predict(X).answers)


@pytest.mark.parametrize(
    ("y", "message"),
    [
        (
            [0.5, float("nan")] * 20,
            f"{NOT_FINITE} 17 numbers that are not finite (nan or inf), the first in row 2; leave "
            "those rows out",
        ),
        (
            [0.0, 1.0] * 19 + [float("nan"), 1.0],
            f"{NOT_FINITE} 1 number that is not finite (nan or inf), the first in row 6; leave "
            "those rows out",
        ),
        (
            [0.5, float("-inf")] * 20,
            f"{NOT_FINITE} 17 numbers that are not finite (nan or inf), the first in row 2; leave "
            "those rows out",
        ),
        (["a", 1] * 20, None),
        ([None, 1] * 20, "arrays: the targets are object; give numbers"),
        (
            np.arange(40),
            "arrays: the 40 targets are all different whole numbers, which are read as classes; "
            "give amounts as floats",
        ),
        (
            np.zeros(40, int),
            "all targets are 0: one class only; a classifier needs samples of at least two",
        ),
        (HALF * 1j, "arrays: the targets are complex128; give numbers"),
        (HALF.astype("M8[D]"), "arrays: the targets are datetime64[D]; give numbers"),
        (HALF[:-1], "arrays: 40 inputs but 39 targets; give one target for each input"),
    ],
    ids=[
        "missing",
        "missing in labels",
        "infinite",
        "texts and numbers",
        "None",
        "each another",
        "one class",
        "complex",
        "dates",
        "one short",
    ],
)
def test_targets_that_cannot_be_learned(y: Any, message: str | None) -> None:
    if message is None:  # NumPy makes texts of them all, and texts are classes
        assert ss.data.from_arrays(X, y).task.classes == ("1", "a")
        return
    with pytest.raises(DataError) as caught:
        trained(X, y)
    assert str(caught.value) == message


# -- parts -----------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("labels", "named"), [([0, 1, 2], None), (["a", "b", "c"], None), ([0, 1, 2], ["a", "b", "c"])]
)
def test_a_class_that_only_the_validation_part_has(labels: Any, named: Any) -> None:
    y = np.array(labels)[:2][HALF]
    with pytest.raises(DataError) as caught:
        trained(X, y, valid=(X[:3], labels), classes=named)
    assert str(caught.value) == (
        f"arrays: the training part has no sample of 1 of 3 classes ({(named or labels)[2]}); "
        "give it some, or "
        "leave the class out; if the targets are amounts, give them as floats"
    )


def test_a_class_that_the_validation_part_lacks() -> None:
    run = trained(X, HALF, valid=(X[:3], [0, 0, 0]))
    assert run.metrics["valid"]["accuracy"] == 1
    assert run.metrics["valid"]["by_class"] == {"0": 1.0}


def test_a_single_sample() -> None:
    run = trained([[1.0, 2.0]], [0.5], valid=None)
    assert run.predict([[1.0, 2.0]]).answers == [pytest.approx(0.5, abs=0.05)]
    with pytest.raises(
        DataError, match=r"^arrays: the validation part is empty; give it at least one sample$"
    ):
        trained([[1.0, 2.0]], [0.5])
    with pytest.raises(
        DataError,
        match=r"^all targets are 1: one class only; a classifier needs samples of at least two$",
    ):
        trained([[1.0, 2.0]], [1])
    with pytest.raises(
        DataError, match=r"^arrays: the training part is empty; give it at least one sample$"
    ):
        trained(np.zeros((0, 2)), np.zeros(0))


# -- columns ---------------------------------------------------------------------------------------


def test_columns_that_never_vary_do_no_harm() -> None:
    run = trained(np.c_[X, np.full(40, 3.3), np.zeros(40), np.full(40, 1e30)], HALF)
    assert run.metrics["valid"]["accuracy"] >= 0.75
    assert all(bool(p.isfinite().all()) for p in run.network.parameters())
    alone = trained(np.ones((40, 3)), HALF)
    assert alone.metrics["valid"]["loss"] == pytest.approx(np.log(2), abs=0.01), (
        "nothing can be known, and that is what it says"
    )


def test_a_target_that_never_varies() -> None:
    run = trained(X, np.full(40, 0.75), target_scale="standardize")
    assert run.predict(X[:1]).answers == [pytest.approx(0.75)]


def test_a_single_column() -> None:
    assert trained(X[:, 0], HALF).metrics["valid"]["accuracy"] >= 0.75
    assert trained(X[:, :1], HALF).inputs.shape == (1,)
    with pytest.raises(
        DataError,
        match=r"^arrays: the training inputs have shape \[32, 0\]: no number in a sample; give",
    ):
        trained(X[:, :0], HALF, scale="none")


def test_a_hundred_thousand_columns() -> None:
    many = np.zeros((40, 100_000), dtype=np.float32)
    many[:, 70_000] = HALF
    run = trained(many, HALF)
    assert run.metrics["valid"]["accuracy"] == 1
    assert run.predict(many[:1]).answers == ["0"]


@pytest.mark.slow
def test_a_table_of_a_hundred_thousand_columns() -> None:
    names = ",".join(f"c{place}" for place in range(100_000))
    Path("wide.csv").write_text(
        "\n".join([f"{names},t", *(f"{f'{row},' * 100_000}{'ab'[row % 2]}" for row in range(4))])
    )
    data = ss.data.load("csv('wide.csv', valid=0.5)", target="t")
    assert data.train.x.shape == (2, 100_000)
    assert data.task.classes == ("a", "b")


# -- texts -----------------------------------------------------------------------------------------

NAMES = ["größe", "название", "身長 [cm]", "🐈 = 1", "a.b/c\\d"]


@pytest.mark.parametrize("end", ["\n", "\r\n", "\r"])
@pytest.mark.parametrize("mark", ["", "\ufeff"])
@pytest.mark.sampled(2)
def test_names_of_the_world_and_lines_of_every_system(end: str, mark: str) -> None:
    lines = [
        ",".join([*NAMES, "種類"]),
        *(",".join([str(n / 40)] * 5 + [("犬", "猫 é")[n >= 20]]) for n in range(40)),
    ]
    Path("données 猫.csv").write_bytes((mark + end.join(lines) + end).encode())
    run = ss.train(
        ss.data.load("données 猫.csv", target="種類"),
        predict="linear()",
        step="sgd(lr=0.5)",
        repeat="full_batch()",
        stop="epochs(60)",
        out="прогон 🐈",
    )
    assert run.metrics["valid"]["accuracy"] >= 0.75
    again = ss.load("прогон 🐈")
    assert list(again.inputs.features) == NAMES
    assert again.output.task.classes == ("犬", "猫 é")
    assert set(again.predict([[0.0] * 5, [1.0] * 5]).answers) == {"犬", "猫 é"}


# -- a line of two gigabytes -----------------------------------------------------------------------

LIMITED = """
import resource, sys
from pathlib import Path
import sevensteps as ss
from sevensteps.data.formats import delimited
from sevensteps.data.prediction_inputs import read_inputs
from sevensteps.errors import Error
from sevensteps.training.recipe import Recipe
from sevensteps.record.run_folder import read_json
inputs = ss.data.from_arrays([[1.0, 2.0]] * 4, [0, 1, 0, 1]).inputs
ss.data.load("csv('small.csv', target='t')")  # what is imported on the way counts for itself
before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
most = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024 + (16 << 30)
resource.setrlimit(resource.RLIMIT_AS, (most, most))
long = Path(sys.argv[1])
for read in (lambda: ss.data.load(f"csv('{long}', target='t')"), lambda: read_inputs(long, inputs),
             lambda: Recipe.from_toml(long), lambda: read_json(long)):
    try:
        read()
    except Error as failure:
        print(failure)
print((resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before) // 1024)
"""


@pytest.mark.parametrize(("start", "line"), [("", 1), ("x,t\n1,0\n", 3)])
def test_a_line_that_has_no_end_is_not_read_to_its_end(
    start: str, line: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(delimited, "MAX_LINE", 1000)
    Path("long.csv").write_text(start + "x" * 5000)
    with pytest.raises(ss.Error) as failure:
        ss.data.load("csv('long.csv', target='t')")
    expected = f"long.csv: line {line} has more than 1,000 characters; is it a table?"
    assert str(failure.value) == expected


@pytest.mark.skipif(sys.platform != "linux", reason="memory is measured as Linux does")
@pytest.mark.parametrize(
    "start",
    [
        pytest.param("", marks=pytest.mark.slow, id="the first line"),
        pytest.param("x,t\n1,0\n", id="the third line"),
    ],
)
@pytest.mark.long
def test_a_line_of_two_gigabytes_takes_little_memory(start: str) -> None:
    Path("small.csv").write_text("x,t\n" + "1,a\n2,b\n" * 4)
    with Path("long.csv").open("wb") as file:
        file.write(start.encode())
        file.truncate(2 << 30)  # a hole: it takes no place on the disk
    done = subprocess.run(
        [sys.executable, "-c", LIMITED, "long.csv"],
        capture_output=True,
        text=True,
        timeout=100,
        check=False,
        env={**os.environ, "OMP_NUM_THREADS": "1"},
    )
    assert done.returncode == 0, done.stderr
    *said, taken = done.stdout.splitlines()
    assert said[0] == "long.csv: is no text file; give a table as .csv, .xlsx or .parquet"
    assert said[1] == said[0]
    assert (
        said[2]
        == "long.csv cannot be read: it has 2,147,483,648 bytes, and a recipe at most 100,000; a "
        "recipe is a TOML text file"
    )
    assert (
        said[3]
        == "long.csv has 2147483648 bytes, more than any long.csv; it is damaged or something else"
    )
    assert int(taken) < 400, "megabytes"
