"""Hugging Face datasets: their tables as Parquet files have them, their pictures, their parts and
the names of their classes.
"""

from __future__ import annotations

import sys
from typing import Any

import numpy as np
import pytest
import torch

import sevensteps as ss
from sevensteps.data import from_dataset
from sevensteps.errors import Error

datasets = pytest.importorskip(
    "datasets", reason="the package datasets is not installed; it is the extra sevensteps[datasets]"
)

COUNT = 60
DRAW = np.random.default_rng(0)
SIZE, COLOR = DRAW.normal(size=COUNT), DRAW.choice(["red", "blue"], COUNT).tolist()
LABEL = (SIZE > 0).astype(int).tolist()
NAMES = ["small", "large"]


def table(**more: Any) -> Any:
    features = datasets.Features(
        {
            "size": datasets.Value("float64"),
            "color": datasets.Value("string"),
            "label": datasets.ClassLabel(names=NAMES),
        }
    )
    return datasets.Dataset.from_dict(
        {"size": SIZE.tolist(), "color": COLOR, "label": LABEL} | more, features=features
    )


PIXELS = DRAW.integers(0, 256, (COUNT, 6, 5), dtype=np.uint8)


def pictures(pixels: Any = PIXELS, **columns: Any) -> Any:
    features = datasets.Features(
        {"image": datasets.Image(), "label": datasets.Value("int64")}
        | {name: datasets.Value("int64") for name in columns}
    )
    return datasets.Dataset.from_dict(
        {"image": list(pixels), "label": LABEL[: len(pixels)]} | columns, features=features
    )


def test_a_table() -> None:
    data = from_dataset(table(), target="label", scale="none", seed=2)
    assert (data.features, data.task.classes) == (("size", "color=blue", "color=red"), tuple(NAMES))
    assert data.about == "60 rows of dataset: 2 columns as 3 inputs, label to predict"
    known = {
        np.float32(size): (color, label)
        for size, color, label in zip(SIZE, COLOR, LABEL, strict=True)
    }
    for part in (data.train, data.valid):
        for row, label in zip(part.x.tolist(), part.y[:, 0].tolist(), strict=True):
            assert known[np.float32(row[0])] == ("blue" if row[1] else "red", int(label))
    assert len(data.valid) == 12
    run = ss.train(data, predict="linear()", stop="epochs(2)", out=False)
    assert run.inputs.encoding == data.encoding


def test_rows_that_were_chosen_and_mixed() -> None:
    rows = DRAW.permutation(COUNT)[:40]
    data = from_dataset(
        table().select(rows.tolist()),
        target="size",
        drop="color",
        scale="none",
        target_scale="none",
    )
    assert sorted(torch.cat([data.train.y, data.valid.y])[:, 0].tolist()) == sorted(
        np.float32(SIZE[rows]).tolist()
    )


@pytest.mark.parametrize("name", ["validation", "test", "val"])
def test_the_parts_of_a_dict(name: str) -> None:
    parts = datasets.DatasetDict(
        {"train": table().select(range(50)), name: table().select(range(50, 60)), "more": table()}
    )
    data = from_dataset(parts, "label", scale="none")
    assert data.train.x[:, 0].tolist() == np.float32(SIZE[:50]).tolist()
    assert data.valid.x[:, 0].tolist() == np.float32(SIZE[50:]).tolist()
    with_valid = from_dataset(parts["train"], "label", valid=parts[name], scale="none")
    assert torch.equal(with_valid.valid.x, data.valid.x)
    assert len(from_dataset(datasets.DatasetDict({"train": table()}), "label").valid) == 12


def test_names_of_classes_keep_their_order_and_may_say_anything() -> None:
    labels = [0, 1, 2] * 20
    dataset = datasets.Dataset.from_dict(
        {"x": list(range(COUNT)), "label": labels},
        features=datasets.Features(
            {
                "x": datasets.Value("int32"),
                "label": datasets.ClassLabel(names=["other", "none", "7"]),
            }
        ),
    )
    data = from_dataset(dataset, "label", scale="none")
    assert data.task.classes == ("other", "none", "7")
    assert all(
        int(x) % 3 == y
        for x, y in zip(data.train.x[:, 0].tolist(), data.train.y.tolist(), strict=True)
    )
    many = datasets.Dataset.from_dict(
        {"x": list(range(900)), "label": [n % 300 for n in range(900)]},
        features=datasets.Features(
            {"x": datasets.Value("int32"), "label": datasets.ClassLabel(num_classes=300)}
        ),
    )
    assert from_dataset(many, "label").task.classes == tuple(map(str, range(300)))
    with pytest.raises(
        Error,
        match=r"^dataset: row 3 has no label, and what is to be predicted cannot be filled in; "
        r"leave such rows out",
    ):
        from_dataset(table(label=[0, 1, -1, *LABEL[3:]]), "label")


def test_gaps() -> None:
    gap = table(size=[None, *SIZE[1:].tolist()])
    with pytest.raises(
        Error,
        match=r"^dataset: row 1 has no size; fill it in, leave the row out, or train with "
        r'missing="fill"$',
    ):
        from_dataset(gap, "label")
    assert len(from_dataset(gap, "label", missing="drop").train) == 47
    parts = datasets.DatasetDict({"train": table(), "test": gap})
    with pytest.raises(Error, match=r"^dataset, test: row 1 has no size; "):
        from_dataset(parts, "label")
    filled = from_dataset(parts, "label", missing="fill", scale="none")
    assert float(filled.valid.x[0, 0]) == pytest.approx(SIZE.mean(), rel=1e-6)


