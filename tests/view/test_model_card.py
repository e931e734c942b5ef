"""A model card says what a run is, how good, what is wrong, and how to repeat it."""

from __future__ import annotations

from pathlib import Path

import sevensteps as ss


def test_the_card_of_a_classifier() -> None:
    run = ss.train("iris", predict="mlp(8)", step="adam(lr=0.01)", stop="epochs(30)", out=False)
    card = run.card()
    assert card.startswith("---\nlibrary_name: sevensteps\ntags:\n- sevensteps\n- pytorch\n")
    for text in (
        "# mlp(8) on iris",
        "predicts one of several classes: setosa, versicolor, virginica.",
        "- 120 training and 30 validation samples",
        "| validation, at the end |",
        "- Its weakest class is ",
        "| 5 step | `adam(lr=0.01)` | as asked |",
        'predict = "mlp(8)"',
        "sevensteps train --recipe recipe.toml",
    ):
        assert text in card, text


def test_findings_are_on_the_card() -> None:
    card = ss.train("speed", predict="mlp(20)", stop="epochs(50)", out=False).card()
    assert "- **inputs_unscaled** (" in card
    assert "- 20 validation samples also occur among the training samples" in card


def test_its_recipe_trains_the_same(tmp_path: Path) -> None:
    run = ss.train("moons", predict="linear()", stop="epochs(2)", out=tmp_path / "run")
    card = ss.load(tmp_path / "run").card()
    recipe = card.split("```toml\n")[1].split("```")[0]
    assert ss.train(ss.Recipe.from_toml(recipe), out=False).metrics == run.metrics
