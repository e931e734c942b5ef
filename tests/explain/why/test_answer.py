"""The questions of a run's readers: asked only where they apply, answered with right numbers,
proven by commands that run.
"""

from __future__ import annotations

import itertools
import json
import shlex
from pathlib import Path
from typing import Any

import click
import numpy as np
import pytest
import torch
from torch import nn
from torch.utils.data import DataLoader, TensorDataset

import sevensteps as ss
from sevensteps.cli import cli, main
from sevensteps.doctor.conditions import condition_names
from sevensteps.explain.run_numbers import RunNumbers
from sevensteps.explain.why.answer import MAX_QUESTIONS, QUESTIONS, TOPICS, Why, _another_seed
from sevensteps.explain.why.published import CONDITIONS, FIGURES, POINTS
from sevensteps.explain.why.question import Question
from sevensteps.record.run_folder import nan_to_null

SHORT: dict[str, Any] = {"stop": "epochs(3)", "threads": 1, "out": False, "progress": False}


def trained(data: Any = "digits", **steps: Any) -> ss.Run:
    return ss.train(data, **{**SHORT, **steps})


def asked(run: ss.Run) -> dict[str, Question]:
    return {question.topic: question for question in run.explain.why().questions}


def steps_of(words: list[str]) -> dict[str, str]:
    """The steps that a command line gives."""
    pairs = (
        (option.removeprefix("--"), text)
        for option, text in itertools.pairwise(words)
        if option.startswith("--")
    )
    return {step: text for step, text in pairs if step in ss.steps.STEPS}


def parsed(command: str) -> click.Context:
    """The command line read by click, down to the question of `explain`; every value of a step by
    its own reader.
    """
    words = shlex.split(command)
    assert words[0] == "sevensteps"
    for step, text in steps_of(words).items():
        ss.steps.parse(step, text)
    context = cli.make_context("sevensteps", words[1:])
    while isinstance(context.command, click.Group):
        _, found, rest = context.command.resolve_command(
            context, [*context._protected_args, *context.args]
        )
        assert found is not None
        context = found.make_context(str(found.name), rest, parent=context)
    return context


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


# -- the numbers -----------------------------------------------------------------------------------


@pytest.mark.filterwarnings("ignore:self.within_class_std_dev_")  # of pixels that are always 0
def test_simple_answers_are_those_of_sklearn() -> None:
    from sklearn.linear_model import LinearRegression
    from sklearn.metrics import r2_score
    from sklearn.neighbors import NearestCentroid

    for name, model in (("digits", NearestCentroid()), ("diabetes", LinearRegression())):
        data = ss.data.load(name)
        x, new = (part.x.double().flatten(1).numpy() for part in (data.train, data.valid))
        fitted = model.fit(x, data.train.y.numpy().ravel())
        said = fitted.predict(new)
        expected = (
            r2_score(data.valid.y.numpy().ravel(), said)
            if name == "diabetes"
            else (said == data.valid.y.numpy()).mean()
        )
        found = asked(trained(name))["good"]
        assert found.numbers["simple"] == pytest.approx(expected, abs=1e-9)
        assert f"{found.numbers['simple']:.4g}" in found.answer


