"""Arrays of one's own: how each kind of inputs and targets is read, and what is refused."""

from __future__ import annotations

from typing import Any

import numpy
import pytest
import torch

from sevensteps import data
from sevensteps.errors import DataError, Error

X = [[float(i), float(i * i)] for i in range(10)]
ROW = numpy.arange(10.0)


def loaded(y: Any, **options: Any) -> data.Data:
    return data.from_arrays(X, y, valid=None, **options)


@pytest.mark.parametrize(
    ("y", "kind", "classes", "stored"),
    [
        ([0, 1] * 5, "binary", ("0", "1"), [[0.0], [1.0]] * 5),
        ([0.0, 1.0] * 5, "binary", ("0", "1"), [[0.0], [1.0]] * 5),
        ([[0.0], [1.0]] * 5, "binary", ("0", "1"), [[0.0], [1.0]] * 5),
        ([True, False] * 5, "binary", ("False", "True"), [[1.0], [0.0]] * 5),
        ([7, 3] * 5, "binary", ("3", "7"), [[1.0], [0.0]] * 5),
        (["no", "yes"] * 5, "binary", ("no", "yes"), [[0.0], [1.0]] * 5),
        ([[1, 0], [0, 1]] * 5, "binary", ("0", "1"), [[0.0], [1.0]] * 5),
        ([2, 0, 1, 2, 0] * 2, "multiclass", ("0", "1", "2"), [2, 0, 1, 2, 0] * 2),
        ([-5, 30, 2, 2, 2] * 2, "multiclass", ("-5", "2", "30"), [0, 2, 1, 1, 1] * 2),
        (["b", "c", "a", "a", "a"] * 2, "multiclass", ("a", "b", "c"), [1, 2, 0, 0, 0] * 2),
        (
            [[1, 0, 0], [0, 0, 1], [0, 1, 0], [1, 0, 0], [1, 0, 0]] * 2,
            "multiclass",
            ("0", "1", "2"),
            [0, 2, 1, 0, 0] * 2,
        ),
        (
            [[1, 1, 0], [0, 0, 0]] * 5,
            "multilabel",
            ("0", "1", "2"),
            [[1.0, 1.0, 0.0], [0.0, 0.0, 0.0]] * 5,
        ),
        ([0.5, 2.0] * 5, "regression", (), [[0.5], [2.0]] * 5),
        ([0.0, 1.0, 2.0, 3.0, 4.0] * 2, "regression", (), [[0.0], [1.0], [2.0], [3.0], [4.0]] * 2),
        ([[0.5, 3.0], [2.0, 4.0]] * 5, "regression", (), [[0.5, 3.0], [2.0, 4.0]] * 5),
    ],
)
@pytest.mark.parametrize("container", [list, numpy.array, torch.tensor])
def test_targets_tell_the_task(
    y: Any, kind: str, classes: tuple[str, ...], stored: list[Any], container: Any
) -> None:
    if container is torch.tensor and isinstance(y[0], str):
        y = numpy.array(y, object)  # a tensor holds no text; pandas hands text over like this
        container = list
    dataset = loaded(container(y))
    assert (dataset.task.kind, dataset.task.classes) == (kind, classes)
    assert dataset.train.y.tolist() == stored
    assert dataset.train.y.dtype == (torch.int64 if kind == "multiclass" else torch.float32)


@pytest.mark.parametrize(
    ("x", "shape", "kind"),
    [
        (ROW, (10, 1), "table"),
        (ROW.astype(">f4"), (10, 1), "table"),
        (ROW.astype("u2")[:, None], (10, 1), "table"),
        (ROW[:, None] > 4, (10, 1), "table"),
        (torch.arange(20.0).view(10, 2).requires_grad_(), (10, 2), "table"),
        (torch.arange(20.0).view(2, 10).T, (10, 2), "table"),
        (numpy.zeros((10, 5, 4), "u1"), (10, 1, 5, 4), "image"),
        (numpy.zeros((10, 3, 5, 4)), (10, 3, 5, 4), "image"),
    ],
)
def test_inputs_become_float32_of_the_right_shape(
    x: Any, shape: tuple[int, ...], kind: str
) -> None:
    dataset = data.from_arrays(x, [0, 1] * 5, valid=None)
    assert dataset.train.x.shape == shape
    assert dataset.kind == kind
    assert dataset.train.x.dtype == torch.float32
    assert not dataset.train.x.requires_grad
    assert torch.equal(
        dataset.train.x.double(),
        torch.as_tensor(
            numpy.asarray(x if isinstance(x, numpy.ndarray) else x.detach()).astype("f8")
        ).view(shape),
    )


def test_arguments_are_not_changed() -> None:
    x = torch.arange(20.0).view(10, 2)
    before = x.clone()
    dataset = data.from_arrays(x, [0, 1] * 5, valid=None, scale="standardize")
    dataset.train.x.zero_()
    assert torch.equal(x, before)
    plain = data.from_arrays(x, [0, 1] * 5, valid=None)
    plain.train.x.zero_()
    assert torch.equal(x, before)


