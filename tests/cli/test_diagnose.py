"""`sevensteps diagnose`, and what `sevensteps train` says of the doctor: the screen, the JSON, the
files and the exit codes.
"""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
import torch.nn.functional as F
from torch import nn

import sevensteps as ss
from sevensteps.doctor import case_folder
from sevensteps.doctor.trials.retrain import RecipeBackend
from sevensteps.training import loop

Command = Callable[..., Any]
ZEROS = ("digits", "--predict", "mlp(8)", "--initialize", "zeros()", "--stop", "epochs(1)")


def strict(text: str) -> Any:
    def refuse(word: str) -> None:
        raise AssertionError(f"{word} is not JSON")

    return json.loads(text, parse_constant=refuse)


@pytest.fixture(scope="module")
def watched_run(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Three folders: `faulty` and `healthy` are runs, `loop` is what watching a plain loop left,
    with a fault.
    """
    place = tmp_path_factory.mktemp("kept")
    ss.train(
        "digits", predict="mlp(8)", initialize="zeros()", stop="epochs(1)", out=place / "faulty"
    )
    ss.train("digits", predict="mlp(8)", stop="epochs(20)", out=place / "healthy")
    with torch.random.fork_rng():
        torch.manual_seed(0)
        network = nn.Sequential(nn.Linear(2, 8), nn.ReLU(), nn.Linear(8, 2))
    for parameter in network.parameters():
        nn.init.constant_(parameter, 0.1)
    optimizer = torch.optim.SGD(network.parameters(), lr=0.1)
    x = torch.randn(60, 2, generator=torch.Generator().manual_seed(0))
    y = (x[:, 0] * x[:, 1] > 0).long()
    with ss.watch(network, optimizer, budget=1.0) as watch:
        for _ in range(20):
            loss = F.cross_entropy(network(x), y)
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
            watch.step(loss, target=y)
    watch.save(place / "loop", train=(x, y), loss_fn=F.cross_entropy)  # type: ignore[attr-defined]
    return place


@pytest.fixture(autouse=True)
def here(watched_run: Path, sevensteps: Command) -> None:
    """Copies of them in the current folder; `faulty` under runs/, where it is the last."""
    for name, place in (("faulty", "runs/faulty"), ("healthy", "healthy"), ("loop", "loop")):
        shutil.copytree(watched_run / name, place)


# -- sevensteps diagnose ---------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("run", "code"), [("runs/faulty", 1), ("faulty", 1), ("last", 1), ("loop", 1), ("healthy", 0)]
)
def test_a_run_by_folder_by_name_or_as_the_last_and_what_check_leaves(
    run: str, code: int, sevensteps: Command
) -> None:
    result = sevensteps("diagnose", run)
    assert (result.code, result.err) == (0, "")
    assert sevensteps("diagnose", run, "--check") == (code, result.out, "")
    assert ("symmetric_units" in result.out) is bool(code)
    assert result.out.startswith(
        "1 finding, most likely cause first. "
        if code
        else "Nothing is wrong that can be seen here. "
    )
    assert max(map(len, result.lines)) <= 80


def test_a_warning_passes_the_check(sevensteps: Command) -> None:
    ss.train("digits", predict="mlp(30)", step="sgd(lr=1e-4)", stop="epochs(4)", out="slow")
    severities = {
        finding["severity"]
        for finding in strict(sevensteps("diagnose", "slow", "--json").out)["findings"]
    }
    assert severities, "nothing was found at all"
    assert sevensteps("diagnose", "slow", "--check").code == int("error" in severities)


def test_the_screen_is_the_diagnosis(sevensteps: Command) -> None:
    result = sevensteps("diagnose", "loop")
    assert result.out == f"{ss.diagnose('loop')}\n"
    assert "step: initialize · error" in result.out
    assert "→ initialise the weights of the hidden layers at random" in result.out


@pytest.mark.parametrize("run", ["last", "loop", "healthy"])
@pytest.mark.sampled(1)
def test_json_is_the_diagnosis_too(run: str, sevensteps: Command) -> None:
    result = sevensteps("diagnose", run, "--json")
    assert len(result.out.splitlines()) == 1
    assert strict(result.out) == strict(json.dumps(ss.diagnose(run).to_dict()))
    assert sevensteps("diagnose", run, "--json", "--check").code == (0 if run == "healthy" else 1)


def test_sarif_is_written_whole(sevensteps: Command) -> None:
    completed = sevensteps("diagnose", "last", "--sarif", "found.sarif", "--check")
    assert completed.code == 1  # the file is there all the same
    sarif = strict(Path("found.sarif").read_text(encoding="utf-8"))
    assert sarif == strict(json.dumps(ss.diagnose("last").to_sarif()))
    assert [result["ruleId"] for result in sarif["runs"][0]["results"]][:1] == ["symmetric_units"]
    assert sevensteps("diagnose", "healthy", "--sarif", "none.sarif").code == 0
    assert strict(Path("none.sarif").read_text())["runs"][0]["results"] == []
    refused = sevensteps("diagnose", "last", "--sarif", "no/such/folder/found.sarif")
    assert refused.code == 2
    assert "no/such/folder/found.sarif cannot be written" in refused.err


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("nowhere",), "there is no run nowhere; "),
        (("faultx",), "there is no run faultx; did you mean 'faulty'?"),
        (("empty",), "empty holds no finished run"),
        ((), "Missing argument 'RUN'."),
        (("last", "--fix"), "there is no option --fix"),
    ],
)
def test_a_missing_run_is_one_line(
    arguments: tuple[str, ...], message: str, sevensteps: Command
) -> None:
    Path("empty").mkdir()
    result = sevensteps("diagnose", *arguments)
    assert (result.code, result.out) == (2, "")
    assert len(result.err.splitlines()) == 1
    assert result.err.startswith(f"sevensteps: {message}")


def test_a_damaged_run_is_one_line(sevensteps: Command) -> None:
    path = Path("runs/faulty/record.sqlite")
    path.write_bytes(path.read_bytes()[:3000])
    result = sevensteps("diagnose", "last", "--json")
    assert (result.code, result.out) == (2, "")
    assert len(result.err.splitlines()) == 1
    assert str(path) in result.err


def test_a_run_without_looks(sevensteps: Command) -> None:
    ss.train("xor", stop="epochs(1)", out="blind", watch=0)
    result = sevensteps("diagnose", "blind")
    assert result.code == 2
    assert "blind was not watched" in result.err


# -- sevensteps train ------------------------------------------------------------------------------


def test_problems_at_the_start_are_printed_before_training(
    sevensteps: Command, monkeypatch: pytest.MonkeyPatch
) -> None:
    def never(*_: Any) -> Any:
        raise ss.Error("no step is taken")

    monkeypatch.setattr(loop, "accumulation_batches", never)
    result = sevensteps("train", *ZEROS, "--out", "kept")
    assert (result.code, result.err) == (2, "sevensteps: no step is taken\n")
    at = result.lines.index("Problems before the first step:")
    assert result.lines[at + 1 : at + 5] == [
        "  symmetric_units  initialize  error  97 % sure",
        "    All 8 units of layer1 are the same: all weights are 0, so no signal passes",
        "    and no weight gets a gradient.",
        "    → initialize = kaiming_normal()",
    ]


def test_findings_are_printed_below_the_result(sevensteps: Command) -> None:
    result = sevensteps("train", *ZEROS, "--out", "a folder")
    assert max(map(len, result.lines)) <= 80
    at = result.lines.index("Saved in a folder")
    assert result.lines[at + 1 : at + 6] == [
        "",
        "Findings, most likely cause first:",
        "  symmetric_units  initialize  error  97 % sure",
        "    All 8 units of layer1 are the same: all weights are 0, so no signal passes",
        "    and no weight gets a gradient.",
    ]
    at = result.lines.index("Try next:")
    assert result.lines[at + 1 : at + 3] == [
        '  sevensteps diagnose "a folder" --try',
        '  sevensteps train --recipe "a folder/recipe.toml" \\',
    ]
    assert [f"  {f.condition}" for f in ss.load("a folder").findings] == [
        line.split("  initialize")[0] for line in result.lines if line.endswith("% sure")
    ][1:]


def test_a_healthy_training_says_no_more_than_a_line(sevensteps: Command) -> None:
    result = sevensteps(
        "train", "digits", "--predict", "mlp(8)", "--stop", "epochs(20)", "--out", "kept"
    )
    assert result.lines.count("No problems found.") == 1
    assert "Problems before" not in result.out
    assert "diagnose" not in result.out


def test_json_of_a_faulty_training_is_lines_of_json(sevensteps: Command) -> None:
    completed = sevensteps("train", *ZEROS, "--json", "--out", "kept")
    row, result = map(strict, completed.out.splitlines())
    assert row["epoch"] == 1
    assert [finding["condition"] for finding in result["findings"]] == ["symmetric_units"]
    assert [finding["condition"] for finding in result["before"]] == ["symmetric_units"]
    assert result["findings"] == strict(sevensteps("diagnose", "kept", "--json").out)["findings"]


# -- sevensteps diagnose --try ---------------------------------------------------------------------


def test_a_remedy_is_proven_shown_and_remembered(sevensteps: Command) -> None:
    recipe = Path("runs/faulty/recipe.toml").read_bytes()
    result = sevensteps("diagnose", "last", "--try", "--budget", "20")
    assert result.code == 0
    assert max(map(len, result.lines)) <= 80
    at = result.lines.index("   → initialize = kaiming_normal()")
    assert result.lines[at + 2].startswith("     proven: validation accuracy 0.1")
    lines = result.err.splitlines()
    assert lines[0] == "symmetric_units, initialize = kaiming_normal(): seed 1 of 3, 2 trainings"
    assert len(lines) == 2
    assert sevensteps("diagnose", "faulty") == (0, result.out, "")  # it is in the folder now
    [finding] = strict(Path("runs/faulty/run.json").read_text(encoding="utf-8"))["findings"]
    [trial] = finding["trials"]
    assert (trial["proven"], trial["seeds"], trial["change"]) == (
        True,
        [0, 1, 2],
        {"initialize": "kaiming_normal()"},
    )
    assert trial["interval"][0] > 0
    assert [trial.proven for trial in ss.load("faulty").findings[0].trials] == [True]
    assert Path("runs/faulty/recipe.toml").read_bytes() == recipe
    assert [path.name for path in Path("runs").iterdir()] == ["faulty"]  # trials leave no runs


def test_what_is_tried_again_stands_there_once(sevensteps: Command) -> None:
    first = sevensteps("diagnose", "last", "--try", "--budget", "20")
    assert sevensteps("diagnose", "last", "--try", "--budget", "20").out == first.out
    # which comes to nothing
    assert sevensteps("diagnose", "last", "--try", "--budget", "1e-9").out == first.out


def test_trials_as_json_are_one_line_on_standard_output(sevensteps: Command) -> None:
    result = sevensteps("diagnose", "last", "--try", "--budget", "20", "--json", "--check")
    assert result.code == 1  # proven, not cured
    assert len(result.out.splitlines()) == 1
    [trial] = strict(result.out)["findings"][0]["trials"]
    assert trial["proven"] is True
    assert {
        "condition",
        "change",
        "measure",
        "least",
        "seeds",
        "untouched",
        "remedied",
        "random",
        "random_changes",
        "problem",
        "note",
        "difference",
        "interval",
        "proven",
    } == set(trial)
    assert (
        strict(result.out)["findings"]
        == strict(Path("runs/faulty/run.json").read_text(encoding="utf-8"))["findings"]
    )


def test_without_a_remedy_there_is_nothing_to_try(sevensteps: Command) -> None:
    result = sevensteps("diagnose", "healthy", "--try")
    assert result.code == 0
    assert result.err == "There is no remedy to try.\n"
    assert result.out == sevensteps("diagnose", "healthy").out


def test_a_run_from_python_is_tried_in_python(sevensteps: Command) -> None:
    x = torch.randn(200, 4, generator=torch.Generator().manual_seed(0))
    ss.train(
        ss.data.from_arrays(x, (x[:, 0] > 0).long()),
        predict="mlp(8)",
        initialize="zeros()",
        stop="epochs(2)",
        out="arrays",
    )
    before = Path("arrays/run.json").read_bytes()
    assert sevensteps("diagnose", "arrays").code == 0
    result = sevensteps("diagnose", "arrays", "--try")
    assert result == (
        2,
        "",
        "sevensteps: the data of this run came from Python, so it cannot be trained again from "
        "its folder; in Python: "
        "ss.diagnose(run).try_remedies()\n",
    )
    assert Path("arrays/run.json").read_bytes() == before


def test_a_loop_that_was_watched_is_tried_by_a_function_of_yours(sevensteps: Command) -> None:
    before = Path("loop/watch.json").read_bytes()
    result = sevensteps("diagnose", "loop", "--try")
    assert result == (
        2,
        "",
        "sevensteps: this training was a loop of yours, which only you can run again: give "
        "try_remedies(retrain), a "
        "function that trains with a change and returns the accuracy\n",
    )
    assert Path("loop/watch.json").read_bytes() == before


@pytest.mark.parametrize(
    ("budget", "message"),
    [
        ("0", "budget must be above 0"),
        ("nan", "budget must be a finite number"),
        ("soon", "Invalid value for '--budget'"),
    ],
)
def test_a_budget_is_seconds(budget: str, message: str, sevensteps: Command) -> None:
    result = sevensteps("diagnose", "last", "--try", "--budget", budget)
    assert (result.code, result.out) == (2, "")
    assert result.err.startswith(f"sevensteps: {message}")
    assert len(result.err.splitlines()) == 1


def test_an_interrupt_keeps_what_was_tried(
    sevensteps: Command, monkeypatch: pytest.MonkeyPatch
) -> None:
    ss.train(
        "digits",
        predict="mlp(8)",
        initialize="zeros()",
        step="sgd(lr=20.0)",
        stop="epochs(1)",
        out="twice",
    )
    real = RecipeBackend.remedies_behind

    def interrupted(self: RecipeBackend, condition: str, change: dict[str, str]) -> Any:
        assert real(self, condition, change)
        raise KeyboardInterrupt

    monkeypatch.setattr(RecipeBackend, "remedies_behind", interrupted)
    result = sevensteps("diagnose", "twice", "--try", "--budget", "20")
    assert result.code == 130
    assert "did not help: validation accuracy" in result.out
    assert sevensteps("diagnose", "twice") == (0, result.out, "")


def test_what_was_tried_is_shown_where_it_cannot_be_written(
    sevensteps: Command, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(path: Path, content: Any) -> None:
        raise ss.Error(f"{path} cannot be written: No space left on device")

    monkeypatch.setattr(case_folder, "write_json", full)
    result = sevensteps("diagnose", "last", "--try", "--budget", "20")
    assert result.code == 2
    assert "     proven: validation accuracy" in result.out
    assert (
        result.err.splitlines()[-1]
        == "sevensteps: runs/faulty/run.json cannot be written: No space left on device"
    )