def test_the_speed_example_can_converge(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    run = trained("speed", predict="polynomial(2)", step="sgd(lr=1e-5)", stop="epochs(10)")
    found = asked(run)["converge"]
    assert run.explain.why().questions[0] is not None
    assert run.explain.why().questions[0].topic == "converge"
    data = ss.data.load("speed")
    t, y = data.train.x[:, 0].double().numpy(), data.train.y[:, 0].double().numpy()
    columns = np.stack([t**2, t, np.ones_like(t)], 1)
    curvatures = np.linalg.eigvalsh(2 * columns.T @ columns / len(t))
    assert found.numbers["curvatures"] == pytest.approx(list(curvatures), rel=1e-6)
    assert found.numbers["condition"] == pytest.approx(218_451, rel=1e-4)  # FIGURES
    assert found.numbers["standardised"] == pytest.approx(7.4, abs=0.05)
    left = np.linalg.lstsq(columns, y, rcond=None)[1][0] / len(t)
    assert found.numbers["best"] == pytest.approx(left, rel=1e-6)
    words = shlex.split(found.command)
    given = steps_of(words)
    cured = ss.train(words[2], **given, out=False, progress=False, precision="float64")
    again = ss.data.load(words[2])
    columns = np.stack([again.train.x[:, 0].double().numpy() ** power for power in (2, 1, 0)], 1)
    least = np.linalg.lstsq(columns, again.train.y[:, 0].double().numpy(), rcond=None)[1][0] / len(
        columns
    )
    assert cured.metrics["train"]["loss"] == pytest.approx(
        least, rel=0.02
    )  # the command does what the answer says


def test_zeros_before_a_hidden_layer_and_in_a_single_one() -> None:
    hidden = asked(trained("iris", initialize="zeros()", predict="mlp(4)"))["zeros"]
    assert hidden.rank >= 80
    assert (
        "diagnose" in hidden.command
        or "try_remedies" in hidden.command
        or "--initialize" in hidden.command
    )
    single = asked(trained("iris", initialize="zeros()", predict="linear()"))["zeros"]
    assert single.question == "Is it a fault to start from zeros?"
    assert "zeros" not in asked(trained("iris", predict="mlp(4)"))


def test_outputs_below_zero_are_counted() -> None:
    run = trained("digits37", predict="linear()")
    data, found = ss.data.load("digits37"), asked(run)["logit"]
    outputs = run.network(data.valid.x)[:, 0].detach()
    no = data.valid.y[:, 0] == 0
    assert (found.numbers["of"], found.numbers["below"]) == (
        int(no.sum()),
        int((outputs[no] < 0).sum()),
    )
    assert "where the answer is 7" in found.question
    for other in ("digits", "diabetes"):
        assert "logit" not in asked(trained(other))


def test_dead_inputs_are_asked_about_where_there_are_some() -> None:
    found = asked(trained(predict="mlp(12)"))["dead inputs"]
    dead = int((ss.data.load("digits").train.x == 0).all(0).sum())
    assert found.numbers == {"dead": dead, "inputs": 64, "weights": 12 * dead}
    assert "dead inputs" not in asked(trained("iris"))


def test_another_seed_where_nothing_is_drawn() -> None:
    run = trained("iris", predict="linear()", initialize="zeros()", repeat="full_batch()")
    assert (
        run.metrics
        == trained(
            "iris", predict="linear()", initialize="zeros()", repeat="full_batch()", seed=7
        ).metrics
    )
    (found,) = _another_seed(RunNumbers(run.explain.subject))
    assert found.answer.startswith("Yes, to the bit")


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


def test_words_and_topics_are_of_conditions_that_there_are() -> None:
    assert set(QUESTIONS) | set(TOPICS) | set(CONDITIONS) <= set(condition_names())
    assert set(CONDITIONS.values()) <= set(POINTS)
    assert len(POINTS) == 12
    for entry in FIGURES:
        for step, text in {
            **entry.recipe,
            **({"predict": entry.predict} if entry.predict else {}),
        }.items():
            assert repr(ss.steps.parse(step, text)) == text
        assert entry.low is None or entry.high is None or entry.low <= entry.high


# -- beside the book -------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def mnist37(mnist_dir: Path) -> ss.data.Data:
    return ss.data.load("mnist37", mnist_dir)


def test_beside_the_printed_figure(mnist37: ss.data.Data) -> None:
    run = trained(
        mnist37,
        predict="mlp(30)",
        step="sgd(lr=0.1)",
        repeat="batches(256, shuffle=False)",
        stop="epochs(2)",
        loss="mnist_loss()",
        initialize="pytorch_default()",
    )
    found = asked(run)
    printed = found["printed"]
    score = run.metrics["valid"]["accuracy"]
    assert printed.numbers == {
        "accuracy": score,
        "printed": 0.982826,
        "low": 0.9819,
        "high": 0.9834,
    }
    assert f"{score:.6f}, below the 0.9819 to 0.9834" in printed.answer
    assert "another stop (epochs(2))" in printed.answer
    assert "yours does not either" in printed.answer
    assert "--seeds 10" in printed.command
    assert '--stop "epochs(40)"' in printed.command
    parsed(printed.command)
    assert "shuffle" in found
    assert '--predict "mlp(1)"' in found["widths"].command
    right = (run.network(mnist37.valid.x) > 0).double().detach() == mnist37.valid.y
    means = [float(part.double().mean()) for part in right.split(256)]
    assert [len(part) for part in right.split(256)] == [256] * 7 + [246]
    assert found["batch means"].numbers["batch_mean"] == pytest.approx(sum(means) / 8)
    assert found["batch means"].numbers["share"] == pytest.approx(score)


def test_within_or_above_the_range(mnist37: ss.data.Data) -> None:
    similar = asked(trained(mnist37, predict="pixel_similarity()", stop=None))["printed"]
    assert similar.numbers["mean"] == pytest.approx(0.9511, abs=5e-5)
    linear = asked(
        trained(
            mnist37,
            predict="linear()",
            step="sgd(lr=1.0)",
            repeat="batches(256)",
            loss="mnist_loss()",
            initialize="pytorch_default()",
            stop="epochs(20)",
        )
    )["printed"]
    assert "above the 0.9780 to 0.9790" in linear.answer
    assert "Shuffled, ten seeds come to 0.9819 to 0.9829" in linear.answer
    assert "another repeat (batches(256))" in linear.answer


def test_damaged_findings_are_one_line(tmp_path: Path) -> None:
    run = trained("iris", initialize="zeros()", predict="mlp(4)", out=tmp_path / "run")
    file = tmp_path / "run" / "run.json"
    held = json.loads(file.read_text())
    del held["findings"][0]["explanation"]
    file.write_text(json.dumps(held))
    with pytest.raises(ss.Error, match="are damaged: KeyError"):
        ss.load(run.folder).explain.why()
