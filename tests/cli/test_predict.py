"""`sevensteps predict`: from a file to an answer, with the training's own preprocessing."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image
from rich.console import Console
from sklearn.datasets import load_diabetes, load_digits, load_iris

import sevensteps as ss
from sevensteps.cli.predict import _print

Command = Callable[..., Any]


@pytest.fixture
def digits(sevensteps: Command) -> ss.Run:
    """A run on digits in the folder `digits`, and a picture of a 0 to 9, `0.png` …, in 256 levels
    of gray.
    """
    images = load_digits().images
    for index in range(10):
        Image.fromarray((images[index] / 16 * 255).round().astype(np.uint8)).save(f"{index}.png")
    np.save("some.npy", images[:3])
    return ss.train("digits", predict="mlp(30)", stop="epochs(15)", out="digits")


def rows(result: Any) -> list[dict[str, Any]]:
    assert (result.code, result.err) == (0, "")
    return [json.loads(line) for line in result.out.splitlines()]


def test_pictures_and_arrays_are_answered_alike(sevensteps: Command, digits: ss.Run) -> None:
    predictions = rows(
        sevensteps("predict", "digits", "0.png", "1.png", "2.png", "some.npy", "--json")
    )
    assert [row["sample"] for row in predictions] == [
        "0.png",
        "1.png",
        "2.png",
        "some.npy[0]",
        "some.npy[1]",
        "some.npy[2]",
    ]
    assert [row["answer"] for row in predictions] == ["0", "1", "2"] * 2
    expected = digits.predict(load_digits().images[:3, None])
    assert [row["output"] for row in predictions[3:]] == expected.outputs.tolist()
    for row, probabilities in zip(predictions[3:], expected.predictions.tolist(), strict=True):
        assert list(row["probabilities"]) == list("0123456789")
        assert list(row["probabilities"].values()) == probabilities
        assert sum(probabilities) == pytest.approx(1, abs=1e-6)
    # a picture has 256 levels, the data 17
    for picture, array in zip(predictions[:3], predictions[3:], strict=True):
        assert picture["output"] == pytest.approx(array["output"], abs=0.1)


@pytest.mark.usefixtures("digits")
def test_the_screen(sevensteps: Command) -> None:
    result = sevensteps("predict", "digits", "3.png", "some.npy")
    assert result.code == 0
    assert result.err == "Answered by digits: mlp(30) trained on digits, epoch 15\n"
    assert result.lines[0].split() == ["sample", "answer", "most", "likely"]
    shown = [line.split()[:2] for line in result.lines[1:]]
    assert shown == [
        ["3.png", "3"],
        ["some.npy[0]", "0"],
        ["some.npy[1]", "1"],
        ["some.npy[2]", "2"],
    ]
    assert max(map(len, result.lines)) <= 80


def test_the_best_weights(sevensteps: Command) -> None:
    # the loss (w - 0.5)² grows at every step, as the lr is too large: the first epoch is the best
    run = ss.train(
        ss.data.from_arrays([[1.0], [-1.0]], [0.5, -0.5], valid=None),
        predict="linear()",
        initialize="constant(1.0)",
        repeat="full_batch()",
        step="sgd(lr=1.25)",
        stop="epochs(5)",
        out="pair",
    )
    assert (run.best.epoch, run.last.epoch) == (1, 5)
    np.save("one.npy", np.array([[1.0], [2.0]]))
    for option, which in (((), "last"), (("--best",), "best")):
        predictions = rows(sevensteps("predict", "pair", "one.npy", "--json", *option))
        assert [row["output"] for row in predictions] == run.predict(
            [[1.0], [2.0]], which
        ).outputs.tolist()  # type: ignore[arg-type]


def test_a_table_by_the_names_of_its_columns(sevensteps: Command) -> None:
    run = ss.train("iris", predict="linear()", stop="epochs(20)", out="runs/flowers")
    names, raw = list(run.inputs.features), load_iris().data[[0, 60, 120]]
    Path("flowers.csv").write_text(
        "\n".join([",".join(reversed(names)), *(",".join(map(str, row[::-1])) for row in raw)])
    )
    expected = run.predict(raw).answers
    for name in ("flowers", "last", "runs/flowers"):
        assert [
            row["answer"] for row in rows(sevensteps("predict", name, "flowers.csv", "--json"))
        ] == expected
    assert expected == ["setosa", "versicolor", "virginica"]


def test_a_regression_answers_in_raw_units(sevensteps: Command) -> None:
    predictions = load_diabetes(scaled=False)
    ss.train("diabetes", predict="linear()", out="sugar")
    np.save("people.npy", predictions.data[:50])
    result = rows(sevensteps("predict", "sugar", "people.npy", "--json"))
    answers = np.array([row["answer"] for row in result])
    assert set(result[0]) == {"file", "sample", "answer", "output"}
    assert np.corrcoef(answers, predictions.target[:50])[0, 1] > 0.5
    assert 50 < answers.mean() < 300  # the targets are 25 to 346; standardised they would be near 0
    assert sevensteps("predict", "sugar", "people.npy").lines[0].split() == ["sample", "answer"]


def test_two_classes_have_two_probabilities(sevensteps: Command) -> None:
    ss.train("moons", stop="epochs(20)", predict="mlp(8)", out="moons")
    np.save("points.npy", np.array([[0.0, 1.0], [1.0, -0.5]]))
    for row in rows(sevensteps("predict", "moons", "points.npy", "--json")):
        assert sum(row["probabilities"].values()) == pytest.approx(1)
        assert row["answer"] == max(row["probabilities"], key=row["probabilities"].__getitem__)


def test_labels_and_scores(sevensteps: Command) -> None:
    x = np.random.default_rng(0).normal(size=(60, 3))
    ss.train(
        ss.data.from_arrays(x, (x[:, :2] > 0).astype(float)),
        predict="linear()",
        stop="epochs(60)",
        out="labels",
    )
    np.save("x.npy", np.array([[2.0, 2.0, 0.0], [-2.0, -2.0, 0.0]]))
    assert [row["answer"] for row in rows(sevensteps("predict", "labels", "x.npy", "--json"))] == [
        ["0", "1"],
        [],
    ]
    assert [line.split()[1] for line in sevensteps("predict", "labels", "x.npy").lines[1:]] == [
        "0,",
        "none",
    ]
    ss.train("xor", loss="hinge()", predict="mlp(4)", stop="epochs(2)", out="scores")
    np.save("p.npy", np.array([[0.0, 1.0]]))
    assert "probabilities" not in rows(sevensteps("predict", "scores", "p.npy", "--json"))[0]


@pytest.mark.usefixtures("digits")
@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (
            ("digits", "0.png", "none.png"),
            "none.png: there is no such file; give a picture, a table such as a .csv, or a .npy",
        ),
        (("digts", "0.png"), "there is no run digts; make one with: sevensteps train digits"),
        (
            ("digits",),
            "Missing argument 'FILE...'. Write, for example: sevensteps predict last FILE.csv "
            "(see: sevensteps predict --help)",
        ),
    ],
)
@pytest.mark.sampled(1)
def test_nothing_is_answered_where_something_is_wrong(
    sevensteps: Command, arguments: tuple[str, ...], message: str
) -> None:
    result = sevensteps("predict", *arguments)
    assert (result.code, result.out, result.err) == (2, "", f"sevensteps: {message}\n")


@pytest.mark.usefixtures("digits")
def test_pictures_from_elsewhere(sevensteps: Command) -> None:
    image = Image.open("7.png")
    # dark on light, ten times as large
    image.resize((80, 80), Image.Resampling.NEAREST).point(lambda level: 255 - level).save(
        "paper.png"
    )
    assert (
        rows(sevensteps("predict", "digits", "paper.png", "--resize", "--invert", "--json"))[0][
            "answer"
        ]
        == "7"
    )
    assert sevensteps("predict", "digits", "paper.png").code == 2


@pytest.fixture
def pets(sevensteps: Command) -> ss.Run:
    """A run on a folder of dark cats and light dogs, of several sizes, named `pets`."""
    for kind, light in (("cat", 20), ("dog", 200)):
        Path("pets", kind).mkdir(parents=True)
        for index in range(8):
            Image.new("L", (6 + index % 2, 4), light + index).save(f"pets/{kind}/{index}.png")
    return ss.train("pets", predict="mlp(4)", step="adam(lr=0.05)", stop="epochs(40)", out="run")


@pytest.mark.usefixtures("pets")
def test_a_folder_of_pictures(sevensteps: Command) -> None:
    new = Path("new", "inner")
    new.mkdir(parents=True)
    Image.new("RGB", (60, 40), (10, 10, 10)).save(new / "dark.jpg")
    Image.new("L", (4, 4), 230).save("new/light.png")
    Path("new/cut.png").write_bytes(Path("new/light.png").read_bytes()[:40])
    Path("new/notes.txt").write_text("x")
    Path("new/.DS_Store").write_text("x")
    result = sevensteps("predict", "run", "new", "--out", "answers.csv")
    assert (result.code, result.out) == (0, "2 predictions written to answers.csv\n")
    assert "new: skipped 1 file that cannot be read: cut.png (" in result.err
    assert "new: skipped 1 file that is no picture" in result.err
    with open("answers.csv", newline="") as file:
        written = list(csv.DictReader(file))
    assert [(row["sample"], row["prediction"]) for row in written] == [
        ("inner/dark.jpg", "cat"),
        ("light.png", "dog"),
    ]
    assert all(0.5 < float(row["probability"]) <= 1 for row in written)
    assert sevensteps("predict", "run", "new/inner/dark.jpg").lines[1].split()[:2] == [
        "new/inner/dark.jpg",
        "cat",
    ]


@pytest.mark.usefixtures("digits")
def test_pictures_of_another_size_than_asked_for_are_refused(sevensteps: Command) -> None:
    Path("more").mkdir()
    Image.new("L", (9, 9)).save("more/0.png")
    assert "allow --resize" in sevensteps("predict", "digits", "more").err
    assert sevensteps("predict", "digits", "more", "--resize").code == 0


def test_a_table_s_own_columns_are_handed_on(
    sevensteps: Command, monkeypatch: pytest.MonkeyPatch
) -> None:
    run = ss.train("iris", predict="linear()", stop="epochs(20)", out="flowers")
    names, raw = list(run.inputs.features), load_iris().data[[0, 120]]
    table = [["id", "prediction", *names], *(["a b", "x", *map(str, row)] for row in raw)]
    Path("f.csv").write_text("\n".join(",".join(row) for row in table))
    assert sevensteps("predict", "flowers", "f.csv", "--out", "a.csv").code == 0
    with open("a.csv", newline="") as file:
        written = list(csv.reader(file))
    assert written[0] == [*table[0], "prediction_of_run", "probability"]
    assert [row[: len(table[0])] for row in written[1:]] == table[1:]
    assert [row[-2] for row in written[1:]] == ["setosa", "virginica"]
    monkeypatch.setattr("sys.stdin", io.TextIOWrapper(io.BytesIO(Path("f.csv").read_bytes())))
    piped = sevensteps("predict", "flowers", "-")
    assert (piped.code, piped.err, piped.out) == (0, "", Path("a.csv").read_text())
    json_rows = rows(sevensteps("predict", "flowers", "f.csv", "--json"))
    assert json_rows[0]["row"]["id"] == "a b"
    assert "choose one" in sevensteps("predict", "flowers", "f.csv", "--json", "--out", "b").err


def test_a_date_is_shown_as_a_date(
    sevensteps: Command, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    rows = [f"2024-03-{n % 27 + 1:02d},{n * n}.50,{'ab'[n % 2]}" for n in range(40)]
    Path("t.csv").write_text("\n".join(["when,price,kind", *rows, "2024-05-01,1200000,a\n"]))
    trained = sevensteps("train", "t.csv", "--target", "kind", "--stop", "epochs(1)", "--out", "t")
    assert trained.code == 0
    lines = sevensteps("explain", "t", "sample", "0").lines
    when, price = (
        next(line for line in lines if line.startswith(f"{name} ")) for name in ("when", "price")
    )
    assert when.split()[1].startswith("2024-0")
    assert any(f",{float(price.split()[1]):.2f}," in row for row in rows)


def test_numbers_are_printed_one_below_the_other(
    capsys: pytest.CaptureFixture[str],
) -> None:
    _print(
        [{"sample": f"new.csv:{i}", "answer": v} for i, v in enumerate((1032.9, 771.428, 535.0))]
    )
    lines = capsys.readouterr().out.splitlines()
    assert [line.split()[1] for line in lines[1:]] == ["1032.90", "771.428", "535.000"]
    assert {len(line.rstrip()) for line in lines[1:]} == {len(lines[1].rstrip())}


def test_on_a_terminal_the_first_of_very_many_are_printed(monkeypatch: pytest.MonkeyPatch) -> None:
    answers = [{"sample": f"new.csv:{i}", "answer": float(i)} for i in range(1, 401)]
    for terminal, count in ((True, 22), (False, 401)):
        printed = io.StringIO()
        screen = Console(file=printed, force_terminal=terminal, width=80, color_system=None)
        monkeypatch.setattr("sevensteps.cli.predict.console", lambda screen=screen: screen)
        _print(answers)
        lines = printed.getvalue().splitlines()
        assert len(lines) == count
        assert lines[-1].startswith("and 380 more; all of them in a file: --out") is terminal


def test_a_file_that_the_last_run_cannot_take_names_the_run(sevensteps: Command) -> None:
    ss.train("xor", predict="linear()", stop="epochs(1)", out="runs/20260101-120000-xor", watch=0)
    Image.new("L", (8, 8)).save("picture.png")
    err = sevensteps("predict", "last", "picture.png").err
    assert "trained on 2 columns of a table; give a .csv" in err
    assert err.endswith("(last is runs/20260101-120000-xor, trained on xor)\n")
