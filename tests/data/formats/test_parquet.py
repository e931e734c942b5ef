"""Parquet files: what Arrow holds becomes the same numbers as from a CSV, row group by row group,
in memory or from disk.
"""

from __future__ import annotations

import datetime
import decimal
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.csv
import pyarrow.parquet as pq
import pytest
import torch

import sevensteps as ss
from sevensteps.cli import main
from sevensteps.data.formats import parquet
from sevensteps.data.formats.parquet import ParquetRowReader, ParquetTable
from sevensteps.data.prediction_inputs import read_inputs
from sevensteps.data.streaming.streamed_inputs import StreamedInputs
from sevensteps.data.table.cells import concatenate_cells
from sevensteps.data.table.table_to_data import encode_table, inspect_table
from sevensteps.errors import DataError, Error

KINDS = ("cat", "dog")


@pytest.fixture(autouse=True)
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    return tmp_path


def pets(count: int = 100) -> dict[str, Any]:
    """Weight, colour, indoors, born, kind: a dog weighs more than a cat."""
    draw = np.random.default_rng(0)
    kind = np.arange(count) % 2
    born = np.datetime64("2010-01-01") + draw.integers(0, 4000, count).astype("timedelta64[D]")
    return {
        "weight": np.round(np.where(kind, 20.0, 4.0) + np.arange(count) / 1000, 3),
        "color": np.array(["black", "red", "white"])[draw.integers(3, size=count)],
        "indoor": draw.random(count) < 0.5,
        "born": born.astype("datetime64[D]"),
        "kind": np.array(KINDS)[kind],
    }


def write(columns: dict[str, Any], name: str = "pets.parquet", **options: Any) -> pa.Table:
    table = pa.table(columns)
    pq.write_table(table, name, **{"row_group_size": 30, **options})
    return table


def bits(data: ss.data.Data) -> list[torch.Tensor]:
    return [
        data.train.x,
        data.train.y,
        data.valid.x,
        data.valid.y,
        data.scaling.offset,
        data.scaling.scale,
    ]


def raw(data: ss.data.Data) -> torch.Tensor:
    return torch.cat([data.scaling.undo(part.x[:]) for part in (data.train, data.valid)])


# -- what is read ----------------------------------------------------------------------------------


@pytest.mark.parametrize("size", [7, 30, 1000])
@pytest.mark.parametrize("target", ["kind", "weight", "indoor"])
def test_the_same_bits_as_from_a_csv(size: int, target: str) -> None:
    pa.csv.write_csv(write(pets(), row_group_size=size), "pets.csv")
    ours, other = (
        ss.data.load(f"pets.{kind}", target=target, missing="refuse", seed=3)
        for kind in ("parquet", "csv")
    )
    assert ours.source == f'parquet("pets.parquet", target="{target}", missing="refuse", seed=3)'
    assert ours.about == other.about.replace(".csv", ".parquet")
    assert (ours.features, ours.encoding, ours.task.kind) == (
        other.features,
        other.encoding,
        other.task.kind,
    )
    assert [name.lower() for name in ours.task.classes] == list(other.task.classes)  # True and true
    assert all(torch.equal(a, b) for a, b in zip(bits(ours), bits(other), strict=True))


DAYS = np.array(["1969-12-31", "2000-02-29", "2024-12-31"], dtype="datetime64[D]")
NOON = DAYS.astype("datetime64[h]") + np.timedelta64(12, "h")


