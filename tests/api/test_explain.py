"""The same answer for a run, its folder, its name and the last run; or a refusal."""

from __future__ import annotations

from pathlib import Path

import pytest

import sevensteps as ss
from sevensteps.api.explain import explain
from sevensteps.api.run import Run
from sevensteps.errors import RunError


def test_a_run_and_its_folder_answer_the_same(iris: Run) -> None:
    assert iris.folder is not None
    answers = {str(explain(run).sample(3)) for run in (iris, iris.folder, str(iris.folder))}
    assert len(answers) == 1


def test_a_name_and_the_last_run_are_found_under_runs(here: Path) -> None:
    run = ss.train("xor", predict="mlp(2)", stop="epochs(1)", out=here / "runs" / "mine")
    assert (
        str(explain("mine").shapes()) == str(explain("last").shapes()) == str(explain(run).shapes())
    )


def test_a_run_that_is_not_there_or_has_no_weights(iris: Run, here: Path) -> None:
    with pytest.raises(RunError, match="missing"):
        explain("missing")
    run = ss.train("xor", predict="mlp(2)", stop="epochs(1)", out=here / "run")
    assert run.folder is not None
    (run.folder / "weights.safetensors").unlink()
    with pytest.raises(RunError, match=r"weights\.safetensors"):
        explain(run.folder)