def test_the_split_has_the_share_of_its_argument_and_leaves_nothing_out() -> None:
    x = torch.arange(100.0)
    dataset = data.from_arrays(x, [0] * 80 + [1] * 20, valid=0.25, seed=3)
    assert (len(dataset.train), len(dataset.valid)) == (75, 25)
    assert float(dataset.valid.y.sum()) == 5
    assert sorted(torch.cat([dataset.train.x, dataset.valid.x])[:, 0].tolist()) == x.tolist()
    for part in (dataset.train, dataset.valid):
        assert torch.equal(part.y, (part.x >= 80).float())
    assert not torch.equal(
        dataset.train.x, data.from_arrays(x, [0] * 80 + [1] * 20, valid=0.25, seed=4).train.x
    )


def test_a_validation_part_is_coded_and_scaled_as_the_training_part() -> None:
    dataset = data.from_arrays(
        ROW, ["b", "a"] * 5, valid=([20.0], ["a"]), scale="standardize", name="mine"
    )
    assert dataset.source == "mine"
    assert dataset.valid.y.tolist() == [[0.0]]
    assert float(dataset.valid.x) == pytest.approx((20 - ROW.mean()) / ROW.std(ddof=1))


def test_a_class_known_only_to_the_validation_part_is_refused() -> None:
    with pytest.raises(Error) as caught:
        data.from_arrays(ROW, [0, 1] * 5, valid=([1.0], [2]))
    assert str(caught.value).startswith(
        "arrays: the training part has no sample of 1 of 3 classes (2); give it some"
    )


def test_training_and_judging_on_the_same_is_reported() -> None:
    assert "trained and validated on the same samples" in loaded([0, 1] * 5).about
    assert "judged" not in data.from_arrays(X, [0, 1] * 5).about


def test_names_are_stored() -> None:
    dataset = loaded(
        [0, 1, 2, 2, 2] * 2, classes=["ant", "bee", "cat"], features=["length", "area"]
    )
    assert dataset.task.classes == ("ant", "bee", "cat")
    assert dataset.features == ("length", "area")
    assert loaded(["b", "a"] * 5, classes=["b", "a"]).train.y[:, 0].tolist() == [0.0, 1.0] * 5
    assert loaded([0.0, 1.0, 2.0, 2.0, 2.0] * 2, classes=["a", "b", "c"]).task.kind == "multiclass"
    assert loaded([[1, 1], [0, 0]] * 5, classes=["warm", "wet"]).task.classes == ("warm", "wet")


def test_targets_can_be_scaled() -> None:
    dataset = data.from_arrays(ROW, ROW * 100 + 0.5, valid=0.2, target_scale="standardize")
    assert float(dataset.train.y.mean()) == pytest.approx(0, abs=1e-6)
    torch.testing.assert_close(
        dataset.target_scaling.undo(dataset.valid.y), dataset.valid.x * 100 + 0.5
    )


