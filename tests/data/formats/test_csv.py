"""Tables of one's own: a CSV is read to the number, its encoding is kept with the run, and what is
wrong with it is one line.
"""

from __future__ import annotations

import datetime
import gzip
import json
from pathlib import Path

import numpy as np
import pytest
import torch
from sklearn.preprocessing import OneHotEncoder

import sevensteps as ss
from sevensteps.data.formats import csv, delimited
from sevensteps.data.prediction_inputs import read_inputs
from sevensteps.errors import DataError, Error

KINDS = ("cat", "dog")
COLORS = ("black", "red", "white")


@pytest.fixture(autouse=True)
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    return tmp_path


def pets(count: int = 100) -> list[list[str]]:
    """Weight, colour, indoors, born, kind: a dog weighs more than a cat."""
    draw = np.random.default_rng(0)
    rows = []
    for index in range(count):
        kind = KINDS[index % 2]
        born = datetime.date(2010, 1, 1) + datetime.timedelta(days=int(draw.integers(0, 4000)))
        rows.append(
            [
                f"{(4 if kind == 'cat' else 20) + index / 1000:.3f}",
                COLORS[draw.integers(3)],
                "yes" if draw.random() < 0.5 else "No",
                born.isoformat(),
                kind,
            ]
        )
    return rows


HEADER = ["weight", "color", "indoor", "born", "kind"]


def write(
    rows: list[list[str]],
    name: str = "pets.csv",
    header: list[str] = HEADER,
    end: str = "\n",
    encoding: str = "utf-8",
) -> None:
    Path(name).write_bytes(end.join(",".join(row) for row in [header, *rows]).encode(encoding))


def raw(data: ss.data.Data, part: str = "train") -> torch.Tensor:
    return data.scaling.undo(getattr(data, part).x)


# -- what is read ----------------------------------------------------------------------------------


def test_a_table_is_read_to_the_number() -> None:
    rows = pets()
    write(rows)
    data = ss.data.load("pets.csv", target="kind")
    assert data.source == 'csv("pets.csv", target="kind")'
    assert data.about == "100 rows of pets.csv: 4 columns as 6 inputs, kind to predict"
    assert data.features == ("weight", "color=black", "color=red", "color=white", "indoor", "born")
    assert (data.task.kind, data.task.classes, len(data.train), len(data.valid)) == (
        "binary",
        KINDS,
        80,
        20,
    )
    assert data.valid.y.mean() == 0.5
    hot = OneHotEncoder(sparse_output=False).fit_transform([[row[1]] for row in rows])
    days = [(datetime.date.fromisoformat(row[3]) - datetime.date(1970, 1, 1)).days for row in rows]
    expected = {
        round(float(row[0]), 3): (row, *place) for row, *place in zip(rows, hot, days, strict=True)
    }
    for part in ("train", "valid"):
        for got, label in zip(
            raw(data, part).tolist(), getattr(data, part).y[:, 0].tolist(), strict=True
        ):
            row, shown, day = expected[round(got[0], 3)]
            assert got[1:4] == pytest.approx(shown.tolist(), abs=1e-5)
            assert got[4] == pytest.approx(float(row[2] == "yes"), abs=1e-5)
            assert got[5] == pytest.approx(day, abs=0.01)
            assert KINDS[int(label)] == row[4]
    assert raw(data).mean(0)[1:4].sum() == pytest.approx(1, abs=1e-5)


@pytest.mark.parametrize(
    ("values", "kind", "classes"),
    [
        (["1", "2", "3"] * 10, "multiclass", ("1", "2", "3")),
        (["yes", "no"] * 10, "binary", ("no", "yes")),
        (["0", "1"] * 10, "binary", ("0", "1")),
        (["True", "False"] * 10, "binary", ("False", "True")),
        ([str(n) for n in range(30)], "regression", ()),
        ([f"{n / 7:.3f}" for n in range(30)], "regression", ()),
        (["é", "ß", "猫"] * 10, "multiclass", ("ß", "é", "猫")),
    ],
)
def test_the_target_decides_the_task(
    values: list[str], kind: str, classes: tuple[str, ...]
) -> None:
    write([[str(n), value] for n, value in enumerate(values)], header=["n", "t"])
    data = ss.data.load("pets.csv", target="t")
    assert (data.task.kind, data.task.classes) == (kind, classes)
    if kind == "regression":
        assert sorted(
            torch.cat(
                [data.target_scaling.undo(part.y)[:, 0] for part in (data.train, data.valid)]
            ).tolist()
        ) == pytest.approx(sorted(map(float, values)), abs=1e-4)


