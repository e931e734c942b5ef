"""The questions of a run's readers: asked only where they apply, answered with right numbers,
proven by commands that run.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from scipy import stats

import sevensteps as ss
from sevensteps.explain.run_numbers import RunNumbers
from sevensteps.explain.why.answer import MAX_QUESTIONS, Why, _another_seed
from sevensteps.explain.why.simple_answer import share_interval
from sevensteps.record.run_folder import nan_to_null
from tests.explain.why.questions import asked, parsed, trained

CASES: dict[str, tuple[str, dict[str, Any]]] = {
    "mlp": ("digits", {"predict": "mlp(12)"}),
    "linear": ("digits37", {"predict": "linear()"}),
    "cnn": ("digits", {"predict": "cnn(4)"}),
    "regression": ("diabetes", {}),
    "curve": ("speed", {"predict": "polynomial(2)", "step": "sgd(lr=1e-5)"}),
    "nothing": ("digits37", {"predict": "pixel_similarity()", "stop": None}),
    "zeros": ("iris", {"initialize": "zeros()", "predict": "mlp(4)"}),
    "chosen lr": ("digits", {"step": "auto(lr=0.02)"}),
    "diverged": ("digits", {"predict": "mlp(8)", "step": "sgd(lr=1e9)"}),
}


@pytest.mark.parametrize("kept", [False, True])
@pytest.mark.parametrize("case", CASES)
@pytest.mark.sampled(4)
def test_every_run_gets_a_few_questions_whose_commands_can_be_read(
    case: str, kept: bool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    data, steps = CASES[case]
    run = trained(data, **steps, **({"out": "a run"} if kept else {}))
    found: Why = run.explain.why()
    assert 2 <= len(found.questions) <= MAX_QUESTIONS
    assert [question.rank for question in found.questions] == sorted(
        (question.rank for question in found.questions), reverse=True
    )
    assert len({question.topic for question in found.questions}) == len(found.questions)
    for question in found.questions:
        assert question.question.endswith(("?", ")"))
        assert question.answer.endswith(".")
        assert any(letter.isdigit() for letter in question.answer) or question.topic == "seed"
        if question.command.startswith("sevensteps "):
            parsed(question.command)
        else:
            assert not kept
            assert question.command.startswith(("run.explain.", "ss."))
    lines = str(found).splitlines()
    assert max(map(len, lines)) <= 80
    json.dumps(nan_to_null(found.to_dict()), allow_nan=False)


# -- the numbers -----------------------------------------------------------------------------------


def test_another_seed_where_nothing_is_drawn() -> None:
    run = trained("iris", predict="linear()", initialize="zeros()", repeat="full_batch()")
    assert (
        run.metrics
        == trained(
            "iris", predict="linear()", initialize="zeros()", repeat="full_batch()", seed=7
        ).metrics
    )
    (found,) = _another_seed(RunNumbers(run.explain.subject))
    assert found.answer.startswith("Yes, bit-identical")


def test_the_best_epoch() -> None:
    run = trained("circles", predict="mlp(20)", stop="epochs(8)", seed=1)
    found = asked(run)["best"]
    assert (found.numbers["best"], found.numbers["last"]) == (run.best.epoch, 8)


def test_a_finding_is_asked_about_with_its_remedy(tmp_path: Path) -> None:
    run = trained("iris", initialize="zeros()", predict="mlp(4)", out=tmp_path / "run", watch=1.0)
    finding = run.findings[0]
    found = run.explain.why().questions[0]
    assert finding.condition in found.answer
    change = next(iter(finding.remedies[0].change.values()))
    assert change in found.answer
    assert found.command == f"sevensteps diagnose {tmp_path / 'run'} --try"


def test_damaged_findings_are_one_line(tmp_path: Path) -> None:
    run = trained("iris", initialize="zeros()", predict="mlp(4)", out=tmp_path / "run")
    file = tmp_path / "run" / "run.json"
    held = json.loads(file.read_text())
    del held["findings"][0]["explanation"]
    file.write_text(json.dumps(held))
    with pytest.raises(ss.Error, match="are damaged: KeyError"):
        ss.load(run.folder).explain.why()


@pytest.mark.parametrize(("right", "count"), [(322, 359), (7, 7), (0, 5), (1, 2)])
def test_what_a_share_of_few_samples_leaves_open(right: int, count: int) -> None:
    oracle = stats.binomtest(right, count).proportion_ci(0.95, method="wilson")
    assert share_interval(right / count, count) == pytest.approx(
        (oracle.low, oracle.high), abs=1e-4
    )