@pytest.mark.parametrize(
    ("values", "expected"),
    [
        *[
            (pa.array([1, 2, 3], kind), [1, 2, 3])
            for kind in (
                pa.int8(),
                pa.uint8(),
                pa.int16(),
                pa.int32(),
                pa.int64(),
                pa.uint64(),
                pa.float16(),
                pa.float32(),
                pa.float64(),
            )
        ],
        (pa.array([2**60, 0, -(2**60)]), [2.0**60, 0, -(2.0**60)]),
        (
            pa.array([decimal.Decimal("1.25"), decimal.Decimal("-3.50"), decimal.Decimal(7)]),
            [1.25, -3.5, 7],
        ),
        (pa.array([True, False, True]), [1, 0, 1]),
        (pa.array(DAYS), [-1, 11016, 20088]),
        (pa.array(DAYS).cast(pa.date64()), [-1, 11016, 20088]),
        *[
            (pa.array(NOON.astype(f"datetime64[{unit}]")), [-0.5, 11016.5, 20088.5])
            for unit in ("s", "ms", "us", "ns")
        ],
        (
            pa.array(
                [
                    datetime.datetime(
                        1970, 1, 2, 1, tzinfo=datetime.timezone(datetime.timedelta(hours=1))
                    )
                ]
                * 2
                + [datetime.datetime(1970, 1, 1, tzinfo=datetime.UTC)],
                pa.timestamp("us", "Europe/Paris"),
            ),
            [1, 1, 0],
        ),
        (pa.array([5, 5, 6]).dictionary_encode(), [5, 5, 6]),
        (pa.array(["1.5", " 2 ", "-3e1"]), [1.5, 2, -30]),
        (pa.array(["yes", "No", "true"]), [1, 0, 1]),
        (
            pa.array(["2000-02-29", "1970-01-02", "1970-01-01"]).cast(pa.large_string()),
            [11016, 1, 0],
        ),
    ],
)
def test_every_type_of_a_number(values: pa.Array, expected: list[float]) -> None:
    table = pa.table({"x": pa.concat_arrays([values] * 4), "t": ["a", "b", "a"] * 4})
    pq.write_table(table, "a.parquet", row_group_size=5)
    data = ss.data.load("a.parquet", target="t", scale="none")
    assert data.features == ("x",)
    assert sorted(raw(data)[:, 0].tolist()) == sorted(np.float32(expected * 4).tolist())
    frame = ParquetTable(Path("a.parquet"))
    assert (
        concatenate_cells([block["x"] for block in frame.blocks(["x"])])
        .numbers(data.encoding.columns[0].kind)
        .tolist()
        == expected * 4
    )


@pytest.mark.parametrize(
    "kind",
    [pa.string(), pa.large_string(), pa.string_view(), pa.dictionary(pa.int8(), pa.string())],
)
def test_texts_become_an_input_for_each_value(kind: pa.DataType) -> None:
    texts = ["red", "é", " red", "blue", None] * 4
    write({"x": pa.array(texts).cast(kind), "t": [1, 2, 1, 2, 1] * 4}, row_group_size=6)
    data = ss.data.load("pets.parquet", target="t", scale="none", missing="fill")
    assert data.features == ("x=blue", "x=red", "x=é")
    assert raw(data).sum(0).tolist() == [4, 8, 4]
    assert int((raw(data).sum(1) == 0).sum()) == 4


def test_a_dictionary_may_name_what_no_row_has() -> None:
    write(
        {
            "x": pa.DictionaryArray.from_arrays(
                pa.array([0, 2] * 10), pa.array(["a", "never", "b"])
            ),
            "t": ["u", "v"] * 10,
        }
    )
    assert ss.data.load("pets.parquet", target="t").features == ("x=a", "x=b")
    assert ss.data.load("pets.parquet", target="x").task.classes == ("a", "b")


@pytest.mark.parametrize(
    ("values", "kind", "classes"),
    [
        ([1, 2, 3] * 10, "multiclass", ("1", "2", "3")),
        ([0.0, 1.0] * 10, "binary", ("0", "1")),
        ([True, False] * 10, "binary", ("False", "True")),
        (list(range(30)), "regression", ()),
        ([n / 7 for n in range(30)], "regression", ()),
        (["3", "4"] * 10, "binary", ("3", "4")),
    ],
)
def test_the_target_decides_the_task(
    values: list[Any], kind: str, classes: tuple[str, ...]
) -> None:
    write({"n": np.arange(len(values)), "t": values}, row_group_size=9)
    data = ss.data.load("pets.parquet", target="t")
    assert (data.task.kind, data.task.classes) == (kind, classes)
    assert len(data.train) + len(data.valid) == len(values)


