"""A longer training is proposed in the unit of the recipe."""

from __future__ import annotations

import pytest

import sevensteps as ss


@pytest.mark.parametrize(
    ("stop", "longer"),
    [
        ("epochs(2)", "epochs(20)"),
        ("epochs(2) | patience(5)", "epochs(20)"),
        ("max_steps(40)", "max_steps(400)"),
    ],
)
def test_in_epochs_where_the_recipe_names_epochs(stop: str, longer: str) -> None:
    run = ss.train("digits", predict="mlp(30)", step="sgd(lr=0.03)", stop=stop, out=False)
    (finding,) = (f for f in run.findings if f.condition == "stopped_early")
    assert finding.remedies[0].change == {"stop": longer}
