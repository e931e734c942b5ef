"""The glossary: every word has a definition, its example is made of this run's numbers, and those
are right.
"""

from __future__ import annotations

import json
import math
from typing import Any

import pytest
import torch
from torch import nn

import sevensteps as ss
from sevensteps.explain.words.answer import find_word, words_of_arguments
from sevensteps.explain.words.examples import EXAMPLES
from sevensteps.explain.words.glossary import GLOSSARY
from sevensteps.record.run_folder import nan_to_null

SHORT: dict[str, Any] = {
    "predict": "mlp(12)",
    "step": "sgd(lr=0.1)",
    "stop": "epochs(2)",
    "threads": 1,
    "out": False,
    "progress": False,
}


def trained(data: Any = "digits", **steps: Any) -> ss.Run:
    return ss.train(data, **{**SHORT, **steps})


@pytest.fixture(scope="module")
def run() -> ss.Run:
    return trained()


def numbers(run: ss.Run, word: str) -> dict[str, Any]:
    (entry,) = run.explain.words(word).entries
    assert entry.example is not None, entry.lacking
    return entry.numbers


def test_the_glossary_has_the_words_of_the_field() -> None:
    names = [word.name for word in GLOSSARY]
    asked = (
        "activation, parameter, scalar, vector, matrix, rank, axis, layer, linear, nonlinear, "
        "relu, mini-batch, forward pass, "
        "backward pass, loss, metric, gradient, gradient descent, sgd, learning rate, epoch, "
        "bias, broadcasting, chain rule, "
        "vanishing gradient, exploding gradient, dead unit, dead input, saturation, symmetry, "
        "logit, sigmoid, softmax, "
        "cross-entropy, overfitting, perceptron"
    )
    assert [find_word(word).name for word in asked.split(", ")] == names
    assert set(EXAMPLES) == set(names)
    spelled = [text for word in GLOSSARY for text in (word.name.lower(), *word.also)]
    assert len(spelled) == len(set(spelled))
    for word in GLOSSARY:
        assert word.definition.endswith(".")
        assert word.definition.count(". ") == 0  # one sentence
        assert len(word.short) <= 58


def test_the_list_is_a_screen(run: ss.Run) -> None:
    found = run.explain.words()
    lines = str(found).splitlines()
    assert max(map(len, lines)) <= 80
    assert len(lines) <= 40
    assert all(any(line.startswith(word.name) for line in lines) for word in GLOSSARY)
    assert len(found.entries) == len(GLOSSARY)
    json.dumps(nan_to_null(found.to_dict()), allow_nan=False)


CASES: dict[str, tuple[str, dict[str, Any]]] = {
    "mlp": ("digits", {}),
    "linear": ("digits37", {"predict": "linear()"}),
    "cnn": ("digits", {"predict": "cnn(4)"}),
    "sigmoid": ("circles", {"predict": "mlp(4, activation='sigmoid')"}),
    "regression": ("diabetes", {}),
    "neuron": ("circles", {"predict": "neuron(bias='w0')"}),
    "full batch": ("iris", {"repeat": "full_batch()"}),
    "nothing to train": ("digits37", {"predict": "pixel_similarity()", "stop": None, "step": None}),
    "hinge": ("digits37", {"loss": "hinge()"}),
    "log": ("digits", {"loss": "negative_log_likelihood()"}),
    "one hot": ("digits", {"loss": "mean_squared_error()"}),
    "float64": ("iris", {"precision": "float64"}),
    "curve": ("speed", {"predict": "polynomial(2)", "step": "sgd(lr=1e-5)"}),
}


@pytest.mark.parametrize("case", CASES)
def test_every_word_of_every_kind_of_run_has_an_example_or_says_why_not(case: str) -> None:
    data, steps = CASES[case]
    found = trained(data, **steps).explain.words(*[word.name for word in GLOSSARY])
    assert max(map(len, str(found).splitlines())) <= 80
    for entry in found.entries:
        assert (entry.example is None) == bool(entry.lacking)
        assert entry.example is None or any(letter.isdigit() for letter in entry.example), entry
    with_example = sum(entry.example is not None for entry in found.entries)
    assert with_example >= (12 if case == "nothing to train" else 20)
    json.dumps(nan_to_null(found.to_dict()), allow_nan=False)


def test_the_learning_rate_moved_a_weight(run: ss.Run) -> None:
    found, step = numbers(run, "learning rate"), run.explain.steps(0)
    assert found == {
        "lr": 0.1,
        "weight": step.weight.name,
        "old": step.weight.old,
        "new": step.weight.new,
    }
    assert found["new"] == pytest.approx(found["old"] - 0.1 * step.weight.gradient, rel=1e-5)


def test_a_linear_unit_is_its_sum_and_bias(run: ss.Run) -> None:
    data, found = ss.data.load("digits"), numbers(run, "linear")
    layer, x = run.network.layer1, data.valid.x[0].flatten().double()
    assert found["sum"] == pytest.approx(float(layer.weight[0].detach().double() @ x), rel=1e-9)
    assert found["result"] == pytest.approx(found["sum"] + float(layer.bias[0].detach()), rel=1e-9)


def test_relu_counts_what_is_off(run: ss.Run) -> None:
    before = run.network.layer1(ss.data.load("digits").valid.x[:1].flatten(1))[0]
    found = numbers(run, "relu")
    assert (found["off"], found["units"], found["output"]) == (int((before <= 0).sum()), 12, 0)
    assert found["input"] == pytest.approx(float(before.min().detach()), rel=1e-5)


