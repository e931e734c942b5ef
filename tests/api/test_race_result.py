"""What a race answers, in Python and in its folder."""

from __future__ import annotations

import json
from pathlib import Path

import sevensteps as ss
from tests.api.test_race import recipes
from tests.racing.alone import DATA


def test_a_race_answers_with_table_best_run_and_recipe(tmp_path: Path) -> None:
    race = ss.race(recipes(seeds=3), out=tmp_path / "race")
    assert [row.label for row in race.table] == ["sgd(lr=0.5)", "sgd(lr=0.01)"]
    assert race.metric == "accuracy"
    assert repr(race.recipe.step) == "sgd(lr=0.5)"
    assert race.best.metrics["valid"]["accuracy"] == race.table[0].highest
    assert race.best.folder is not None
    assert race.best.folder.parent == race.folder
    again = ss.load(race.best.folder)
    assert again.metrics["valid"] == race.best.metrics["valid"]
    assert repr(race).startswith("<Race of 6 on three: best sgd(lr=0.5), accuracy ")


def test_the_folder_holds_a_run_for_each_and_the_table(tmp_path: Path) -> None:
    race = ss.race(recipes(seeds=5), out=tmp_path / "race")
    folders = sorted(path.name for path in (tmp_path / "race").iterdir() if path.is_dir())
    assert folders == [f"{number:02d}" for number in range(1, 11)]
    content = json.loads((tmp_path / "race" / "race.json").read_text())
    assert content["metric"] == "accuracy"
    assert [row["label"] for row in content["table"]] == [row.label for row in race.table]
    assert [run["seed"] for run in content["runs"]] == [*range(5), *range(5)]
    assert content["best"] == race.best.folder.name  # type: ignore[union-attr]
    assert content["groups"] == [
        {"members": list(range(1, 11)), "own_order": True, "why_alone": ""}
    ]
    assert (ss.Recipe.from_toml(tmp_path / "race" / "07" / "recipe.toml", data=DATA).seed) == 1
