"""`sevensteps export`: one file of a run, and a line about it."""

from __future__ import annotations

import importlib.util
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

import sevensteps as ss

Command = Callable[..., Any]


@pytest.fixture
def run(sevensteps: Command) -> ss.Run:
    return ss.train("iris", predict="linear()", stop="epochs(3)", out="run")


@pytest.mark.usefixtures("run")
def test_a_card(sevensteps: Command) -> None:
    result = sevensteps("export", "run", "card.md")
    assert (result.code, result.err) == (0, "")
    assert result.out == "card.md: a model card: data, results, findings, limits, recipe\n"
    assert "# linear() on iris" in Path("card.md").read_text("utf-8")
    assert json.loads(sevensteps("export", "run", "card.md", "--json").out)["path"] == "card.md"


@pytest.mark.usefixtures("run")
def test_what_is_refused(sevensteps: Command) -> None:
    result = sevensteps("export", "run", "a.pkl")
    assert result.code == 2
    assert (
        "there is no export of kind '.pkl'; give a file that ends in .onnx, .md, .csv" in result.err
    )


@pytest.mark.usefixtures("run")
@pytest.mark.skipif(importlib.util.find_spec("onnxscript") is not None, reason="it is installed")
def test_what_is_missing_is_named(sevensteps: Command) -> None:
    result = sevensteps("export", "run", "a.onnx")
    assert result.code == 2
    assert 'pip install "sevensteps[onnx]"' in result.err
