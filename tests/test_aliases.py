"""Other names for values of the steps: each is rewritten to a value that can be read."""

from __future__ import annotations

import pytest

from sevensteps.aliases import ARGUMENTS, NAMES, rewrite
from sevensteps.steps import STEPS, catalog, parse


@pytest.mark.parametrize("step", STEPS)
def test_every_name_means_a_value_that_there_is(step: str) -> None:
    offered = {entry.name for entry in catalog(step)}
    assert {meant.partition("(")[0] for meant in NAMES[step].values()} <= offered
    assert not offered & set(NAMES[step])


@pytest.mark.parametrize("step", STEPS)
def test_what_is_written_right_stays(step: str) -> None:
    for entry in catalog(step):
        assert rewrite(step, f"{entry.name}()") == f"{entry.name}()"
        assert rewrite(step, entry.name) == entry.name


@pytest.mark.parametrize(
    ("step", "text", "value"),
    [
        ("loss", "mse", "mean_squared_error()"),
        ("loss", "nn.MSELoss()", "nn.MSELoss()"),
        ("loss", "MSELoss()", "mean_squared_error()"),
        ("loss", "BCE", "binary_cross_entropy()"),
        ("step", "0.1", "sgd(lr=0.1)"),
        ("step", "1e-3", "sgd(lr=1e-3)"),
        ("step", "lr=0.1", "sgd(lr=0.1)"),
        ("step", "sgd 0.1", "sgd(lr=0.1)"),
        ("step", "sgd(0.1)", "sgd(lr=0.1)"),
        ("step", "sgd(learning_rate=0.1, momentum=0.9)", "sgd(lr=0.1, momentum=0.9)"),
        ("step", "Adam", "adam()"),
        ("step", "sgd(lr=onecycle(0.5))", "sgd(lr=one_cycle(0.5))"),
        ("stop", "5", "epochs(5)"),
        ("stop", "5 epochs", "epochs(5)"),
        ("stop", "epochs=5", "epochs(5)"),
        ("stop", "epochs(40) or patience(5)", "epochs(40) | patience(5)"),
        ("stop", "epochs(40) | 5", "epochs(40) | epochs(5)"),
        ("repeat", "64", "batches(64)"),
        ("repeat", "batches(batch_size=64)", "batches(64)"),
        ("predict", "30", "mlp(30)"),
        ("predict", "64, 32", "mlp(64, 32)"),
        ("predict", "perceptron", 'neuron("step")'),
        ("predict", "mlp(30, act='tanh')", 'mlp(30, activation="tanh")'),
        ("initialize", "random", "normal()"),
        ("initialize", "xavier()", "xavier_normal()"),
    ],
)
def test_what_people_type(step: str, text: str, value: str) -> None:
    assert rewrite(step, text) == value
    if value != text:
        parse(step, value)


@pytest.mark.parametrize("text", ["", "sgd(lr=", "what is this", "a.b(c)", "lambda: 0", "1, 2"])
def test_what_means_nothing_stays(text: str) -> None:
    assert rewrite("step", text) == text


def test_arguments_are_those_of_a_step() -> None:
    assert set(ARGUMENTS) <= set(STEPS)
