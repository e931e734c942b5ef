"""What `Data.facts` says, against numbers known by hand."""

from __future__ import annotations

import json

import pytest

from sevensteps import data


def test_facts_of_a_table_known_by_hand() -> None:
    x = [[0.0, 7.0, 1.0], [0.0, 7.0, 3.0], [0.0, 7.0, 5.0], [0.0, 7.0, 7.0]]
    judged = [[0.0, 7.0, 5.0], [-0.0, 7.0, 1.0], [0.0, 7.0, 2.0]], ["yes"] * 3
    dataset = data.from_arrays(x, ["no", "no", "no", "yes"], valid=judged, features=("a", "b", "c"))
    facts = dataset.facts()
    assert facts == json.loads(json.dumps(facts, allow_nan=False))
    assert facts["task"] == {
        "kind": "binary",
        "targets": 1,
        "classes": ["no", "yes"],
        "reason": "the targets are two classes, no and yes",
    }
    assert (facts["source"], facts["kind"], facts["shape"], facts["inputs"]) == (
        "arrays",
        "table",
        [3],
        3,
    )
    assert facts["features"] == ["a", "b", "c"]
    assert (facts["dtype"], facts["target_dtype"]) == ("float32", "float32")
    assert (
        facts["scaling"] == facts["target_scaling"] == {"name": "none", "offset": 0.0, "scale": 1.0}
    )
    assert facts["train"]["count"] == 4
    assert facts["train"]["classes"] == {
        "no": {"count": 3, "share": 0.75},
        "yes": {"count": 1, "share": 0.25},
    }
    assert facts["valid"]["classes"] == {
        "no": {"count": 0, "share": 0.0},
        "yes": {"count": 3, "share": 1.0},
    }
    assert facts["train"]["inputs"] == {
        "min": 0.0,
        "max": 7.0,
        "mean": pytest.approx(44 / 12),
        "not_finite": 0,
        "std": pytest.approx((280 / 12 - (44 / 12) ** 2) ** 0.5),
    }
    assert (facts["always_zero_inputs"], facts["constant_inputs"], facts["duplicates"]) == (1, 2, 2)


@pytest.mark.parametrize("scale", ["none", "standardize", "unit"])
def test_always_zero_means_zero_before_scaling(scale: str) -> None:
    raw, plain = data.load("digits", scale=scale).facts(), data.load("digits").facts()
    assert raw["always_zero_inputs"] == plain["always_zero_inputs"] == 5


def test_facts_of_a_regression_and_of_labels() -> None:
    speed = data.load("speed(noise=0)").facts()
    assert speed["train"]["targets"]["max"] == pytest.approx(0.75 * 9.5**2 + 1)
    assert speed["duplicates"] == 20  # the noise is drawn again at the same t
    assert "classes" not in speed["train"]
    labels = data.from_arrays(
        [1.0, 2.0], [[1, 1], [0, 1]], valid=None, classes=("warm", "wet")
    ).facts()
    assert labels["train"]["labels"] == {
        "warm": {"count": 1, "share": 0.5},
        "wet": {"count": 2, "share": 1.0},
    }


@pytest.mark.parametrize(
    "name",
    [
        e.name
        for e in data.catalog().values()
        if "mnist" not in e.name and "path" not in e.arguments
    ],
)
def test_facts_of_every_source_are_json(name: str) -> None:
    facts = data.load("logic('and')" if name == "logic" else name).facts()
    assert facts == json.loads(json.dumps(facts, allow_nan=False))
