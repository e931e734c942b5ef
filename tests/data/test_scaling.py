"""Scaling and splitting, by their definitions."""

from __future__ import annotations

import json
import math

import pytest
import torch
from sklearn.preprocessing import MaxAbsScaler, StandardScaler

from sevensteps.data.scaling import SCALINGS, Scaling, fit_scaling, identity_scaling
from sevensteps.errors import ArgumentError, DataError, ShapeError

TABLE = torch.tensor([[1.0, 5.0, 0.0], [2.0, 5.0, -4.0], [6.0, 5.0, 1.0]])


def test_tables_are_scaled_by_column_as_scikit_learn_does() -> None:
    n = len(TABLE)
    by_n = torch.from_numpy(StandardScaler().fit_transform(TABLE.double())).float()
    expected = by_n * math.sqrt((n - 1) / n)
    torch.testing.assert_close(fit_scaling("standardize", TABLE)(TABLE), expected)
    expected = torch.from_numpy(MaxAbsScaler().fit_transform(TABLE.double())).float()
    torch.testing.assert_close(fit_scaling("unit", TABLE)(TABLE), expected)


def test_what_does_not_vary_is_not_divided_by_zero() -> None:
    # whose mean and std, summed in floating point, are not exactly 0.1 and 0
    odd = torch.full((7, 1), 0.1)
    assert fit_scaling("standardize", odd)(odd).tolist() == [[0.0]] * 7
    assert fit_scaling("standardize", torch.tensor([[3.0]]))(torch.tensor([[4.0]])).tolist() == [
        [1.0]
    ]
    assert fit_scaling("unit", torch.zeros(3, 1))(torch.ones(1, 1)).tolist() == [[1.0]]


def test_images_are_standardised_by_channel() -> None:
    images = torch.rand(5, 3, 4, 4, generator=torch.Generator().manual_seed(0))
    images *= torch.tensor([1.0, 10.0, 100.0])[:, None, None]
    scaled = fit_scaling("standardize", images)(images)
    torch.testing.assert_close(scaled.mean((0, 2, 3)), torch.zeros(3), atol=1e-5, rtol=0)
    torch.testing.assert_close(scaled.std((0, 2, 3)), torch.ones(3))


def test_bytes_become_shares_of_the_highest_value() -> None:
    pixels = torch.arange(256, dtype=torch.uint8).view(1, 1, 16, 16)
    scaled = fit_scaling("unit", pixels, highest=255)(pixels)
    assert torch.equal(scaled, pixels.float() / 255)  # the same bits as the book's


def test_large_numbers_keep_their_differences() -> None:
    dates = torch.tensor(
        [[1_700_000_000.0], [1_700_000_001.0], [1_700_000_002.0]], dtype=torch.float64
    )
    assert fit_scaling("standardize", dates)(dates)[:, 0].tolist() == [-1.0, 0.0, 1.0]


@pytest.mark.parametrize("name", SCALINGS)
@pytest.mark.parametrize("shape", [(6, 3), (6, 1, 4, 4), (6, 3, 2, 5)])
def test_it_survives_json_to_the_bit(name: str, shape: tuple[int, ...]) -> None:
    raw = torch.randn(shape, generator=torch.Generator().manual_seed(1)) * 3 + 1
    scaling = fit_scaling(name, raw)
    again = Scaling.from_dict(json.loads(json.dumps(scaling.to_dict())))
    assert again.name == name
    assert torch.equal(again(raw), scaling(raw))
    torch.testing.assert_close(again.undo(again(raw)), raw)


def test_identity_changes_no_bit() -> None:
    raw = torch.randn(4, 3, generator=torch.Generator().manual_seed(2))
    assert torch.equal(identity_scaling()(raw), raw)
    assert torch.equal(identity_scaling().undo(raw), raw)


@pytest.mark.parametrize(
    ("raw", "message"),
    [
        (
            torch.zeros(2, 4),
            "inputs of shape [2, 4] against a scaling learned on 3 columns; give the columns that "
            "the training "
            "had, in its order",
        ),
        (
            torch.zeros(3),
            "inputs of shape [3] against a scaling learned on 3 columns; give the columns that "
            "the training had, in "
            "its order",
        ),
        (
            torch.zeros(2, 3, 4, 4),
            "inputs of shape [2, 3, 4, 4] against a scaling learned on 3 columns; give the "
            "columns that the "
            "training had, in its order",
        ),
    ],
)
def test_other_columns_are_refused(raw: torch.Tensor, message: str) -> None:
    for use in (fit_scaling("unit", TABLE), fit_scaling("standardize", TABLE).undo):
        with pytest.raises(ShapeError) as caught:
            use(raw)
        assert str(caught.value) == message


def test_other_channels_are_refused() -> None:
    with pytest.raises(
        ShapeError, match=r"inputs of shape \[1, 1, 2, 2\] against a scaling learned on 3 channels"
    ):
        fit_scaling(
            "standardize", torch.rand(2, 3, 2, 2, generator=torch.Generator().manual_seed(0))
        )(torch.zeros(1, 1, 2, 2))


@pytest.mark.parametrize(
    "stored",
    [
        {},
        {"name": "units", "offset": 0, "scale": 1},
        {"name": "unit", "offset": "x", "scale": 1},
        {"name": "unit", "offset": [0.0], "scale": [1.0, 2.0]},
        {"name": "unit", "offset": 0.0, "scale": 0.0},
        {"name": "unit", "offset": float("nan"), "scale": 1.0},
        {"name": "unit", "offset": [[1.0], []], "scale": 1.0},
    ],
)
def test_a_damaged_scaling_is_refused(stored: dict[str, object]) -> None:
    with pytest.raises(DataError, match=r"^the stored scaling "):
        Scaling.from_dict(stored)


def test_an_unknown_scaling_is_refused() -> None:
    with pytest.raises(ArgumentError, match="scale has no option 'unite'; did you mean 'unit'"):
        fit_scaling("unite", TABLE)


def test_numbers_whose_squares_are_none_are_refused() -> None:
    with pytest.raises(
        DataError,
        match=r"^standardize: the inputs reach 7e\+299 and more, whose squares no number holds; ",
    ):
        fit_scaling("standardize", torch.tensor([[1e300], [2e300], [-1e300]], dtype=torch.float64))
    assert fit_scaling("standardize", torch.zeros(3, 0)).name == "none"


def test_raw_numbers_come_back_as_they_were_written() -> None:
    """Beside a large number float32 keeps fewer digits of a small one: those are not shown."""
    written = torch.tensor([[81.5, 0.0], [1_200_000.0, 0.1], [7.0, 1990.0]], dtype=torch.float64)
    for name in SCALINGS:
        scaling = fit_scaling(name, written)
        assert torch.equal(scaling.undo_as_written(scaling(written)), written)
