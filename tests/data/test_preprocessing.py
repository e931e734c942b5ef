"""The preprocessing of inputs survives JSON to the bit."""

from __future__ import annotations

from sevensteps.data import load
from sevensteps.data.preprocessing import Preprocessing


def test_inputs_survive_as_json() -> None:
    for name in ("digits", "iris", "diabetes"):
        preprocessing = load(name).inputs
        again = Preprocessing.from_dict(preprocessing.to_dict())
        assert again.to_dict() == preprocessing.to_dict()
        assert (again.shape, again.kind, again.features, again.highest) == (
            preprocessing.shape,
            preprocessing.kind,
            preprocessing.features,
            preprocessing.highest,
        )
