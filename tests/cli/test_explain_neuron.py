"""`sevensteps explain RUN neuron` and `surface`: a screen, JSON, a picture, and one line for what
there is not.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import pytest

Call = Callable[..., Any]


@pytest.fixture
def trained(sevensteps: Call) -> Call:
    assert (
        sevensteps(
            "train", "iris", "--predict", "mlp(5)", "--stop", "epochs(2)", "--out", "run", "--json"
        ).code
        == 0
    )
    return sevensteps


def test_a_screen(trained: Call) -> None:
    result = trained("explain", "run", "neuron", "layer1", "2")
    assert result.code == 0, result.err
    assert result.lines[0].startswith("Unit 2 of the 5 units of layer1: Linear, 4 weights")
    assert max(map(len, result.lines)) <= 80
    surface = trained("explain", "run", "surface")
    assert surface.code == 0, surface.err
    assert surface.lines[0].startswith("At the last weights, over all 120 training samples")
    assert max(map(len, surface.lines)) <= 80


def test_json(trained: Call) -> None:
    answer = json.loads(trained("explain", "run", "neuron", "layer1", "2", "--json").out)
    assert (answer["layer"], answer["unit"], answer["units"], len(answer["weights"])) == (
        "layer1",
        2,
        5,
        4,
    )
    assert answer["life"]["source"] == "watched"
    answer = json.loads(trained("explain", "run", "surface", "--json").out)
    assert answer["parameters"] == len(answer["eigenvalues"]) == 43
    assert answer["stable"] == pytest.approx(2 / answer["eigenvalues"][0])


def test_again(trained: Call) -> None:
    answer = json.loads(trained("explain", "run", "neuron", "layer1", "2", "--again", "--json").out)
    assert answer["life"]["source"] == "trained again"
    assert answer["life"]["same"]


@pytest.mark.parametrize("question", [["neuron", "layer1", "0"], ["surface"], ["shapes"]])
@pytest.mark.sampled(1)
def test_a_picture(question: list[str], trained: Call, tmp_path: Any) -> None:
    pytest.importorskip("matplotlib")
    result = trained("explain", "run", *question, "--plot", "it.png")
    assert result.code == 0, result.err
    assert (tmp_path / "it.png").read_bytes().startswith(b"\x89PNG")


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (
            ["neuron", "layer7", "0"],
            "there is no layer 'layer7' with units; there are layer1 (units 0 to 4), "
            "output (units 0 to 2)",
        ),
        (["neuron", "layer1", "5"], "layer1 has no unit 5; its 5 units are counted from 0 to 4"),
        (["neuron", "layer1", "first"], "not a valid integer"),
        (["surface", "--plot", "it.gif"], "a plot is written as .png or .svg"),
        (
            ["surface", "--plot", "nowhere/it.png"],
            "nowhere/it.png cannot be written: there is no folder nowhere",
        ),
    ],
)
@pytest.mark.sampled(1)
def test_what_there_is_not(words: list[str], message: str, trained: Call) -> None:
    completed = trained("explain", "run", *words)
    assert completed.code == 2
    assert message in completed.err
    assert completed.err.count("\n") == 1