nan, inf = float("nan"), float("inf")
REFUSED: list[tuple[dict[str, Any], str]] = [
    (
        {"x": [[1.0, 2.0], [3.0, nan], [inf, nan], [0.0, 1.0]], "y": [0, 1, 0, 1], "valid": None},
        "arrays: the training inputs hold 3 numbers that are not finite (nan or inf), the first "
        "in row 1, column 1; "
        "fill them in or leave those rows out",
    ),
    (
        {
            "x": [[1.0, 2.0], [3.0, 4.0]],
            "y": [0, 1],
            "valid": ([[nan, 1.0]], [1]),
            "features": ("age", "height"),
            "name": "people",
        },
        "people: the validation inputs hold 1 number that is not finite (nan or inf), the first "
        "in row 0, column 0 (age); "
        "fill them in or leave those rows out",
    ),
    (
        {"x": numpy.full((2, 1, 2, 2), [[[[0, 0], [nan, 0]]]]), "y": [0, 1], "valid": None},
        "arrays: the training inputs hold 2 numbers that are not finite (nan or inf), the first "
        "in row 0, channel 0, line 1, "
        "column 0; fill them in or leave those rows out",
    ),
    (
        {"y": [0.5] * 9 + [nan], "valid": None},
        "arrays: the training targets hold 1 number that is not finite (nan or inf), the first in "
        "row 9; leave those rows out",
    ),
    (
        {"y": [1] * 10},
        "all targets are 1: one class only; a classifier needs samples of at least two",
    ),
    (
        {"y": ["yes"] * 10},
        "all targets are yes: one class only; a classifier needs samples of at least two",
    ),
    (
        {"y": [1] * 10, "classes": ("no", "yes")},
        "arrays: all training targets are yes: one class only; give samples of at least two",
    ),
    ({"x": [], "y": []}, "arrays: the training part is empty; give it at least one sample"),
    ({"x": [1.0], "y": [0.5]}, "arrays: the validation part is empty; give it at least one sample"),
    (
        {"y": [0, 1] * 5, "valid": ([], [])},
        "arrays: the validation part is empty; give it at least one sample",
    ),
    ({"y": [0, 1] * 4}, "arrays: 10 inputs but 8 targets; give one target for each input"),
    (
        {"y": [0, 1] * 5, "valid": (X, [0, 1] * 4)},
        "arrays: the validation part has 10 inputs but 8 targets; give one target for each input",
    ),
    (
        {"y": [0, 1] * 5, "valid": ([[1.0]], [0])},
        "arrays: a training input has shape [2], a validation input [1]; they must be the same",
    ),
    (
        {"y": [0, 5] * 5, "classes": ("a", "b", "c"), "valid": None},
        "arrays: the training labels go outside 0..2: 5 in row 1; number the 3 classes from 0",
    ),
    (
        {"y": [0, -1] * 5, "classes": ("a", "b"), "valid": None},
        "arrays: the training labels go outside 0..1: -1 in row 1; number the 2 classes from 0",
    ),
    (
        {"y": ["a", "b"] * 5, "classes": ("a", "c")},
        "arrays: the target 'b' in row 1 is none of the classes a, c; name it too",
    ),
    (
        {"y": [0.5, 1.0] * 5, "classes": ("a", "b")},
        "arrays: classes are named, but the targets are not all whole numbers; number the classes "
        "from 0",
    ),
    (
        {"y": [0, 1] * 5, "classes": ("a", "a")},
        "arrays: a class is named twice in a, a; give each its own name",
    ),
    (
        {"y": [[1, 1], [0, 0]] * 5, "classes": ("a", "b", "c")},
        "arrays: 3 class names for 2 columns or values; give one for each",
    ),
    (
        {"y": [0, 1] * 5, "features": ("age",)},
        "arrays: 1 feature names for 2 columns; give one for each",
    ),
    (
        {"x": [[1.0], [1.0, 2.0]], "y": [0, 1]},
        "arrays: the inputs cannot be made one array; give every row the same length",
    ),
    ({"x": [["a"], ["b"]], "y": [0, 1]}, "arrays: the inputs are <U1; give numbers"),
    ({"x": [[1.0], [None]], "y": [0, 1]}, "arrays: the inputs are object; give numbers"),
    (
        {"x": torch.zeros(10, dtype=torch.complex64), "y": [0, 1] * 5},
        "arrays: the inputs are torch.complex64; give real numbers",
    ),
    (
        {"x": torch.zeros(10, 8, 8, 3), "y": [0, 1] * 5},
        "arrays: inputs have shape [10, 8, 8, 3]; give [samples, columns] for a table, [samples, "
        "1 or 3, height, width] for "
        "images; move the channels forward: x.permute(0, 3, 1, 2)",
    ),
    (
        {"x": torch.zeros(10, 0), "y": [0, 1] * 5},
        "arrays: the training inputs have shape [8, 0]: no number in a sample; give at least one "
        "column",
    ),
    (
        {"y": torch.zeros(10, 2, 2)},
        "arrays: targets have shapes [10, 2, 2]; give [samples] or [samples, columns]",
    ),
    (
        {"y": [0.5, 1.5] * 5, "valid": (X, [[0.5, 1.0]] * 10)},
        "arrays: training targets have shape [10], validation targets [10, 2]; give both the same "
        "columns",
    ),
    ({"y": [0, 1] * 5, "valid": 0.0}, "valid must be above 0, not 0.0"),
    ({"y": [0, 1] * 5, "valid": 1}, "valid must be below 1, not 1"),
    ({"y": [0, 1] * 5, "valid": (X,)}, "valid must be a pair (x, y), a share such as 0.2, or None"),
    ({"y": [0, 1] * 5, "scale": "units"}, "scale has no option 'units'; did you mean 'unit'?"),
    ({"y": [0, 1] * 5, "seed": 1.5}, "seed must be a whole number, not 1.5"),
    (
        {"y": list(range(10))},
        "arrays: the 10 targets are all different whole numbers, which are read as classes; give "
        "amounts as floats",
    ),
]


@pytest.mark.parametrize(
    ("arguments", "message"), REFUSED, ids=[message[:50] for _, message in REFUSED]
)
def test_what_cannot_be_trained_on_is_refused_in_one_line(
    arguments: dict[str, Any], message: str
) -> None:
    with pytest.raises(Error) as caught:
        data.from_arrays(**{"x": X, **arguments})
    assert str(caught.value) == message


def test_whole_numbers_that_do_not_fit_are_refused() -> None:
    labels = numpy.array([0, 2**63, 1, 0], dtype=numpy.uint64)
    with pytest.raises(
        DataError,
        match=r"^arrays: the targets reach 9223372036854775808, more than 2\^63; give them as "
        r"floats$",
    ):
        data.from_arrays([[0.0]] * 4, labels)