@pytest.mark.parametrize("colour", [False, True])
def test_pictures(colour: bool) -> None:
    pixels = PIXELS if not colour else np.stack([PIXELS, 255 - PIXELS, PIXELS // 2], 3)
    parts = datasets.DatasetDict({"train": pictures(pixels), "test": pictures(pixels[:20])})
    data = from_dataset(parts, "label")
    expected = pixels[:, None] if not colour else pixels.transpose(0, 3, 1, 2)
    assert (data.kind, data.highest, data.task.classes) == ("image", 255, ("0", "1"))
    assert torch.equal((data.train.x * 255).round().byte(), torch.from_numpy(expected))
    assert torch.equal(data.valid.x, data.train.x[:20])
    assert data.train.y[:, 0].tolist() == LABEL
    assert data.about == "80 pictures, 6 x 5 pixels, label to predict"
    assert from_dataset(pictures(pixels), "label", size=3, gray=True).train.x.shape == (48, 1, 3, 3)


def test_pictures_of_several_sizes() -> None:
    dataset = pictures([*PIXELS[:9], np.zeros((4, 4), np.uint8)])
    with pytest.raises(
        Error,
        match=r"^dataset: row 10 has 4 × 4 pixels, the first 5 × 6; give size=… to bring all "
        r"pictures to one size$",
    ):
        from_dataset(dataset, "label")
    assert from_dataset(dataset, "label", size=(2, 3)).train.x.shape[1:] == (1, 2, 3)


@pytest.mark.parametrize(
    ("make", "arguments", "message"),
    [
        (
            table,
            {},
            "dataset: say which column to predict, as in --target label; there are: size, color, "
            "label",
        ),
        (table, {"target": "labl"}, "dataset: target 'labl' is no column; did you mean 'label'?"),
        (
            table,
            {"target": "label", "size": 3},
            "dataset: size and gray are for pictures, but no column holds any",
        ),
        (
            table,
            {"target": "label", "valid": "test"},
            "valid must be a datasets.Dataset or a share such as 0.2, not a str",
        ),
        (table, {"target": "label", "valid": 2}, "valid must be below 1, not 2"),
        (
            lambda: [1],
            {"target": "label"},
            "dataset: a list is no datasets.Dataset; for arrays use from_arrays(x, y), for a "
            "DataLoader "
            "from_loader(loader)",
        ),
        (
            lambda: table().to_iterable_dataset(),
            {"target": "label"},
            "dataset: is streamed, and does not say how long it is; load it with streaming=False, "
            "or take some of it: "
            "datasets.Dataset.from_list(list(dataset.take(10_000)))",
        ),
        (
            lambda: datasets.DatasetDict({"test": table()}),
            {"target": "label"},
            "dataset: has test, but no train; give one of them: dataset[…]",
        ),
        (
            lambda: datasets.DatasetDict(
                {"train": table(), "test": table().remove_columns("color")}
            ),
            {"target": "label"},
            "dataset, test: the column 'color' is missing, but Value('string') in the training "
            "part; give both the same columns",
        ),
        (lambda: table().select([]), {"target": "label"}, "dataset: has no row; give at least two"),
        (
            lambda: datasets.Dataset.from_dict({"x": [[1.0], [2.0]], "y": [1, 2]}),
            {"target": "y"},
            "dataset: the column x holds list<item: double>, which is neither numbers, yes and "
            "no, dates nor texts; leave it out with "
            'drop=("x",)',
        ),
        (
            lambda: pictures(more=LABEL),
            {"target": "label"},
            "dataset: pictures are trained on alone, but beside image there is more; leave out "
            "with drop=('more',)",
        ),
        (
            lambda: pictures([PIXELS[0], None, PIXELS[2]]),
            {"target": "label"},
            "dataset: row 2 has no image; leave it out with dataset.filter(…)",
        ),
        (
            pictures,
            {"target": "label", "missing": "fill"},
            "dataset: missing='fill' is for tables; leave pictures that are missing out with "
            "dataset.filter(…)",
        ),
        (
            pictures,
            {"target": "label", "size": (1, 2, 3)},
            "size must be one number, or (height, width), not (1, 2, 3)",
        ),
        (
            lambda: datasets.Dataset.from_dict(
                {"image": [{"bytes": b"no picture", "path": None}] * 2, "label": [0, 1]},
                features=pictures().features,
            ),
            {"target": "label"},
            "dataset: row 1: cannot be read as a picture: it is none of PNG, JPEG, BMP, GIF, "
            "WEBP, TIFF",
        ),
    ],
)
def test_what_cannot_be_trained_on(make: Any, arguments: dict[str, Any], message: str) -> None:
    with pytest.raises(Error) as caught:
        from_dataset(make(), **arguments)
    assert str(caught.value) == message


def test_without_the_package(monkeypatch: pytest.MonkeyPatch) -> None:
    dataset = table()
    monkeypatch.setitem(sys.modules, "datasets", None)
    with pytest.raises(
        Error,
        match=r"^dataset: needs the package datasets; install it with: pip install "
        r'"sevensteps\[datasets\]"$',
    ):
        from_dataset(dataset, "label")
