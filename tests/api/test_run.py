"""The face: what `train()` gives back, what a run answers to raw inputs, and that it reads back the
same.
"""

from __future__ import annotations

import json
import random
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch import nn

import sevensteps as ss
from sevensteps.api.run import Run
from sevensteps.errors import ArgumentError, DataError, Error, RunError, ShapeError

QUICK: dict[str, Any] = {"predict": "mlp(8)", "step": "sgd(lr=0.3)", "stop": "epochs(4)"}


@pytest.fixture(autouse=True)
def elsewhere(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Default run folders are made below the current one."""
    monkeypatch.chdir(tmp_path)


@pytest.fixture(scope="module")
def iris(tmp_path_factory: pytest.TempPathFactory) -> Run:
    return ss.train("iris", **QUICK, out=tmp_path_factory.mktemp("kept") / "iris")


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
    assert run.folder.name.endswith("-speed-noise-1.0")
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


# -- what may be handed to train() -----------------------------------------------------------------


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


def test_what_is_refused_while_parameters_are_set_leaves_no_folder(tmp_path: Path) -> None:
    with pytest.raises(ArgumentError) as caught:
        ss.train("digits", predict="mlp(3)", initialize="pixel_frequency()", out="mine")
    assert str(caught.value) == (
        "pixel_frequency sets one weight per class and pixel, so it needs a network of one layer; "
        "use predict=linear(), or initialize=kaiming_normal()"
    )
    assert list(tmp_path.iterdir()) == []


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
    assert (
        1 - (error**2).sum() / ((dataset.target - dataset.target.mean()) ** 2).sum() > 0.45
    )  # least squares has 0.52
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

RECIPES: list[tuple[str, dict[str, Any]]] = [
    ("iris", QUICK),
    ("digits", {"predict": "cnn(4, batch_norm=True, dropout=0.2)", "stop": "max_steps(9)"}),
    ("digits37", {"predict": "pixel_similarity('l2')"}),
    ("digits37", {"predict": "neuron('step', bias='w0')", "stop": "epochs(3)"}),
    ("diabetes", {**QUICK, "precision": "float64"}),
    (
        "xor",
        {
            "predict": "mlp(4)",
            "loss": "negative_log_likelihood()",
            "stop": "epochs(3) | patience(1)",
        },
    ),
    ("speed(noise=1.0)", {"predict": "polynomial(2)", "step": "sgd(lr=1e9)", "stop": "epochs(9)"}),
]


@pytest.mark.parametrize(
    ("source", "options"),
    RECIPES,
    ids=[f"{source} {options['predict']}" for source, options in RECIPES],
)
def test_a_run_reads_back_the_same(source: str, options: dict[str, Any]) -> None:
    run = ss.train(source, **options, out="kept")
    again = ss.load("kept")
    assert again.recipe == run.recipe
    assert again.summary == json.loads(Path("kept/run.json").read_text())
    assert len(again.history) == len(run.history)
    assert [row["step"] for row in again.history] == [row["step"] for row in run.history]
    raw = torch.rand(5, *run.inputs.shape, generator=torch.Generator().manual_seed(0)) * 10
    for which in ("last", "best"):
        mine, theirs = run.predict(raw, which), again.predict(raw, which)  # type: ignore[arg-type]
        torch.testing.assert_close(mine.outputs, theirs.outputs, rtol=0, atol=0, equal_nan=True)
        torch.testing.assert_close(
            mine.predictions, theirs.predictions, rtol=0, atol=0, equal_nan=True
        )
        assert str(mine.answers) == str(theirs.answers)
    for name, tensor in run.network.state_dict().items():
        assert torch.equal(tensor, again.network.state_dict()[name])


@pytest.mark.parametrize(
    ("source", "options"), [RECIPES[0], RECIPES[1], RECIPES[4]], ids=["iris", "cnn", "float64"]
)
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


@pytest.mark.draws
def test_a_network_that_was_an_object_is_needed_again() -> None:
    network = nn.Sequential(nn.Linear(2, 3), nn.Tanh(), nn.Linear(3, 1))
    run = ss.train("xor", predict=network, stop="epochs(1)", out="object")
    assert run.predict([[0.0, 1.0]]).answers[0] in ("no", "yes")
    with pytest.raises(ss.Error) as caught:
        ss.load("object")
    assert str(caught.value) == (
        "object/recipe.toml: predict = 'given(<Sequential>)' was a Python object, which no file "
        "can hold; "
        "give it again in Python, as predict=…"
    )
    raw = torch.tensor([[0.0, 1.0], [1.0, 1.0]])
    assert torch.equal(
        ss.load("object", predict=network).predict(raw).outputs, run.predict(raw).outputs
    )


def test_a_run_trained_with_a_loader_is_read_back() -> None:
    data = ss.data.load("xor")
    run = ss.train(
        data,
        repeat=ss.loader([(data.train.x, data.train.y)]),
        predict="mlp(3)",
        stop="epochs(2)",
        out="loaded",
    )
    raw = torch.tensor([[0.0, 1.0], [1.0, 1.0]])
    assert torch.equal(ss.load("loaded").predict(raw).outputs, run.predict(raw).outputs)


def test_a_network_named_as_code_needs_leave(tmp_path: Path) -> None:
    (tmp_path / "runnet.py").write_text("from torch import nn\ndef net(): return nn.Linear(2, 1)\n")
    run = ss.train("xor", predict='module("runnet:net")', stop="epochs(1)", out="coded")
    with pytest.raises(Error) as caught:
        ss.load("coded")
    assert str(caught.value) == (
        'coded/recipe.toml: predict = module("runnet:net") would run code from this machine; '
        "allow it with "
        "--allow-code (allow_code=True) if you trust the recipe"
    )
    before = torch.random.get_rng_state()
    again = ss.load("coded", allow_code=True)
    assert torch.equal(torch.random.get_rng_state(), before)
    assert torch.equal(again.predict([[0.0, 1.0]]).outputs, run.predict([[0.0, 1.0]]).outputs)


def test_weights_of_another_network_are_refused() -> None:
    ss.train("xor", **QUICK, out="one")
    ss.train("xor", **{**QUICK, "predict": "mlp(9)"}, out="two")
    Path("one/best.safetensors").write_bytes(Path("two/best.safetensors").read_bytes())
    with pytest.raises(
        RunError,
        match=r"^one/best.safetensors does not fit mlp\(8\): size mismatch for output.weight: ",
    ):
        ss.load("one")