def test_names_with_dots_and_the_index_of_pandas() -> None:
    write(
        {
            "a": np.arange(20.0),
            "a.b": np.arange(20.0) * 2,
            "__index_level_0__": np.arange(20),
            "t": ["u", "v"] * 10,
        }
    )
    assert ss.data.load("pets.parquet", target="t").features == ("a", "a.b")
    assert ss.data.load("pets.parquet", target="t", drop="a.b").features == ("a",)


# -- gaps ------------------------------------------------------------------------------------------


def gaps() -> dict[str, Any]:
    columns = pets()
    weight, color = columns["weight"].tolist(), columns["color"].tolist()
    weight[33], weight[40], color[77] = None, float("nan"), None
    return columns | {"weight": weight, "color": color}


def test_gaps_are_refused_filled_or_left_out() -> None:
    write(gaps())
    with pytest.raises(DataError) as caught:
        ss.data.load("pets.parquet", target="kind", missing="refuse")
    assert (
        str(caught.value)
        == "pets.parquet: row 34 has no weight; fill it in, leave the row out, or train with "
        'missing="fill"'
    )
    dropped = ss.data.load("pets.parquet", target="kind", missing="drop", scale="none")
    assert (
        dropped.about
        == "97 rows of pets.parquet, 3 rows left out: 4 columns as 6 inputs, kind to predict"
    )
    present = np.delete(pets()["weight"], [33, 40, 77])
    assert np.sort(raw(dropped)[:, 0].numpy()) == pytest.approx(np.sort(present), abs=1e-5)
    filled = ss.data.load("pets.parquet", target="kind", missing="fill", scale="none")
    fill = {column.name: column.fill for column in filled.encoding.columns}
    train = filled.train.x[:, 0].numpy().astype(float)
    assert filled.features[1] == "weight: missing"
    assert fill["weight"] == pytest.approx(
        train[abs(train - fill["weight"]) > 1e-4].mean(), rel=1e-6
    ), "of the training part alone"
    assert (fill["color"], len(raw(filled))) == (0.0, 100)


@pytest.mark.parametrize("missing", ["fill", "drop"])
def test_gaps_as_in_a_csv(missing: str) -> None:
    pa.csv.write_csv(write(gaps()), "pets.csv")
    ours, other = (
        ss.data.load(f"pets.{kind}", target="kind", missing=missing) for kind in ("parquet", "csv")
    )
    assert ours.encoding.to_dict() == [
        column | {"fill": column["fill"] and pytest.approx(column["fill"], rel=1e-12)}
        for column in other.encoding.to_dict()
    ]
    assert torch.allclose(ours.train.x, other.train.x, rtol=1e-6)


def test_a_gap_in_the_target() -> None:
    columns = pets()
    write(
        columns | {"kind": [*columns["kind"].tolist()[:64], None, *columns["kind"].tolist()[65:]]}
    )
    with pytest.raises(DataError) as caught:
        ss.data.load("pets.parquet", target="kind", missing="refuse")
    assert str(caught.value) == (
        "pets.parquet: row 65 has no kind, and what is to be predicted cannot be filled in; leave "
        "such rows "
        'out with missing="fill"'
    )
    assert len(ss.data.load("pets.parquet", target="kind").train) == 79


# -- kept with a run -------------------------------------------------------------------------------


