"""The command of a question repeats the run and proves the answer."""

from __future__ import annotations

import json
import shlex
from pathlib import Path

import numpy as np
import pytest
import torch
from torch import nn
from torch.utils.data import DataLoader, TensorDataset

import sevensteps as ss
from sevensteps.cli import main
from tests.explain.why.questions import SHORT, asked, steps_of, trained


def test_of_a_single_hidden_unit_it_is_asked_whether_it_is_enough() -> None:
    run = ss.train("digits", predict="mlp(1)", stop="epochs(1)", threads=1, out=False, watch=0)
    questions = {question.topic: question for question in run.explain.why().questions}
    assert questions["widths"].question == "Is 1 hidden unit enough?"
    assert '--predict "mlp(1)" --predict "mlp(30)"' in " ".join(
        questions["widths"].command.replace("\\\n", "").split()
    )


def test_the_commands_as_they_are_printed_are_those_of_the_answer(tmp_path: Path) -> None:
    found = trained(predict="mlp(12)", out=tmp_path / "run").explain.why()
    lines = str(found).splitlines()
    printed = (
        "\n".join(line.strip() for line in lines if line.startswith(("  $ ", "      ")))
        .replace("\\\n", "")
        .split("\n")
    )
    assert [shlex.split(line.removeprefix("$ ")) for line in printed] == [
        shlex.split(question.command) for question in found.questions
    ]


@pytest.mark.long
def test_commands_run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """One of each verb: a race, a longer training, an explanation."""
    monkeypatch.chdir(tmp_path)
    run = trained("iris", predict="mlp(4)", out=tmp_path / "run")
    questions = asked(run)
    for topic in ("widths", "best", "seed"):
        with pytest.raises(SystemExit) as left:
            main(shlex.split(questions[topic].command)[1:])
        assert left.value.code == 0
    (race,) = [
        path for path in (tmp_path / "runs").glob("*/race.json") if "mlp(1)" in path.read_text()
    ]
    labels = [row["label"] for row in json.loads(race.read_text())["table"]]
    assert len(labels) == 2


def test_python_commands_run() -> None:
    x = np.random.default_rng(0).normal(size=(60, 3)).astype(np.float32)
    data = DataLoader(
        TensorDataset(torch.tensor(x), torch.tensor((x[:, 0] > 0).astype(np.int64))), batch_size=20
    )
    run = trained(data, predict="mlp(4)")
    found = asked(run)
    assert (
        found["good"].command
        == "ss.race(ss.grid(run.recipe, predict=['mlp(4)', 'linear()'], seeds=5), out=False)"
    )
    race = ss.race(ss.grid(run.recipe, predict=["mlp(4)", "linear()"], seeds=2), out=False)
    assert len(race.table) == 2
    assert found["best"].command == "ss.train(run.recipe, stop='epochs(6) | patience(10)')"


@pytest.mark.draws
def test_a_network_of_ones_own_is_named_where_it_is() -> None:
    run = trained(predict=nn.Sequential(nn.Flatten(), nn.Linear(64, 10)))
    assert (
        asked(run)["good"].command
        == "ss.race(ss.grid(run.recipe, predict=[run.recipe.predict, 'linear()'], seeds=5), "
        "out=False)"
    )


@pytest.mark.long
def test_a_command_repeats_the_run_to_the_bit() -> None:
    for steps in (
        {"predict": "mlp(12)", "seed": 3},
        {"predict": "mlp(5)", "step": "auto(lr=0.02)"},
    ):
        run = trained(**steps)
        words = shlex.split(asked(run)["seed"].command)
        given = steps_of(words)
        seed = int(words[words.index("--seed") + 1]) if "--seed" in words else 0
        again = ss.train(words[2], **{**SHORT, **given}, seed=seed)
        assert again.metrics == run.metrics


def test_a_longer_training_waits_longer_than_the_one_that_its_patience_ended() -> None:
    run = trained("diabetes", predict="mlp(8)", stop="epochs(60) | patience(20)", seed=0)
    assert "patience(40)" in asked(run)["best"].command


def test_the_best_epoch_is_not_called_better_by_digits_that_are_not_shown() -> None:
    run = trained("iris", predict="mlp(4)", step="sgd(lr=1e-9)", stop="epochs(3)")
    answer = asked(run)["best"].answer
    assert answer.startswith("It makes no difference")
    assert not answer.startswith(("Yes", "No:"))


def test_a_remedy_of_the_data_is_in_words_as_it_is_no_step() -> None:
    run = ss.train("speed", seed=0, threads=1, out=False)
    assert run.findings[0].condition == "inputs_unscaled"
    text = " ".join(str(run.explain.why()).split())
    assert "The remedy: standardised data; all weights" in text
    assert "standardize()" not in text
