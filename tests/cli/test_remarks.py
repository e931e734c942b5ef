"""What is said of a training that has no fault, and yet could be better."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch

import sevensteps as ss
from sevensteps.cli.next_commands import next_commands
from sevensteps.cli.remarks import clearly_better, later_is_worse, memorised, simpler_is_better


def test_training_samples_that_were_memorised_are_named() -> None:
    draw = torch.Generator().manual_seed(0)
    x, y = torch.randn(60, 200, generator=draw), torch.arange(60) % 2
    data = ss.data.from_arrays(x, y)
    run = ss.train(data, predict="mlp(30)", stop="epochs(60)", out=False, progress=False)
    assert memorised(run).startswith("It memorised its training samples: accuracy 1.0000 on them, ")
    well = ss.train("iris", predict="mlp(8)", stop="epochs(20)", out=False, progress=False)
    assert memorised(well) == ""


def noisy_line() -> ss.data.Data:
    """Few samples of a line in many inputs, with noise that a network learns by heart."""
    draw = torch.Generator().manual_seed(0)
    x = torch.randn(150, 20, generator=draw)
    y = x.sum(1, keepdim=True) + 4 * torch.randn(150, 1, generator=draw)
    return ss.data.from_arrays(x, y)


def test_a_line_that_does_better_is_named_and_comes_first() -> None:
    run = ss.train(noisy_line(), predict="mlp(100)", out=False, progress=False)
    assert run.findings == []
    text = simpler_is_better(run)
    assert text.startswith("A straight line by least squares does better on the validation")
    assert f"where this network has {run.metrics['valid']['r2']:.4f}" in text
    line = ss.train(noisy_line(), predict="linear()", step="adam(lr=0.03)", out=False)
    assert simpler_is_better(line) == ""


def test_the_simple_network_is_the_first_thing_to_try(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    run = ss.train("xor", predict="mlp(8)", stop="epochs(1)", watch=0)
    assert next_commands(run, simpler_is_better=True)[0].endswith('--predict "linear()"')
    assert next_commands(run)[-1].endswith('--predict "linear()"')
    neuron = ss.train("xor", predict="neuron()", stop="epochs(1)", watch=0)
    assert next_commands(neuron)[-1].endswith('--predict "mlp(30)"')


def test_an_earlier_epoch_that_was_clearly_better_is_named() -> None:
    run = ss.train(
        noisy_line(),
        predict="mlp(100)",
        step="adam(lr=0.02)",
        stop="epochs(150)",
        out=False,
        watch=0,
    )
    assert later_is_worse(run).startswith(f"It did better in epoch {run.best.epoch}: validation r2")
    short = ss.train(noisy_line(), predict="linear()", stop="epochs(3)", out=False, watch=0)
    assert later_is_worse(short) == ""


def test_what_few_samples_leave_open_is_not_better() -> None:
    assert not clearly_better("accuracy", 0.95, 0.90, 40)
    assert clearly_better("accuracy", 0.95, 0.90, 4000)
    assert not clearly_better("r2", 0.54, 0.50, 4000)
    assert clearly_better("r2", 0.56, 0.50, 40)
