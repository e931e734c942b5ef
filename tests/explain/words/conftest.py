"""A short training, and the numbers of a word's example in it."""

from __future__ import annotations

from typing import Any

import pytest

import sevensteps as ss

SHORT: dict[str, Any] = {
    "predict": "mlp(12)",
    "step": "sgd(lr=0.1)",
    "stop": "epochs(2)",
    "threads": 1,
    "out": False,
    "progress": False,
}


def trained(data: Any = "digits", **steps: Any) -> ss.Run:
    return ss.train(data, **{**SHORT, **steps})


@pytest.fixture(scope="session")
def run() -> ss.Run:
    return trained()


def numbers(run: ss.Run, word: str) -> dict[str, Any]:
    (entry,) = run.explain.words(word).entries
    assert entry.example is not None, entry.lacking
    return entry.numbers