def test_the_chain_rule_gives_the_gradient_of_autograd(run: ss.Run) -> None:
    data, found = ss.data.load("digits"), numbers(run, "chain rule")
    loss = nn.functional.cross_entropy(
        run.network.double()(data.valid.x[:1].double()), data.valid.y[:1]
    )
    (gradient,) = torch.autograd.grad(loss, [run.network.output.weight])
    run.network.float()
    unit, at = found["index"]
    assert found["gradient"] == pytest.approx(float(gradient[unit, at]), rel=1e-6)
    assert found["gradient"] == pytest.approx(found["outer"] * found["inner"])


@pytest.mark.parametrize(
    ("data", "steps"),
    [("digits", {}), ("digits37", {}), ("digits", {"loss": "negative_log_likelihood()"})],
)
def test_probabilities_and_the_loss_of_a_sample(data: str, steps: dict[str, Any]) -> None:
    run = trained(data, **steps)
    held = ss.data.load(data)
    output = run.network(held.valid.x[:1])[0].detach()
    binary = data == "digits37"
    right = int(held.valid.y[0])
    chances = (
        torch.stack([1 - output[0].sigmoid(), output[0].sigmoid()])
        if binary
        else output.softmax(-1)
    )
    found = numbers(run, "cross-entropy")
    assert found["probability"] == pytest.approx(float(chances[right]), rel=1e-4)
    assert found["loss"] == pytest.approx(-math.log(float(chances[right])), rel=1e-3)
    if binary:
        assert numbers(run, "logit")["logit"] == pytest.approx(float(output[0]), rel=1e-5)
        assert numbers(run, "sigmoid")["output"] == pytest.approx(
            float(output[0].sigmoid()), rel=1e-5
        )
    else:
        assert numbers(run, "softmax")["probabilities"] == pytest.approx(chances.tolist(), abs=1e-5)


def test_dead_inputs_and_dead_units_are_counted() -> None:
    run = trained(predict="mlp(9)")
    with torch.no_grad():
        run.network.layer1.bias[:2] = -1e6
    x = ss.data.load("digits").train.x
    hidden = run.network.layer1(x.flatten(1))
    assert numbers(run, "dead unit") == {
        "dead": int((hidden <= 0).all(0).sum()),
        "units": 9,
        "layer": "activation1",
    }
    assert numbers(run, "dead unit")["dead"] >= 2
    assert numbers(run, "dead input") == {"dead": int((x == 0).all(0).sum()), "inputs": 64}


def test_units_that_start_the_same_stay_the_same() -> None:
    found = numbers(trained(initialize="zeros()"), "symmetry")
    assert (found["units"], found["different"], found["apart"]) == (12, 1, 0)
    assert numbers(trained(), "symmetry")["different"] == 12


def test_saturation_counts_flat_slopes() -> None:
    run = trained("circles", predict="mlp(8, activation='tanh')")
    with torch.no_grad():
        run.network.layer1.weight[:4] *= 1e6
    assert numbers(run, "saturation")["share"] == 0.5


def test_a_perceptron_has_its_bias_as_w0() -> None:
    rows = torch.tensor([[0.0, 0], [0, 1], [1, 0], [1, 1]])
    data = ss.data.from_arrays(rows.repeat(5, 1).numpy(), [0, 0, 0, 1] * 5)
    for bias in ("b", "w0"):
        run = trained(data, predict=f"neuron('step', bias={bias!r})", step=None)
        weights = torch.cat([p.detach().flatten() for p in run.network.parameters()]).double()
        w0, rest = (weights[0], weights[1:]) if bias == "w0" else (weights[-1], weights[:-1])
        x = run.explain.subject.data.valid.x[0].double()
        found = numbers(run, "perceptron")
        assert found["w0"] == pytest.approx(float(w0))
        assert found["sum"] == pytest.approx(float(w0 + rest @ x), abs=1e-6)
        assert found["output"] == float(found["sum"] > 0)


@pytest.mark.draws
def test_a_network_that_works_in_place_is_not_misread() -> None:
    network = nn.Sequential(
        nn.Flatten(), nn.Linear(64, 20), nn.ReLU(inplace=True), nn.Linear(20, 10)
    )
    found = numbers(trained(predict=network), "relu")
    assert found["input"] < 0 == found["output"]


@pytest.mark.parametrize(
    ("text", "name"),
    [
        ("Learning Rate", "learning rate"),
        ("lr", "learning rate"),
        ("sgd", "SGD"),
        ("minibatch", "mini-batch"),
        ("mini batch", "mini-batch"),
        ("cross entropy", "cross-entropy"),
        ("gradients", "gradient"),
    ],
)
def test_spellings(text: str, name: str) -> None:
    assert find_word(text).name == name


def test_an_unknown_word_names_the_nearest(run: ss.Run) -> None:
    with pytest.raises(ss.Error, match="no word 'gradeint'; did you mean 'gradient'"):
        run.explain.words("gradeint")


def test_words_of_a_command_line() -> None:
    assert words_of_arguments(("learning", "rate")) == ("learning rate",)
    assert words_of_arguments(("loss", "metric")) == ("loss", "metric")
    assert words_of_arguments(()) == ()


def test_there_is_no_picture(run: ss.Run) -> None:
    with pytest.raises(ss.Error, match="there is no picture of it"):
        run.explain.words("loss").plot()
