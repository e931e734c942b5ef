"""The options of a recipe, parsed by click into the recipe that they describe."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click
import pytest
from click.testing import CliRunner

from sevensteps.cli.options import (
    RecipeOptions,
    json_option,
    recipe_options,
    save_every_option,
)
from sevensteps.cli.table_options import with_table_options
from sevensteps.steps import STEPS
from sevensteps.training.recipe import Recipe


def parsed(*arguments: str, many: bool = False) -> RecipeOptions:
    """What a command with all options of a recipe gets."""
    results: list[RecipeOptions] = []

    @click.command()
    @recipe_options("seed", "threads", example="mine digits", many=many)
    def command(options: RecipeOptions) -> None:
        results.append(options)

    CliRunner().invoke(command, arguments, standalone_mode=False, catch_exceptions=False)
    return results[0]


def test_the_recipe_is_that_of_the_same_keywords() -> None:
    options = parsed("iris", "--predict", "mlp(5)", "--stop", "epochs(2)", "--seed", "3")
    recipe = options.recipe()
    assert recipe == Recipe("iris", predict="mlp(5)", stop="epochs(2)", seed=3)
    assert set(options.values) == {*STEPS, "seed", "threads"}
    assert options.values["threads"] is options.values["loss"] is None


def test_options_override_the_file_and_so_do_the_data(tmp_path: Path) -> None:
    file = tmp_path / "recipe.toml"
    file.write_text(Recipe("iris", predict="mlp(5)", stop="epochs(2)", seed=3).to_toml())
    assert parsed("--recipe", str(file)).recipe() == Recipe(
        "iris", predict="mlp(5)", stop="epochs(2)", seed=3
    )
    changed = parsed("wine", "--recipe", str(file), "--stop", "epochs(1)").recipe()
    assert changed == Recipe("wine", predict="mlp(5)", stop="epochs(1)", seed=3)


def test_steps_can_be_repeated_where_there_are_many() -> None:
    options = parsed("iris", "--predict", "mlp(5)", "--predict", "linear()", many=True)
    assert options.values["predict"] == ("mlp(5)", "linear()")
    assert options.values["loss"] == ()
    assert [start.source for start in options.starts()] == ["iris"]


def test_without_data_an_example_is_named() -> None:
    with pytest.raises(click.UsageError, match=r"name the data to train on, as in: mine digits$"):
        parsed("--predict", "mlp(5)")


def test_a_target_goes_into_the_notation_of_files_only() -> None:
    assert with_table_options("iris", {}) == "iris"
    assert (
        Recipe(with_table_options("a.csv", {"target": "price"})).source
        == 'csv("a.csv", target="price")'
    )
    with pytest.raises(click.UsageError, match="files of your own, but the data are iris"):
        with_table_options("iris", {"target": "price"})


def test_single_options_have_their_names_and_defaults() -> None:
    values: dict[str, Any] = {}

    @click.command()
    @json_option()
    @save_every_option()
    def command(**options: Any) -> None:
        values.update(options)

    runner = CliRunner()
    assert runner.invoke(command, ["--json"]).exit_code == 0
    assert values == {"as_json": True, "save_every": 30.0}
    assert runner.invoke(command, ["--save-every", "often"]).exit_code == 2