@pytest.mark.parametrize(
    ("end", "encoding"), [("\n", "utf-8"), ("\r\n", "utf-8"), ("\r", "utf-8"), ("\n", "utf-8-sig")]
)
def test_line_ends_and_marks_of_every_system(end: str, encoding: str) -> None:
    write(pets())
    one = ss.data.load("pets.csv", target="kind")
    write(pets(), "other.csv", end=end, encoding=encoding)
    assert torch.equal(ss.data.load("other.csv", target="kind").train.x, one.train.x)


def test_quotes_spaces_and_empty_lines() -> None:
    Path("a.csv").write_text('"the, size" ,t\n\n 1 ,"a ""b"""\n"2",c\n3,c\n4,"a ""b"""\n5,c\n')
    data = ss.data.load('csv("a.csv", target="t", scale="none")')
    assert data.features == ("the, size",)
    assert data.task.classes == ('a "b"', "c")
    assert sorted(torch.cat([data.train.x, data.valid.x])[:, 0].tolist()) == [1, 2, 3, 4, 5]


def test_other_separators() -> None:
    for mark in ";\t|":
        text = f"x{mark}t\n1{mark}a\n2{mark}b\n3{mark}a\n4{mark}b\n"
        Path("a.csv").write_text(text)
        for separator in (mark, "auto"):
            assert len(ss.data.load("a.csv", target="t", separator=separator).train) == 2
    assert ss.data.load("a.csv", target="t").notes == ("read with a bar as the separator",)


# -- gaps ------------------------------------------------------------------------------------------


def gaps() -> list[list[str]]:
    rows = pets()
    for row, column, text in (
        (3, 0, ""),
        (8, 0, "NA"),
        (20, 1, "?"),
        (33, 2, "null"),
        (40, 3, "n/a"),
    ):
        rows[row][column] = text
    return rows


def test_gaps_are_refused_filled_or_left_out() -> None:
    write(gaps())
    with pytest.raises(
        DataError,
        match=r"^pets.csv: row 4 has no weight; fill it in, leave the row out, or train with "
        r'missing="fill"$',
    ):
        ss.data.load("pets.csv", target="kind", missing="refuse")
    dropped = ss.data.load("pets.csv", target="kind", missing="drop")
    assert (
        dropped.about
        == "95 rows of pets.csv, 5 rows left out: 4 columns as 6 inputs, kind to predict"
    )
    filled = ss.data.load("pets.csv", target="kind", scale="none")
    assert filled.notes == (
        "filled 4 gaps in weight, indoor, born with the mean, marked by an extra input "
        '(missing="drop" leaves the rows out)',
        "treated 1 gap in color as 'no value'",
    )
    assert len(filled.train) + len(filled.valid) == 100
    assert filled.encoding is not None
    fill = {column.name: column.fill for column in filled.encoding.columns}
    train = filled.train.x.double()
    flag = filled.features.index("weight: missing")
    known = train[train[:, flag] == 0, 0]
    assert len(known) < len(train)
    assert fill["weight"] == pytest.approx(float(known.mean()), rel=1e-4), (
        "learned on the training part alone"
    )
    every = torch.cat([filled.train.x, filled.valid.x])
    colors = [place for place, name in enumerate(filled.features) if name.startswith("color=")]
    assert int((every[:, colors].sum(1) == 0).sum()) == 1, "a colour that is missing is none"


def test_rows_without_a_target_are_left_out() -> None:
    rows = pets()
    rows[5][4] = ""
    write(rows)
    data = ss.data.load("pets.csv", target="kind")
    assert (len(data.train), data.notes) == (79, ("left out 1 of 100 rows, without kind",))
    with pytest.raises(
        DataError,
        match=r"^pets.csv: row 6 has no kind, and what is to be predicted cannot be filled in; "
        r"leave such rows",
    ):
        ss.data.load("pets.csv", target="kind", missing="refuse")
    assert len(ss.data.load("pets.csv", target="kind", missing="drop").train) == 79


# -- kept with a run -------------------------------------------------------------------------------


