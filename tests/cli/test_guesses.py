"""Options that people try first: what they are read as, and what is refused."""

from __future__ import annotations

from typing import Any

import click
import pytest

from sevensteps.cli.guesses import OPTIONS, understand
from sevensteps.steps import STEPS

NOTHING: dict[str, Any] = dict.fromkeys(STEPS)


@pytest.mark.parametrize(
    ("typed", "guesses", "step", "value"),
    [
        ({}, {"guess_lr": ["0.1"]}, "step", "sgd(lr=0.1)"),
        ({}, {"guess_lr": ["0.01"], "guess_optimizer": ["Adam"]}, "step", "adam(lr=0.01)"),
        ({"step": "adam"}, {"guess_lr": ["0.01"]}, "step", "adam(lr=0.01)"),
        (
            {"step": "sgd(momentum=0.9)"},
            {"guess_lr": ["1"]},
            "step",
            "sgd(momentum=0.9, lr=1)",
        ),
        ({}, {"guess_epochs": ["5"], "guess_patience": ["2"]}, "stop", "epochs(5) | patience(2)"),
        ({"stop": "seconds(60)"}, {"guess_epochs": ["5"]}, "stop", "seconds(60) | epochs(5)"),
        ({}, {"guess_batch_size": ["64"]}, "repeat", "batches(64)"),
        ({}, {"guess_hidden": ["64,32"]}, "predict", "mlp(64, 32)"),
        ({}, {"guess_layers": ["2"]}, "predict", "mlp(30, 30)"),
        ({}, {"guess_layers": ["2"], "guess_hidden": ["64"]}, "predict", "mlp(64, 64)"),
        ({}, {"guess_layers": ["64,32"]}, "predict", "mlp(64, 32)"),
        (
            {},
            {"guess_hidden": ["30"], "guess_activation": ["tanh"]},
            "predict",
            'mlp(30, activation="tanh")',
        ),
        ({}, {"guess_loss": ["mse"]}, "loss", "mean_squared_error()"),
        ({"loss": "mse"}, {}, "loss", "mean_squared_error()"),
    ],
)
def test_a_guess_is_read_as_a_value_and_said(
    typed: dict[str, str],
    guesses: dict[str, list[str]],
    step: str,
    value: str,
    capsys: pytest.CaptureFixture[str],
) -> None:
    values = understand({**NOTHING, **typed}, guesses, many=False)
    assert values == {**NOTHING, step: value}
    [line] = capsys.readouterr().err.splitlines()
    assert f" is read as --{step} " in line


def test_several_values_are_for_a_race() -> None:
    many = dict.fromkeys(STEPS, ())
    values = understand(many, {"guess_lr": ["0.1", "1"]}, many=True)
    assert values["step"] == ("sgd(lr=0.1)", "sgd(lr=1)")
    with pytest.raises(click.UsageError, match="sevensteps race"):
        understand(NOTHING, {"guess_lr": ["0.1", "1"]}, many=False)


def test_two_values_of_one_argument_are_refused() -> None:
    with pytest.raises(click.UsageError, match=r"^sgd\(lr=0.1\) has a value of lr already"):
        understand({**NOTHING, "step": "sgd(lr=0.1)"}, {"guess_lr": ["1"]}, many=False)


def test_what_is_written_right_is_not_mentioned(capsys: pytest.CaptureFixture[str]) -> None:
    values = {**NOTHING, "step": "sgd(lr=0.1)", "stop": "epochs(2)|patience(3)"}
    assert understand(values, dict.fromkeys(OPTIONS, ()), many=False)["step"] == "sgd(lr=0.1)"
    assert "--step" not in capsys.readouterr().err
