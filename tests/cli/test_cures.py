"""Every cure that is printed can be pasted: it is parsed, and trains a step with the rest of the
recipe.
"""

from __future__ import annotations

import shlex
from collections.abc import Iterable, Iterator
from pathlib import Path

import pytest

import sevensteps as ss
from sevensteps.cli import main
from sevensteps.cli.next_commands import cure_command, run_argument
from sevensteps.doctor.finding import Finding
from sevensteps.doctor.trials.changes import changed

DEEP = 'mlp(30, 30, 30, 30, 30, activation="sigmoid")'
FAULTY: list[tuple[str, dict[str, str]]] = [
    ("xor", {"predict": 'neuron("step")'}),
    ("xor", {"predict": "linear()"}),
    ("circles", {"predict": 'neuron("step")'}),
    ("moons", {"predict": 'neuron("step")'}),
    ("spirals", {"predict": "mlp(2)", "stop": "epochs(3)"}),
    ("digits", {"initialize": "zeros()", "predict": "mlp(8)"}),
    ("digits", {"initialize": "normal(5)", "predict": 'mlp(30, activation="tanh")'}),
    (
        "digits",
        {"initialize": "normal(0.001)", "predict": "mlp(30, 30, 30)", "step": "sgd(lr=0.1)"},
    ),
    ("digits", {"predict": DEEP, "step": "sgd(lr=0.1)"}),
    ("digits", {"predict": "mlp(30)", "step": "sgd(lr=10)"}),
    ("digits", {"predict": "mlp(30)", "step": "sgd(lr=1e-6)"}),
    ("digits", {"predict": "mlp(30)", "step": "sgd(lr=0.1, momentum=0.999)"}),
    ("digits", {"predict": "mlp(30)", "step": "sgd(lr=0.1, weight_decay=1)"}),
    ("digits", {"predict": "mlp(30)", "gradient": "auto(clip=1e-6)", "step": "sgd(lr=0.1)"}),
    ("digits", {"predict": "mlp(30, 30)", "loss": "mean_squared_error()", "step": "sgd(lr=100)"}),
    ("digits", {"predict": "mlp(30)", "repeat": "batches(1)", "step": "sgd(lr=1)"}),
    ("digits37", {"predict": "linear()", "loss": "mnist_loss()", "step": "sgd(lr=1e-4)"}),
    ("iris", {"repeat": "batches(8, shuffle=False)", "step": "sgd(lr=0.1)"}),
    ('wine(scale="none")', {"step": "sgd(lr=0.1)"}),
    ('diabetes(scale="none", target_scale="none")', {}),
    ("diabetes", {"predict": "mlp(300, 300)", "stop": "epochs(60)"}),
    ("speed", {}),
    ("speed", {"predict": "polynomial(2)", "step": "sgd(lr=1e-5)"}),
    ("speed", {"initialize": "normal(5)", "predict": "mlp(30, 30)", "step": "sgd(lr=0.1)"}),
]


def all_of(findings: Iterable[Finding]) -> Iterator[Finding]:
    for finding in findings:
        yield finding
        yield from all_of(finding.symptoms)


@pytest.mark.parametrize(("data", "steps"), FAULTY, ids=lambda value: str(value)[:60])
@pytest.mark.sampled(4)
def test_every_remedy_fits_the_rest_of_the_recipe(data: str, steps: dict[str, str]) -> None:
    run = ss.train(data, out=False, progress=False, **{"stop": "epochs(12)", **steps})
    remedies = [r for f in all_of(run.findings) for r in f.remedies if r.change]
    assert remedies or not run.findings
    for remedy in remedies:
        cured = changed(run.recipe, remedy.change | {"stop": "max_steps(1)"})
        assert ss.train(cured, out=False, progress=False, watch=0).outcome.steps <= 1


@pytest.mark.parametrize("number", [0, 2, 5, 9, 21])
@pytest.mark.sampled(2)
def test_the_command_that_is_printed_runs(
    number: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    data, steps = FAULTY[number]
    run = ss.train(data, progress=False, **{"stop": "epochs(12)", **steps})
    assert run_argument(run) == "last"
    words = shlex.split(cure_command(run))
    assert words[:2] == ["sevensteps", "train"]
    with pytest.raises(SystemExit) as end:
        main([*words[1:], "--stop", "max_steps(1)", "--json"])
    assert end.value.code == 0
