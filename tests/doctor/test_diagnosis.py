"""A diagnosis as JSON, and what it rules out."""

from __future__ import annotations

import math

from sevensteps.doctor.finding import Finding, Measure
from sevensteps.observe.torch_warnings import TrainingWarning
from tests.doctor.report.findings import FINDINGS, RULED_OUT, diagnosis, strict


def test_a_number_that_is_none_is_null_in_every_form() -> None:
    odd = Finding(
        "not_finite",
        "gradient",
        "error",
        math.nan,
        "The loss is NaN.",
        [Measure("loss", math.nan, -math.inf)],
        where={"losses": [math.inf, 1.0]},
    )
    said = diagnosis([odd])
    assert strict(said.to_dict())["findings"][0]["evidence"][0] == {
        "measure": "loss",
        "observed": None,
        "expected": None,
        "source": "",
    }
    assert strict(said.to_dict())["findings"][0]["where"] == {"losses": [None, 1.0]}
    assert (
        strict(said.to_sarif())["runs"][0]["results"][0]["properties"]["evidence"][0]["observed"]
        is None
    )


def test_a_diagnosis_as_json() -> None:
    held = strict(diagnosis(FINDINGS).to_dict())
    assert [finding["condition"] for finding in held["findings"]] == [
        "learning_rate_too_high",
        "labels_unrelated",
    ]
    assert held["ruled_out"] == [{"condition": name, "because": why} for name, why in RULED_OUT]
    assert set(held["findings"][0]) >= {
        "condition",
        "step",
        "severity",
        "confidence",
        "where",
        "onset",
        "evidence",
        "explanation",
        "remedies",
        "trials",
    }
    assert held["findings"][0]["evidence"][0] == {
        "measure": "|Δw| / |w| of output in step 1",
        "observed": 1.0123,
        "expected": "below 0.1",
        "source": "measured",
    }


def test_what_was_found_is_not_ruled_out() -> None:
    both = diagnosis([Finding("not_shuffled", "repeat", "error", 0.9, "Sorted.", [])])
    assert [name for name, _ in both.ruled_out] == ["inputs_unscaled"]


def test_warnings_of_pytorch_are_repeated() -> None:
    said = diagnosis(FINDINGS)
    warned = said.case.observation.warnings
    assert "PyTorch warned" not in str(said)
    warned.append(TrainingWarning("Using a target size. Ensure it.", "UserWarning", "a.py:7", 3))
    text = " ".join(str(said).split())
    assert "PyTorch warned in step 3, a.py:7: “Using a target size.”" in text
    warned.append(TrainingWarning("Another one", "UserWarning", "a.py:9", 4))
    assert "(and 1 more)" in str(said)