def test_the_encoding_is_stored_and_used_by_predict() -> None:
    write(gaps())
    run = ss.train(
        'csv("pets.csv", target="kind", missing="fill")',
        predict="mlp(8)",
        stop="epochs(30)",
        out="run",
    )
    assert run.metrics["valid"]["accuracy"] >= 0.9  # two weights are unknown
    loaded = ss.load("run")
    assert loaded.inputs.encoding == run.inputs.encoding
    stored = json.loads(Path("run/run.json").read_text())["data"]["inputs"]["encoding"]
    assert stored[1] == {
        "name": "color",
        "kind": "category",
        "values": list(COLORS),
        "fill": 0.0,
    }
    Path("new.csv").write_text(
        "color,born,extra,indoor,weight\nred,2015-05-05,1,yes,21\nblack,2016-01-01,2,no,3.5\n?,2015-05-05,3,,20.5\n"
    )
    names, inputs = read_inputs(Path("new.csv"), loaded.inputs)
    assert names == ["new.csv:1", "new.csv:2", "new.csv:3"]
    assert loaded.predict(inputs).answers == ["dog", "cat", "dog"]
    for text, message in (
        (
            "color,born,indoor,weight\nblue,2015-05-05,yes,21\n",
            r"^new.csv: row 1 has color 'blue', which is none of",
        ),
        (
            "color,born,indoor,weight\nred,soon,yes,21\n",
            r"^new.csv: row 1 has born 'soon', where a date",
        ),
        (
            "color,born,indoor,weight\nred,2015-05-05,maybe,21\n",
            r"^new.csv: row 1 has indoor 'maybe', where yes",
        ),
        (
            "color,born,indoor\nred,2015-05-05,yes\n",
            r"^new.csv: the column 'weight' is missing; the network was",
        ),
    ):
        Path("new.csv").write_text(text)
        with pytest.raises(DataError, match=message):
            read_inputs(Path("new.csv"), loaded.inputs)


def test_the_same_run_from_its_recipe() -> None:
    write(pets())
    run = ss.train(
        'csv("pets.csv", target="kind")', predict="linear()", stop="epochs(3)", out="run"
    )
    assert ss.train(ss.Recipe.from_toml(Path("run/recipe.toml")), out=False).metrics == run.metrics
    assert ss.resume("run", stop="epochs(4)").summary["epochs"] == 4


def test_a_damaged_encoding_is_reported() -> None:
    write(pets())
    ss.train('csv("pets.csv", target="kind")', predict="linear()", stop="epochs(1)", out="run")
    file = Path("run/run.json")
    for old, new in (
        ('"category"', '"colour"'),
        ('"kind": "number"', '"sort": "number"'),
        ('"values": []', '"values": 3'),
    ):
        content = file.read_text()
        assert old in content
        file.write_text(content.replace(old, new, 1))
        with pytest.raises(Error, match=r"^run/run.json is damaged: "):
            ss.load("run")
        file.write_text(content)


# -- what cannot be read ---------------------------------------------------------------------------

MANY = "\n".join(f"text{n},a" for n in range(300))


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", r"^a.csv: is empty$"),
        ("x,t\n", r"^a.csv: has no row below its header; give at least two$"),
        ("x,t\n1,a\n1,a,b\n", r"^a.csv: row 2 has 3 cells under a header of 2; put quotes"),
        ("x,t\n1,a,b\n1,a\n", r"^a.csv: row 2 has 2 cells under a header of 2; put quotes"),
        ("x,t\n,a\n,b\n", r"^a.csv: no column is left to predict from: x is empty$"),
        (
            "x,t\n" + MANY,
            r"^a.csv: no column is left to predict from: x has 300 different texts in 300 rows: ",
        ),
        ("x,t\n1,a\n2,b\n", r"the validation part is empty; give it at least one sample$"),
        ("x,t\n1,a\n2,a\n3,a\n", r"all .*targets are a: one class only"),
        (
            "x,u\n1,a\n",
            r"^a.csv: target 't' is no column; known: u, x|^a.csv: target 't' is no column",
        ),
        (
            "x,t\n1,2020-01-01\n2,2020-01-02\n",
            r"^a.csv: t is a date, which is neither a class nor an amount; make it a number first$",
        ),
        ("t\na\nb\n", r"^a.csv: no column is left to predict t from$"),
        ('x,t\n"1,a\n2,b\n', r"^a.csv: .*"),
        (
            "x,t\n\0,a\n1,b\n",
            r"the validation part is empty; give it at least one sample$|NUL|no text file",
        ),
    ],
)
def test_bad_tables_are_one_line(text: str, message: str) -> None:
    Path("a.csv").write_text(text)
    with pytest.raises(Error, match=message) as caught:
        ss.data.load("a.csv", target="t")
    assert "\n" not in str(caught.value)