def test_predict_takes_either_file() -> None:
    table = write(pets())
    pa.csv.write_csv(table, "pets.csv")
    for kind in ("parquet", "csv"):
        run = ss.train(
            f'{kind}("pets.{kind}", target="kind", missing="refuse")',
            predict="mlp(8)",
            stop="epochs(20)",
            out=kind,
        )
        loaded = ss.load(kind)
        assert loaded.inputs.encoding == run.inputs.encoding
        names, inputs = read_inputs(Path("pets.parquet"), loaded.inputs)
        assert names[:2] == ["pets.parquet:1", "pets.parquet:2"]
        assert torch.equal(inputs, read_inputs(Path("pets.csv"), loaded.inputs)[1])
        assert np.mean(np.array(loaded.predict(inputs).answers) == table["kind"].to_numpy()) >= 0.9
    for change, message in (
        (
            {"color": ["blue"]},
            r"^new.parquet: row 1 has color 'blue', which is none of those trained on; ",
        ),
        ({"weight": ["heavy"]}, r"^new.parquet: row 1 has weight 'heavy', where a number belongs$"),
        (
            {"weight": [float("inf")]},
            r"^new.parquet: row 1 has weight 'inf', where a number belongs$",
        ),
        ({"born": [7]}, r"^new.parquet: row 1 has born '7', where a date"),
        ({"indoor": [1]}, r"^new.parquet: row 1 has indoor '1', where yes or no belongs$"),
        ({"weight": pa.array([None], pa.null())}, r"^new.parquet: row 1 has no weight; fill it in"),
    ):
        write({name: column[:1] for name, column in pets().items()} | change, "new.parquet")
        with pytest.raises(DataError, match=message):
            read_inputs(Path("new.parquet"), loaded.inputs)
    write({"weight": [1.0]}, "new.parquet")
    with pytest.raises(
        DataError,
        match=r"^new.parquet: the column 'color' is missing; the network was trained on weight, "
        r"color, indoor, "
        r"born$",
    ):
        read_inputs(Path("new.parquet"), loaded.inputs)


def test_predict_for_a_network_trained_on_arrays() -> None:
    x = np.random.default_rng(0).normal(size=(40, 2))
    named = ss.data.from_arrays(x, x[:, 0] > 0, features=("a", "b")).inputs
    write({"b": x[:, 1], "other": ["?"] * 40, "a": x[:, 0]}, "new.parquet")
    assert read_inputs(Path("new.parquet"), named)[1].tolist() == x.tolist()
    bare = ss.data.from_arrays(x, x[:, 0] > 0).inputs
    with pytest.raises(
        DataError, match=r"^new.parquet: has 3 columns, but the network takes 2 numbers$"
    ):
        read_inputs(Path("new.parquet"), bare)
    write({"u": x[:, 0], "v": x[:, 1]}, "new.parquet")
    assert read_inputs(Path("new.parquet"), bare)[1].tolist() == x.tolist()


def test_the_command_line(capsys: pytest.CaptureFixture[str]) -> None:
    write(pets())
    for arguments, code in (
        (["train", "pets.parquet", "--target", "kind", "--stop", "epochs(40)", "--out", "run"], 0),
        (["predict", "run", "pets.parquet"], 0),
        (["race", "pets.parquet"], 2),
    ):
        capsys.readouterr()
        with pytest.raises(SystemExit) as left:
            main(arguments)
        assert (left.value.code or 0) == code
        out, err = capsys.readouterr()
        if arguments[0] == "predict":
            assert out.splitlines()[1].split()[:2] == ["pets.parquet:1", "cat"]
    message = (
        "pets.parquet: say which column to predict, as in: sevensteps race pets.parquet --target "
        "kind; there are: weight, color, indoor, born, kind"
    )
    assert message in " ".join(err.split())
    assert ss.load("run").recipe.source == 'parquet("pets.parquet", target="kind")'


# -- row groups ------------------------------------------------------------------------------------


