"""Every test has an empty folder to work in; a short training of iris, and arguments of others."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

import sevensteps as ss
from sevensteps.api.run import Run

QUICK: dict[str, Any] = {"predict": "mlp(8)", "step": "sgd(lr=0.3)", "stop": "epochs(4)"}
RECIPES: list[tuple[str, dict[str, Any]]] = [
    ("iris", QUICK),
    ("digits", {"predict": "cnn(4, batch_norm=True, dropout=0.2)", "stop": "max_steps(9)"}),
    ("digits37", {"predict": "pixel_similarity('l2')"}),
    ("digits37", {"predict": "neuron('step', bias='w0')", "stop": "epochs(3)"}),
    ("diabetes", {**QUICK, "precision": "float64"}),
    (
        "xor",
        {
            "predict": "mlp(4)",
            "loss": "negative_log_likelihood()",
            "stop": "epochs(3) | patience(1)",
        },
    ),
    ("speed(noise=1.0)", {"predict": "polynomial(2)", "step": "sgd(lr=1e9)", "stop": "epochs(9)"}),
]


@pytest.fixture(autouse=True)
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    return tmp_path


@pytest.fixture(scope="session")
def iris(tmp_path_factory: pytest.TempPathFactory) -> Run:
    return ss.train("iris", **QUICK, out=tmp_path_factory.mktemp("kept") / "iris")
