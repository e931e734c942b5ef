"""What `train` accepts and refuses, the folders it makes, and what it leaves alone."""

from __future__ import annotations

import random
from pathlib import Path

import numpy as np
import pytest
import torch

import sevensteps as ss
from sevensteps.errors import ArgumentError, RunError
from tests.api.conftest import QUICK


def test_without_a_folder_nothing_is_written(tmp_path: Path) -> None:
    run = ss.train("xor", **QUICK, out=False)
    assert run.folder is None
    assert list(tmp_path.iterdir()) == []
    assert (
        repr(run) == f"<Run of xor: accuracy {run.metrics['valid']['accuracy']:.4f} after 4 epochs>"
    )


def test_a_folder_has_a_default_name_or_the_one_in_out(tmp_path: Path) -> None:
    run = ss.train("speed(noise=1.0)", **{**QUICK, "step": "sgd(lr=1e-5)"})
    assert run.folder is not None
    assert run.folder.parent == Path("runs")
    assert run.folder.name.endswith("-speed")
    assert repr(run).startswith("<Run of speed(noise=1.0): r2 ")
    custom = ss.train("xor", **QUICK, out=tmp_path / "a" / "b")
    assert custom.folder == tmp_path / "a" / "b"
    assert ss.load("last").folder == run.folder
    with pytest.raises(RunError) as caught:
        ss.train("xor", **QUICK, out="a/b")
    assert (
        str(caught.value)
        == "a/b is not empty, and a run is never written over another; give another folder "
        "(--out), or remove it first"
    )


def test_two_runs_in_the_same_second_have_folders_of_their_own() -> None:
    runs = [ss.train("xor", **{**QUICK, "stop": "epochs(0)"}) for _ in range(3)]
    assert len({run.folder for run in runs}) == 3


def test_nothing_of_the_world_is_moved() -> None:
    torch.set_num_threads(2)
    random.seed(1)
    np.random.seed(1)
    before = (
        torch.random.get_rng_state(),
        random.getstate(),
        str(np.random.get_state()),
        torch.get_num_threads(),
        torch.get_default_dtype(),
    )
    gradients = torch.is_grad_enabled()
    ss.train(
        "moons",
        predict="mlp(8, dropout=0.5)",
        stop="epochs(2)",
        threads=1,
        precision="float64",
        out=False,
    )
    after = (
        torch.random.get_rng_state(),
        random.getstate(),
        str(np.random.get_state()),
        torch.get_num_threads(),
        torch.get_default_dtype(),
    )
    assert torch.equal(before[0], after[0])
    assert before[1:] == after[1:]
    assert torch.is_grad_enabled() == gradients


def test_a_recipe_its_keywords_and_data_train_the_same() -> None:
    recipe = ss.Recipe("xor", predict=ss.mlp(8), step=ss.sgd(lr=0.3), stop=ss.epochs(4), seed=2)
    one = ss.train(recipe, out=False)
    two = ss.train("xor", **QUICK, seed=2, out=False)
    three = ss.train(ss.data.load("xor"), **QUICK, seed=2, out=False)
    four = ss.train(
        ss.Recipe("xor", **{**QUICK, "stop": "epochs(1)"}), stop=ss.epochs(4), seed=2, out=False
    )
    assert one.metrics == two.metrics == three.metrics == four.metrics
    assert one.recipe == two.recipe == four.recipe
    assert three.recipe.source == "xor"


def test_threads_are_written_into_the_recipe() -> None:
    run = ss.train("xor", **QUICK, threads=1, out=False)
    assert (run.recipe.threads, run.summary["threads"]) == (1, 1)
    run = ss.train("xor", **QUICK, out=False)
    assert run.recipe.threads == run.summary["threads"] >= 1


def test_an_unknown_keyword_is_named() -> None:
    with pytest.raises(ArgumentError) as caught:
        ss.train("digits", stp="epochs(1)")
    assert str(caught.value) == (
        "train: got an unexpected keyword argument 'stp'; the steps are initialize, predict, "
        "loss, gradient, "
        "step, repeat, stop"
    )
    with pytest.raises(
        ArgumentError, match=r"^train: got an unexpected keyword argument 'stp'; the steps are "
    ):
        ss.train(ss.Recipe("digits"), stp="epochs(1)")


@pytest.mark.parametrize(
    ("keywords", "message"),
    [
        ({"lr": 0.1}, "train: there is no 'lr'; write: step=ss.sgd(lr=0.1)"),
        (
            {"epochs": 3, "batch_size": 64},
            "train: there is no 'epochs'; write: stop=ss.epochs(3), repeat=ss.batches(64)",
        ),
        ({"model": "mlp"}, "train: there is no 'model'; write: predict='mlp'"),
    ],
)
def test_a_keyword_of_other_libraries_is_translated(keywords: Any, message: str) -> None:
    with pytest.raises(ArgumentError) as caught:
        ss.train("xor", **keywords)
    assert str(caught.value) == message


def test_what_is_refused_while_parameters_are_set_leaves_no_folder(tmp_path: Path) -> None:
    with pytest.raises(ArgumentError) as caught:
        ss.train("digits", predict="mlp(3)", initialize="pixel_frequency()", out="mine")
    assert str(caught.value) == (
        "pixel_frequency sets one weight per class and pixel, so it needs a network of one layer; "
        "use predict=linear(), or initialize=kaiming_normal()"
    )
    assert list(tmp_path.iterdir()) == []