@pytest.mark.parametrize("missing", ["fill", "drop"])
@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_rows_are_those_of_the_whole(missing: str, dtype: torch.dtype) -> None:
    write(gaps())
    source = ss.data.source(f'parquet("pets.parquet", target="kind", missing="{missing}")')
    table = ParquetTable(Path("pets.parquet"))
    contents = inspect_table(table, source)
    whole = encode_table(table, contents).to(dtype)
    reader = ParquetRowReader(Path("pets.parquet"), contents.encoding, contents.used_rows, dtype)
    assert (reader.shape, reader.dtype, reader.rows_per_read) == (
        tuple(whole.shape),
        dtype,
        len(whole) // 4,
    )
    draw = np.random.default_rng(0)
    for start, stop in [
        (0, len(whole)),
        (0, 1),
        (29, 31),
        (len(whole) - 1, len(whole)),
        *np.sort(draw.integers(len(whole), size=(30, 2))),
    ]:
        out = torch.full((int(stop - start), reader.shape[1]), torch.nan, dtype=dtype)
        reader.read(int(start), int(stop), out)
        assert torch.equal(out, whole[start:stop])


def test_a_row_group_is_read_once_for_all_its_rows(monkeypatch: pytest.MonkeyPatch) -> None:
    write(pets())
    frame = ParquetTable(Path("pets.parquet"))
    rows = ParquetRowReader(
        Path("pets.parquet"),
        inspect_table(frame, ss.data.source('parquet("pets.parquet", target="kind")')).encoding,
    )
    read: list[int] = []
    plain = ParquetTable.block
    monkeypatch.setattr(
        ParquetTable,
        "block",
        lambda self, group, *rest, **more: read.append(group) or plain(self, group, *rest, **more),
    )
    out = torch.empty(10, rows.shape[1], dtype=torch.float64)
    for start in range(0, 100, 10):
        rows.read(start, start + 10, out)
    assert read == [0, 1, 2, 3]


def test_an_epoch_decodes_each_row_group_once(monkeypatch: pytest.MonkeyPatch) -> None:
    """Also where a window ends within one, and where every fifth row is of the other part."""
    write(pets(2000), row_group_size=190)
    x = ss.data.load('parquet("pets.parquet", target="kind", memory=0.05)').train.x
    assert isinstance(x, StreamedInputs)
    assert isinstance(x.reader, ParquetRowReader)
    x.reader.last_group = None
    read: list[int] = []
    plain = ParquetTable.block
    monkeypatch.setattr(
        ParquetTable,
        "block",
        lambda self, group, *rest, **more: read.append(group) or plain(self, group, *rest, **more),
    )
    places = torch.cat(
        [places for _, places in x.shuffled(64, len(x), torch.Generator().manual_seed(1))]
    )
    assert sorted(places.tolist()) == list(range(len(x)))
    assert sorted(read) == list(range(11))
    assert read != sorted(read)


def test_a_file_that_changes_meanwhile() -> None:
    write(pets())
    contents = inspect_table(
        ParquetTable(Path("pets.parquet")), ss.data.source('parquet("pets.parquet", target="kind")')
    )
    reader = ParquetRowReader(Path("pets.parquet"), contents.encoding)
    write(pets(60))
    with pytest.raises(
        DataError,
        match=r"^pets.parquet: has changed since it was opened; train again on the file as it is "
        r"now$",
    ):
        reader.read(0, 1, torch.empty(1, reader.shape[1], dtype=torch.float64))
    with pytest.raises(
        DataError, match=r"^pets.parquet: has 60 rows where 100 were seen before; it has changed$"
    ):
        ParquetRowReader(Path("pets.parquet"), contents.encoding, np.ones(100, bool))
    Path("pets.parquet").unlink()
    with pytest.raises(DataError, match=r"^pets.parquet: cannot be read any more: No such file"):
        reader.read(0, 1, torch.empty(1, reader.shape[1], dtype=torch.float64))


