"""Every word has an example in every kind of run, or says why there is none."""

from __future__ import annotations

import json
from typing import Any

import pytest

from sevensteps.explain.words.glossary import GLOSSARY
from sevensteps.record.run_folder import nan_to_null
from tests.explain.words.conftest import trained

CASES: dict[str, tuple[str, dict[str, Any]]] = {
    "mlp": ("digits", {}),
    "linear": ("digits37", {"predict": "linear()"}),
    "cnn": ("digits", {"predict": "cnn(4)"}),
    "sigmoid": ("circles", {"predict": "mlp(4, activation='sigmoid')"}),
    "regression": ("diabetes", {}),
    "neuron": ("circles", {"predict": "neuron(bias='w0')"}),
    "full batch": ("iris", {"repeat": "full_batch()"}),
    "nothing to train": ("digits37", {"predict": "pixel_similarity()", "stop": None, "step": None}),
    "hinge": ("digits37", {"loss": "hinge()"}),
    "log": ("digits", {"loss": "negative_log_likelihood()"}),
    "one hot": ("digits", {"loss": "mean_squared_error()"}),
    "float64": ("iris", {"precision": "float64"}),
    "curve": ("speed", {"predict": "polynomial(2)", "step": "sgd(lr=1e-5)"}),
}


@pytest.mark.parametrize("case", CASES)
@pytest.mark.sampled(4)
def test_every_word_of_every_kind_of_run_has_an_example_or_says_why_not(case: str) -> None:
    data, steps = CASES[case]
    found = trained(data, **steps).explain.words(*[word.name for word in GLOSSARY])
    assert max(map(len, str(found).splitlines())) <= 80
    for entry in found.entries:
        assert (entry.example is None) == bool(entry.lacking)
        assert entry.example is None or any(letter.isdigit() for letter in entry.example), entry
    with_example = sum(entry.example is not None for entry in found.entries)
    assert with_example >= (12 if case == "nothing to train" else 20)
    json.dumps(nan_to_null(found.to_dict()), allow_nan=False)
