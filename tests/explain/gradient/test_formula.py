"""The formula of a gradient as text, LaTeX and Python."""

from __future__ import annotations

import re
from xml.etree import ElementTree

import pytest

from tests.explain.conftest import Runs


@pytest.mark.parametrize("name", ["digits", "digits37", "cnn", "iris", "own", "labels"])
def test_the_formula_in_three_languages(runs: Runs, name: str) -> None:
    run = runs(name)
    parameter = next(key for key, _ in run.network.named_parameters())
    for samples in (3, [1, 2]):
        found = run.explain.gradient(samples, parameter)
        tree = ElementTree.fromstring(found.html())  # well-formed
        assert {"script", "img", "link"}.isdisjoint(element.tag for element in tree.iter())
        assert parameter in "".join(tree.itertext())
        latex = found.latex()
        assert latex.count("{") == latex.count("}")
        assert latex.startswith("\\begin{aligned}")
        assert re.sub(r"[^\d.]", "", f"{found.autograd:.6g}".split("e")[0]) in latex
        if name != "own":
            assert (
                latex.count(r"\partial")
                == found.formula.text().count("∂")
                == 2 * (len(found.formula.links) + 2)
            )


def test_the_formula_of_one_path(runs: Runs) -> None:
    found = runs("digits37").explain.gradient(0, "layer1.weight")
    unit, pixel = found.index
    lines = found.formula.text().splitlines()
    assert lines[:2] == [
        f"∂L/∂layer1.weight[{unit},{pixel}]",
        f"= ∂L/∂output[0] · ∂output[0]/∂activation1[{unit}] · ∂activation1[{unit}]/∂layer1[{unit}]"
        f" · ∂layer1[{unit}]/∂layer1.weight[{unit},{pixel}]",
    ]
    assert found.paths[0].factors[-1].why == f"its input, pixel ({pixel // 8}, {pixel % 8})"
    assert found.paths[0].factors[1].why == f"output.weight[0,{unit}]"
