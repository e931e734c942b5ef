"""Whose a run folder is: of this job of torchrun and this training, or of somebody else."""

from __future__ import annotations

from pathlib import Path

import pytest

from sevensteps.record import torchrun
from sevensteps.record.run_folder import create
from sevensteps.training.recipe import Recipe


@pytest.fixture
def recipe(monkeypatch: pytest.MonkeyPatch) -> Recipe:
    monkeypatch.setenv("TORCHELASTIC_RUN_ID", "seven")
    monkeypatch.setenv("TORCHELASTIC_RESTART_COUNT", "0")
    monkeypatch.setattr(torchrun, "_trainings", [0])
    return Recipe("digits")


def test_without_torchrun_nothing_is_marked(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("TORCHELASTIC_RUN_ID", raising=False)
    assert torchrun.current_job(Recipe("digits")) is None
    torchrun.write_mark(tmp_path, None)
    assert list(tmp_path.iterdir()) == []
    assert torchrun.find_begun_folder(tmp_path, None) is None


def test_a_folder_is_found_by_its_job_its_number_and_its_recipe(
    tmp_path: Path, recipe: Recipe, monkeypatch: pytest.MonkeyPatch
) -> None:
    mine = torchrun.current_job(recipe)
    torchrun.write_mark(tmp_path, mine)
    assert torchrun.find_begun_folder(tmp_path, mine) is None, "nothing to go on with yet"
    assert create(tmp_path, "digits") == tmp_path, "so it is begun again"
    (tmp_path / "recipe.toml").write_text(recipe.to_toml())
    assert torchrun.find_begun_folder(tmp_path, mine) == tmp_path
    assert torchrun.find_begun_folder(tmp_path / "other", mine) is None
    assert torchrun.find_begun_folder(tmp_path, torchrun.current_job(recipe)) is None, (
        "the second training of the script"
    )
    monkeypatch.setattr(torchrun, "_trainings", [0])
    assert (
        torchrun.find_begun_folder(tmp_path, torchrun.current_job(Recipe("digits", seed=1))) is None
    )
    monkeypatch.setattr(torchrun, "_trainings", [0])
    monkeypatch.setenv("TORCHELASTIC_RUN_ID", "eight")
    assert torchrun.find_begun_folder(tmp_path, torchrun.current_job(recipe)) is None


def test_one_that_has_finished_counts_only_for_a_group_that_was_started_again(
    tmp_path: Path, recipe: Recipe, monkeypatch: pytest.MonkeyPatch
) -> None:
    mine = torchrun.current_job(recipe)
    torchrun.write_mark(tmp_path, mine)
    (tmp_path / "recipe.toml").write_text(recipe.to_toml())
    (tmp_path / "run.json").write_text("{}")
    assert torchrun.find_begun_folder(tmp_path, mine) is None
    monkeypatch.setenv("TORCHELASTIC_RESTART_COUNT", "1")
    assert torchrun.find_begun_folder(tmp_path, mine) == tmp_path


@pytest.mark.parametrize("text", ["", "{", "[]", "{}"])
def test_a_mark_that_cannot_be_read_is_nobodys(text: str, tmp_path: Path, recipe: Recipe) -> None:
    (tmp_path / ".torchrun").write_text(text)
    (tmp_path / "recipe.toml").write_text(recipe.to_toml())
    assert torchrun.find_begun_folder(tmp_path, torchrun.current_job(recipe)) is None


def test_a_job_without_a_name_is_known_by_who_started_it(
    recipe: Recipe, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TORCHELASTIC_RUN_ID", "none")
    monkeypatch.setattr("os.getppid", lambda: 17)
    first = torchrun.current_job(recipe)
    monkeypatch.setattr(torchrun, "_trainings", [0])
    monkeypatch.setattr("os.getppid", lambda: 18)
    assert first is not None
    assert first["job"].endswith(" 17")
    assert torchrun.current_job(recipe) != first