def test_bytes_that_are_no_text() -> None:
    Path("a.csv").write_bytes(b"x,t\n" + bytes(range(256)))
    with pytest.raises(DataError, match=r"^a.csv: is no text file; give a table as "):
        ss.data.load("a.csv", target="t")


@pytest.mark.parametrize(
    ("encoding", "note"),
    [
        ("utf-16", "read as UTF-16"),
        ("utf-16-le", "read as UTF-16"),
        ("utf-16-be", "read as UTF-16"),
        ("latin-1", "read as Windows-1252, as it is not UTF-8"),
    ],
)
def test_encodings(encoding: str, note: str) -> None:
    rows = [["Würzburg" if n % 2 else "Zürich", str(n % 2)] for n in range(20)]
    write(rows, "a.csv", header=["city", "t"], encoding=encoding)
    data = ss.data.load("a.csv", target="t")
    assert (data.features, data.notes) == (("city=Würzburg", "city=Zürich"), (note,))


def test_a_packed_file_and_one_of_aligned_columns() -> None:
    write(pets())
    Path("pets.csv.gz").write_bytes(gzip.compress(Path("pets.csv").read_bytes()))
    plain, packed = (ss.data.load(name, target="kind") for name in ("pets.csv", "pets.csv.gz"))
    assert torch.equal(plain.train.x, packed.train.x)
    lines = [f"{n:>5}   {n % 2:>3}" for n in range(20)]
    Path("a.txt").write_text("\n".join(["    x     t", *lines]))
    data = ss.data.load("a.txt", target="t")
    assert (data.features, data.notes) == (("x",), ("read with spaces as the separator",))


def test_headers_as_they_come() -> None:
    Path("a.csv").write_text(
        "# made on Monday\n,x,x,t\n" + "".join(f"{n},{n * 2},{n % 3},{n % 2}\n" for n in range(20))
    )
    data = ss.data.load("a.csv", target="t")
    assert data.features == ("x", "x (2)")
    assert data.notes[0].startswith("left out column 1 (counts the rows); take one in with keep=")
    assert ss.data.load("a.csv", target="t", keep="column 1").features[0] == "column 1"
    Path("a.csv").write_text("".join(f"{n / 2},{n % 2}\n" for n in range(20)))
    data = ss.data.load("a.csv", target="column 2")
    assert (data.features, len(data.train) + len(data.valid)) == (("column 1",), 20)


def test_a_header_without_a_name_for_the_rows() -> None:
    Path("a.csv").write_text("x,t\n" + "".join(f"{n},{n / 2},{n % 2}\n" for n in range(1, 21)))
    data = ss.data.load("a.csv", target="t")
    assert data.features == ("x",)
    assert data.notes[0].startswith("left out column 1 (counts the rows)")


def test_rows_that_end_early_lack_the_rest() -> None:
    Path("a.csv").write_text("x,t,u\n" + "1,a,2\n2,b,3\n" * 10 + "3,a\n4,b,,,\n")
    data = ss.data.load("a.csv", target="t")
    assert data.notes[0].startswith("filled 2 gaps in u with the mean")


def test_a_line_without_end_takes_no_memory(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(delimited, "MAX_LINE", 1000)
    Path("a.csv").write_text("x,t\n" + "1," * 5000)
    with pytest.raises(
        DataError, match=r"^a.csv: line 2 has more than 1,000 characters; is it a table\?$"
    ):
        ss.data.load("a.csv", target="t")


def test_too_many_cells(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(csv, "MAX_CELLS", 100)
    write(pets())
    with pytest.raises(
        DataError, match=r"^pets.csv: has more than 100 cells; save it as numbers in a .npz$"
    ):
        ss.data.load("pets.csv", target="kind")


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (
            {},
            r'^pets.csv: say which column to predict, as in: target="kind"; there are: weight, '
            r"color, indoor, born, kind$",
        ),
        ({"target": "knd"}, r"^pets.csv: target 'knd' is no column; did you mean 'kind'\?$"),
        (
            {"target": "kind", "drop": ("colour",)},
            r"^pets.csv: drop 'colour' is no column; did you mean 'color'\?$",
        ),
        ({"target": "kind", "missing": "guess"}, r"missing has no option 'guess'"),
        ({"target": "kind", "separator": ", "}, r"one character"),
    ],
)
def test_arguments_that_are_refused(arguments: dict[str, object], message: str) -> None:
    write(pets())
    with pytest.raises(Error, match=message):
        ss.data.load("pets.csv", **arguments)
