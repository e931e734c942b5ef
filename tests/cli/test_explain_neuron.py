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
    said = trained("explain", "run", "neuron", "layer1", "2")
    assert said.code == 0, said.err
    assert said.lines[0].startswith("Unit 2 of the 5 of layer1: Linear, 4 weights")
    assert max(map(len, said.lines)) <= 80
    surface = trained("explain", "run", "surface")
    assert surface.code == 0, surface.err
    assert surface.lines[0].startswith("The loss at the last weights is")
    assert max(map(len, surface.lines)) <= 80


def test_json(trained: Call) -> None:
    held = json.loads(trained("explain", "run", "neuron", "layer1", "2", "--json").out)
    assert (held["layer"], held["unit"], held["units"], len(held["weights"])) == ("layer1", 2, 5, 4)
    assert held["life"]["source"] == "watched"
    held = json.loads(trained("explain", "run", "surface", "--json").out)
    assert held["parameters"] == len(held["eigenvalues"]) == 43
    assert held["stable"] == pytest.approx(2 / held["eigenvalues"][0])


def test_again(trained: Call) -> None:
    held = json.loads(trained("explain", "run", "neuron", "layer1", "2", "--again", "--json").out)
    assert held["life"]["source"] == "trained again"
    assert held["life"]["same"]


@pytest.mark.parametrize("question", [["neuron", "layer1", "0"], ["surface"], ["shapes"]])
def test_a_picture(question: list[str], trained: Call, tmp_path: Any) -> None:
    pytest.importorskip("matplotlib")
    said = trained("explain", "run", *question, "--plot", "it.png")
    assert said.code == 0, said.err
    assert (tmp_path / "it.png").read_bytes().startswith(b"\x89PNG")


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (
            ["neuron", "layer7", "0"],
            "there is no layer 'layer7' with units; there are layer1 (0 to 4), output (0 to 2)",
        ),
        (["neuron", "layer1", "5"], "layer1 has no unit 5; its 5 are counted from 0 to 4"),
        (["neuron", "layer1", "first"], "not a valid integer"),
        (["surface", "--plot", "it.gif"], "a plot is written as .png or .svg"),
        (
            ["surface", "--plot", "nowhere/it.png"],
            "nowhere/it.png cannot be written: No such file or directory",
        ),
    ],
)
def test_what_there_is_not(words: list[str], said: str, trained: Call) -> None:
    found = trained("explain", "run", *words)
    assert found.code == 2
    assert said in found.err
    assert found.err.count("\n") == 1
