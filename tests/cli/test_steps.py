"""`sevensteps steps`: what each of the seven offers, as people and as programs read it."""

from __future__ import annotations

import itertools
import json
import re
from collections.abc import Callable
from typing import Any

import pytest

from sevensteps.steps import QUESTIONS, STEPS, catalog

Command = Callable[..., Any]


def test_all_seven_with_their_questions(sevensteps: Command) -> None:
    result = sevensteps("steps")
    assert result.code == 0
    assert [line[:2] + line.split()[1] for line in result.lines if line[:1].isdigit()] == [
        f"{n} {step}" for n, step in enumerate(STEPS, 1)
    ]
    text = " ".join(result.out.split())
    for step in STEPS:
        assert QUESTIONS[step] in text
        assert ", ".join(entry.name for entry in catalog(step)) in text
    assert max(map(len, result.lines)) <= 80


@pytest.mark.parametrize("step", STEPS)
def test_what_a_step_offers(step: str, sevensteps: Command) -> None:
    result = sevensteps("steps", step)
    assert result.code == 0
    assert result.lines[0] == f"Step {STEPS.index(step) + 1}, {step}: {QUESTIONS[step]}"
    shown = [line.split()[0] for line in result.lines[1:-1] if line and not line.startswith(" ")]
    assert [name for name in shown if name in {e.name for e in catalog(step)}] == [
        entry.name for entry in catalog(step)
    ]
    text = " ".join(result.out.split())
    assert all(entry.summary in text for entry in catalog(step))
    assert max(map(len, result.lines)) <= 80


@pytest.mark.parametrize(
    ("step", "name"), [(step, entry.name) for step in STEPS for entry in catalog(step)]
)
def test_one_value(step: str, name: str, sevensteps: Command) -> None:
    result = sevensteps("steps", step, name)
    entry = next(entry for entry in catalog(step) if entry.name == name)
    assert result.code == 0
    assert " ".join(result.out.split()).startswith(f"{name}({' '.join(entry.arguments.split())})")
    assert " ".join(entry.doc.split()) in " ".join(result.out.split())
    assert max(map(len, result.lines)) <= 80
    for line, below in itertools.pairwise(result.lines[1:]):  # no line ends before it has to
        if line and below and not re.match(r"\w+: ", below):
            assert len(f"{line.rstrip()} {below.split()[0]}") > 80


def test_json(sevensteps: Command) -> None:
    everything = json.loads(sevensteps("steps", "--json").out)
    assert list(everything) == list(STEPS)
    assert everything["loss"]["question"] == QUESTIONS["loss"]
    assert everything["stop"]["values"] == [
        "auto",
        "epochs",
        "max_steps",
        "seconds",
        "patience",
        "accuracy",
        "loss_below",
    ]
    values = json.loads(sevensteps("steps", "step", "--json").out)
    assert [value["name"] for value in values] == [entry.name for entry in catalog("step")]
    one = json.loads(sevensteps("steps", "step", "sgd", "--json").out)
    assert one == values[1]
    assert one["arguments"] == "*, lr=0.1, momentum=0.0, nesterov=False, weight_decay=0.0"
    assert " ".join(one["doc"].split()).startswith(one["summary"])


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("data",), "'data' is no step; to list the data sets: sevensteps data"),
        (("optimizer",), "'optimizer' is no step; the optimizers are in: sevensteps steps step"),
        (("gradeint",), "there is no step 'gradeint'; did you mean 'gradient'?"),
        (("loss", "cros_entropy"), "loss has no 'cros_entropy'; did you mean 'cross_entropy'?"),
        (
            ("step", "relu"),
            "step has no 'relu'; known: adagrad, adam, adamw, auto, constant, cosine, "
            "exponential, linear_warmup, one_cycle, "
            "rmsprop, sgd, step_decay",
        ),
    ],
)
def test_what_is_not_offered(arguments: tuple[str, ...], message: str, sevensteps: Command) -> None:
    result = sevensteps("steps", *arguments)
    assert (result.code, result.out, result.err) == (2, "", f"sevensteps: {message}\n")
