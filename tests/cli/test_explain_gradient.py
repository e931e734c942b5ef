"""`sevensteps explain RUN gradient`: by layer, for one parameter, as a formula."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

import sevensteps as ss

Command = Callable[..., Any]


@pytest.fixture
def digits(sevensteps: Command) -> ss.Run:
    """A run on digits in the folder `digits`."""
    return ss.train("digits", predict="mlp(10)", stop="epochs(6)", out="digits", progress=False)


def test_by_layer(sevensteps: Command, digits: ss.Run) -> None:
    result = sevensteps("explain", "digits", "gradient", "3")
    assert (result.code, result.err) == (0, "")
    assert result.out.rstrip() == digits.explain.gradient(3).text().rstrip()
    assert max(map(len, result.lines)) <= 80
    answer = json.loads(
        sevensteps("explain", "digits", "gradient", "--batch", "0,1,2", "--json").out
    )
    assert answer["samples"] == [0, 1, 2]
    assert [layer["name"] for layer in answer["layers"]] == [
        "output",
        "activation1",
        "layer1",
        "flatten",
    ]


def test_one_parameter(sevensteps: Command, digits: ss.Run) -> None:
    result = sevensteps(
        "explain",
        "digits",
        "gradient",
        "3",
        "--parameter",
        "layer1.weight",
        "4,20",
        "--plot",
        "g.png",
    )
    assert (result.code, result.err) == (0, "")
    assert Path("g.png").stat().st_size > 5000
    assert result.lines[0].startswith("Gradient of layer1.weight[4,20], a weight of ")
    assert max(map(len, result.lines)) <= 80
    wanted = digits.explain.gradient(3, "layer1.weight", (4, 20))
    answer = json.loads(
        sevensteps(
            "explain", "digits", "gradient", "3", "--parameter", "layer1.weight", "4,20", "--json"
        ).out
    )
    for key in ("chain_rule", "autograd", "finite_difference"):
        assert answer[key] == getattr(wanted, key)
    result = sevensteps(
        "explain",
        "digits",
        "gradient",
        "--batch",
        "all",
        "--parameter",
        "output.bias",
        "largest",
        "--json",
    )
    largest = json.loads(result.out)
    assert largest["index"] == list(digits.explain.gradient("all", "output.bias").index)


def test_the_formula(sevensteps: Command, digits: ss.Run) -> None:
    arguments = ("explain", "digits", "gradient", "3", "--parameter", "output.weight", "1,2")
    wanted = digits.explain.gradient(3, "output.weight", (1, 2))
    assert sevensteps(*arguments, "--latex").out.rstrip() == wanted.latex()
    assert sevensteps(*arguments, "--html").out.rstrip() == wanted.html()


@pytest.mark.usefixtures("digits")
@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ([], "give the number of a sample, or several: --batch 0,1,2"),
        (["3", "--batch", "1,2"], "give the number of a sample"),
        (["3", "--latex"], "a formula is that of one number; name it"),
        (["--batch", "1;2"], "--batch: '1;2' is not a list of whole numbers such as 4,300"),
        (
            ["3", "--parameter", "layer1.weight", "x"],
            "--parameter: 'x' is not a list of whole numbers such as 4,300",
        ),
        (
            ["3", "--parameter", "layer2.weight", "0,0"],
            "there is no trained parameter 'layer2.weight'; the network has layer1.weight",
        ),
        (
            ["3", "--parameter", "layer1.weight", "0,64"],
            "layer1.weight has shape [10, 64]; it has no number at [0, 64], counted from 0",
        ),
        (["900"], "there is no sample 900 in valid"),
    ],
)
@pytest.mark.sampled(3)
def test_bad_input(sevensteps: Command, arguments: list[str], message: str) -> None:
    result = sevensteps("explain", "digits", "gradient", *arguments)
    assert (result.code, result.out) == (2, "")
    assert message in result.err
    assert len(result.err.strip().splitlines()) == 1