@pytest.mark.parametrize("missing", ["fill", "drop"])
def test_gaps_in_what_stays_on_disk(missing: str) -> None:
    columns = pets(2000)
    weight = columns["weight"].copy()
    weight[[3, 250, 251, 1999]] = np.nan
    write(columns | {"weight": weight}, row_group_size=200)
    text = f'parquet("pets.parquet", target="kind", missing="{missing}", scale="none"'
    data, whole = ss.data.load(f"{text}, memory=0.05)"), ss.data.load(f"{text})")
    assert (data.encoding, len(data.train), len(data.valid)) == (
        whole.encoding,
        len(whole.train),
        len(whole.valid),
    )
    for part in ("train", "valid"):
        (x, y), (other, wanted) = (
            (samples.x[:], samples.y) for samples in (getattr(data, part), getattr(whole, part))
        )
        assert sorted(
            [*row, *label] for row, label in zip(x.tolist(), y.tolist(), strict=True)
        ) == sorted(
            [*row, *label] for row, label in zip(other.tolist(), wanted.tolist(), strict=True)
        )


def test_what_does_not_fit_in_memory_stays_on_disk() -> None:
    write(pets(2000), row_group_size=200)
    text = 'parquet("pets.parquet", target="kind", memory=0.05)'
    data, whole = ss.data.load(text), ss.data.load("pets.parquet", target="kind")
    assert type(data.train.x).__name__ == "StreamedInputs"
    assert data.about == whole.about + "; read from disk in windows, being larger than memory"
    assert data.scaling.offset.tolist() == pytest.approx(whole.scaling.offset.tolist())
    for part in ("train", "valid"):
        expected, got = (
            {
                tuple(np.round(row, 3)): label
                for row, label in zip(samples.x[:].tolist(), samples.y.tolist(), strict=True)
            }
            for samples in (getattr(whole, part), getattr(data, part))
        )
        assert got == expected
    run = ss.train(text, predict="linear()", stop="epochs(5)", out="run")
    assert run.metrics["valid"]["accuracy"] == 1
    assert (
        ss.load("run").predict(read_inputs(Path("pets.parquet"), run.inputs)[1]).answers
        == list(KINDS) * 1000
    )


# -- what is refused -------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("values", "reason"),
    [
        ([[1.0], [2.0]], "holds list<element: double>"),
        ([{"u": 1}, {"u": 2}], "holds struct<u: int64>"),
        ([b"1", b"2"], "holds binary"),
        ([datetime.time(1), datetime.time(2)], "holds time64[us]"),
        ([datetime.timedelta(1)] * 2, "holds duration[us]"),
        ([None, None], "is empty"),
        (["a" * 10_001, "a" * 10_002], "is always aaaaa"),
    ],
)
def test_columns_that_cannot_be_inputs_are_left_out(values: list[Any], reason: str) -> None:
    values = values * 10
    columns = {"x": values, "y": np.arange(len(values)), "t": ["a", "b"] * (len(values) // 2)}
    write(columns, "a.parquet", row_group_size=1000)
    data = ss.data.load("a.parquet", target="t")
    assert data.features == ("y",)
    assert data.notes[0].startswith(f"left out x ({reason}") or "is always" in data.notes[0]
    assert ss.data.load("a.parquet", target="t", drop=("x",)).features == ("y",)


@pytest.mark.parametrize("odd", [float("inf"), -1e300])
def test_numbers_that_no_network_takes_are_gaps_or_refused(odd: float) -> None:
    write({"x": [1.0, 2.0] * 15 + [odd], "t": ["a", "b"] * 15 + ["a"]}, "a.parquet")
    data = ss.data.load("a.parquet", target="t")
    assert data.features == ("x", "x: missing") or data.features == ("x",)
    with pytest.raises(DataError, match=r"^a.parquet: row 31 has x '.*' in a column of numbers; "):
        ss.data.load("a.parquet", target="t", missing="refuse")


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"target": "knd"}, "pets.parquet: target 'knd' is no column; did you mean 'kind'?"),
        (
            {"target": "kind", "drop": ("colour",)},
            "pets.parquet: drop 'colour' is no column; did you mean 'color'?",
        ),
        (
            {"target": "born"},
            "pets.parquet: born is a date, which is neither a class nor an amount; make it a "
            "number first",
        ),
        (
            {"target": "kind", "drop": ("weight", "color", "indoor", "born")},
            "pets.parquet: no column is left to predict kind from",
        ),
        ({"target": "kind", "memory": -1}, "memory must be above 0, not -1"),
    ],
)
def test_arguments_that_are_refused(arguments: dict[str, Any], message: str) -> None:
    write(pets())
    with pytest.raises(Error) as caught:
        ss.data.load("pets.parquet", **arguments)
    assert str(caught.value) == message


