"""The face: what `train()` gives back, what a run answers to raw inputs, and that it reads back the
same.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

import sevensteps as ss
from sevensteps.api.run import Run
from sevensteps.errors import DataError, ShapeError
from tests.api.conftest import RECIPES


def test_what_a_run_is(iris: Run) -> None:
    assert (
        iris.metrics["valid"]
        == iris.history[-1]["valid"]
        == iris.last.metrics["valid"]
        == iris.summary["metrics"]["valid"]
    )
    assert set(iris.metrics["valid"]) == {"loss", "accuracy", "by_class"}
    assert iris.last.epoch == 4 == len(iris.history)
    assert iris.last.network is iris.network
    assert iris.best.network is not iris.network
    assert iris.findings == []
    assert not iris.network.training
    assert repr(iris.recipe.predict) == "mlp(8)"
    assert iris.recipe.reasons["predict"].startswith("as asked; the targets are 3 classes")
    assert (
        repr(iris)
        == f"<Run of iris: accuracy {iris.metrics['valid']['accuracy']:.4f} after 4 epochs, "
        f"folder={str(iris.folder)!r}>"
    )


def test_the_best_and_the_last_are_what_their_metrics_say() -> None:
    data = ss.data.load("moons")
    run = ss.train(
        data, predict="mlp(8)", step="sgd(lr=30.0)", stop="epochs(30)", out=False, seed=3
    )
    assert run.best.epoch < run.last.epoch == 30
    assert run.best.metrics["valid"]["accuracy"] > run.last.metrics["valid"]["accuracy"]
    for snapshot in (run.best, run.last):
        for part in ("train", "valid"):
            part_data = getattr(data, part)
            accuracy = ((snapshot.network(part_data.x) > 0) == part_data.y).double().mean().item()
            assert snapshot.metrics[part]["accuracy"] == pytest.approx(accuracy, abs=1e-12)
    assert run.best.metrics["valid"] == run.history[run.best.epoch - 1]["valid"]
    assert (
        max(row["valid"]["accuracy"] for row in run.history)
        == run.best.metrics["valid"]["accuracy"]
    )


# -- answers to raw inputs -------------------------------------------------------------------------


def test_flowers_are_answered_by_name(iris: Run) -> None:
    from sklearn.datasets import load_iris

    dataset = load_iris()
    data = ss.data.load("iris")
    answers = iris.predict(dataset.data)
    assert set(answers.answers) <= set(map(str, dataset.target_names))
    assert answers.outputs.shape == answers.predictions.shape == (150, 3)
    torch.testing.assert_close(answers.predictions.sum(1), torch.ones(150))
    x = ((torch.from_numpy(dataset.data) - data.scaling.offset) / data.scaling.scale).float()
    torch.testing.assert_close(answers.outputs, iris.network(x).detach(), rtol=0, atol=1e-6)
    assert answers.answers == [str(dataset.target_names[i]) for i in iris.network(x).argmax(1)]
    assert iris.predict(dataset.data[:2].tolist()).answers == answers.answers[:2], (
        "lists do as well as arrays"
    )
    assert iris.predict(torch.from_numpy(dataset.data[:2])).answers == answers.answers[:2]


def test_the_best_network_answers_too() -> None:
    run = ss.train(
        "moons", predict="mlp(8)", step="sgd(lr=30.0)", stop="epochs(30)", out=False, seed=3
    )
    raw = [[0.0, 0.0], [1.0, 0.5], [2.0, -0.5]]
    last, best = run.predict(raw), run.predict(raw, "best")
    torch.testing.assert_close(best.outputs, run.best.network(torch.tensor(raw)).detach())
    assert not torch.equal(last.outputs, best.outputs)


def test_a_regression_answers_in_the_units_of_its_targets() -> None:
    from sklearn.datasets import load_diabetes

    dataset = load_diabetes(scaled=False)
    run = ss.train(
        "diabetes",
        predict="linear()",
        step="sgd(lr=0.05)",
        stop="epochs(60)",
        repeat="full_batch()",
        out=False,
    )
    answers = run.predict(dataset.data).answers
    error = np.array(answers) - dataset.target
    assert all(isinstance(answer, float) for answer in answers)
    # least squares has 0.52
    assert 1 - (error**2).sum() / ((dataset.target - dataset.target.mean()) ** 2).sum() > 0.45
    assert run.metrics["valid"]["r2"] > 0.35


def test_several_values_and_several_labels() -> None:
    x = np.linspace(-1, 1, 40)[:, None]
    run = ss.train(
        ss.data.from_arrays(x, np.hstack([x + 5.5, 100 * x]), target_scale="standardize"),
        predict="linear()",
        step="sgd(lr=0.1)",
        stop="epochs(200)",
        repeat="full_batch()",
        out=False,
    )
    [(first, second)] = run.predict([[0.5]]).answers
    assert (first, second) == (pytest.approx(6.0, abs=0.01), pytest.approx(50.0, abs=0.5))
    labels = ss.data.from_arrays(
        x, np.hstack([x > -0.5, x > 0.5]).astype(int), classes=("some", "much")
    )
    run = ss.train(
        labels,
        predict="linear()",
        step="sgd(lr=5.0)",
        stop="epochs(200)",
        repeat="full_batch()",
        out=False,
    )
    assert run.predict([[-0.9], [0.0], [0.9]]).answers == [(), ("some",), ("some", "much")]


def test_two_classes_answer_by_name() -> None:
    from sklearn.datasets import load_digits

    dataset = load_digits()
    rows = np.isin(dataset.target, (3, 7))
    run = ss.train("digits37", predict="linear()", stop="epochs(10)", out=False)
    answers = run.predict(dataset.images[rows][:, None]).answers
    assert np.mean([int(answer) for answer in answers] == dataset.target[rows]) > 0.95


@pytest.mark.parametrize(
    ("raw", "shape"),
    [
        (np.zeros((2, 3)), [2, 3]),
        (np.zeros(4), [4]),
        (np.zeros((2, 4, 1)), [2, 4, 1]),
    ],
)
def test_inputs_of_another_shape_are_refused(raw: Any, shape: list[int], iris: Run) -> None:
    with pytest.raises(ShapeError) as caught:
        iris.predict(raw)
    assert str(caught.value) == (
        f"inputs of shape {shape} do not fit a network trained on ['N', 4]; "
        "give one row per sample, each of shape [4]"
    )


@pytest.mark.parametrize(
    ("raw", "message"),
    [
        (
            [["a", "b", "c", "d"]],
            "inputs must be numbers, one row per sample: can't convert np.ndarray of type "
            "numpy.str_.",
        ),
        (
            [[1, 2, 3, 4], [1, 2]],
            "inputs must be numbers, one row per sample: setting an array element with a sequence.",
        ),
        (
            [[1, 2, 3, 4], [1, 2, 3, float("nan")]],
            "the inputs hold a number that is not finite, the first in row 1; fill it in or leave "
            "the row out",
        ),
        (
            [[1, 2, 3, float("inf")]],
            "the inputs hold a number that is not finite, the first in row 0; fill it in or leave "
            "the row out",
        ),
    ],
)
def test_inputs_that_are_no_numbers_are_refused(raw: Any, message: str, iris: Run) -> None:
    with pytest.raises(DataError) as caught:
        iris.predict(raw)
    assert str(caught.value).startswith(message)


def test_no_input_has_no_answer(iris: Run) -> None:
    assert iris.predict(np.zeros((0, 4))).answers == []


# -- reading back ----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("source", "options"), [RECIPES[0], RECIPES[1], RECIPES[4]], ids=["iris", "cnn", "float64"]
)
@pytest.mark.sampled(1)
def test_its_own_recipe_repeats_it_to_the_same_bits(source: str, options: dict[str, Any]) -> None:
    ss.train(source, **options, seed=7, out="one")
    again = ss.train(ss.Recipe.from_toml(Path("one/recipe.toml")), out="two")
    for file in ("weights.safetensors", "best.safetensors"):
        assert Path("one", file).read_bytes() == Path("two", file).read_bytes()
    assert again.summary["metrics"] == json.loads(Path("one/run.json").read_text())["metrics"]
    other = ss.train(ss.Recipe.from_toml(Path("one/recipe.toml")), seed=8, out="three")
    assert (
        Path("one/weights.safetensors").read_bytes()
        != Path("three/weights.safetensors").read_bytes()
    )
    assert other.recipe.seed == 8