def test_files_that_are_none() -> None:
    write(pets())
    intact = Path("pets.parquet").read_bytes()
    for name, content, message in (
        ("none.parquet", None, r"^none.parquet: there is no such file; give a .parquet$"),
        ("a.parquet", b"", "cannot be read as a Parquet"),
        ("a.parquet", b"PAR1 no PAR1", "cannot be read as a Parquet"),
        ("a.parquet", intact[:-100], "cannot be read as a Parquet"),
        (
            "a.parquet",
            intact[:4] + bytes(200) + intact[204:],
            r"^a.parquet: row group 0 cannot be read: ",
        ),
    ):
        if content is not None:
            Path(name).write_bytes(content)
        with pytest.raises(DataError, match=message) as caught:
            ss.data.load(name, target="kind")
        assert "\n" not in str(caught.value)
    write({"x": pa.array([], pa.int64()), "t": pa.array([], pa.string())}, "a.parquet")
    with pytest.raises(DataError, match=r"^a.parquet: has no row; give at least two$"):
        ss.data.load("a.parquet", target="t")
    pq.write_table(pa.Table.from_arrays([pa.array([1]), pa.array([2])], ["x", "x"]), "a.parquet")
    with pytest.raises(
        DataError, match=r"^a.parquet: two columns are called x; give each a name of its own$"
    ):
        ss.data.load("a.parquet", target="x")


def test_damaged_files_are_one_line() -> None:
    write(pets(), compression="gzip")
    content, draw = Path("pets.parquet").read_bytes(), np.random.default_rng(0)
    for _ in range(150):
        damaged = bytearray(content)
        for place in draw.integers(len(content), size=3):
            damaged[place] = draw.integers(256)
        Path("a.parquet").write_bytes(damaged)
        try:
            ss.data.load("a.parquet", target="kind")
        except Error as error:
            assert "\n" not in str(error)  # noqa: PT017 - some damage changes a value only, which no reader can see


def test_a_row_group_that_unpacks_to_too_much_is_not_read(monkeypatch: pytest.MonkeyPatch) -> None:
    write(
        {"x": np.zeros(1_000_000), "y": np.arange(1_000_000) % 7, "t": ["a", "b"] * 500_000},
        row_group_size=1_000_000,
    )
    assert Path("pets.parquet").stat().st_size < 1_000_000
    monkeypatch.setattr(parquet, "MAX_ROW_GROUP", 15_000_000)
    read = pq.ParquetFile.read_row_group

    def read_the_target_alone(file: Any, group: int, columns: list[str], **options: Any) -> Any:
        if columns != ["t"]:
            pytest.fail("the rest was read")
        return read(file, group, columns, **options)

    monkeypatch.setattr(pq.ParquetFile, "read_row_group", read_the_target_alone)
    with pytest.raises(
        DataError,
        match=r"^pets.parquet: row group 0 of 1,000,000 rows unpacks to 0.0 GB; at most 0 are "
        r"read; write the "
        r"file with smaller row groups \(row_group_size=100_000\)$",
    ):
        ss.data.load("pets.parquet", target="t")


def test_without_pyarrow(monkeypatch: pytest.MonkeyPatch) -> None:
    write(pets())
    monkeypatch.setitem(sys.modules, "pyarrow", None)
    with pytest.raises(DataError) as caught:
        ss.data.load("pets.parquet", target="kind")
    assert str(caught.value) == (
        "pets.parquet: needs pyarrow, which is not installed; install it with: pip install "
        '"sevensteps[parquet]"'
    )
