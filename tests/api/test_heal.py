"""Healing: what is proven to help is changed and recorded, and nothing else is; a healthy training
is left to the bit as it is.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

import sevensteps as ss
from sevensteps.doctor.diagnosis import Diagnosis
from sevensteps.doctor.trials import retrain
from sevensteps.doctor.trials.retrain import RecipeBackend
from sevensteps.doctor.trials.trial import Trial
from sevensteps.errors import ArgumentError, RunError
from sevensteps.training.threads import threads
from tests.helpers.seeds import five_seeds

ZEROS: dict[str, Any] = {"predict": "mlp(30)", "initialize": "zeros()", "stop": "epochs(6)"}
SLOW: dict[str, Any] = {
    "predict": "mlp(30)",
    "initialize": "zeros()",
    "step": "sgd(lr=0.01)",
    "stop": "epochs(5)",
}


def heal(data: Any, **options: Any) -> tuple[ss.Run, list[str]]:
    """The last run, and what was said."""
    decisions: list[str] = []
    return ss.heal(
        data, **{"out": False, "progress": False, "say": decisions.append, **options}
    ), decisions


def files(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


@pytest.fixture(autouse=True)
def nothing_left_behind() -> Any:
    """PyTorch as it was before: threads, gradients, and (as for every test) the global
    generator.
    """
    with threads(3):
        yield
        assert (torch.get_num_threads(), torch.is_grad_enabled()) == (3, True)


# -- what is healed --------------------------------------------------------------------------------


@five_seeds
def test_zeros_are_healed_and_it_is_recorded(seed: int, tmp_path: Path) -> None:
    out = tmp_path / "kept"
    run, decisions = heal("digits", **ZEROS, seed=seed, out=out)
    assert run.folder == tmp_path / "kept-healed"
    assert files(tmp_path) == ["kept", "kept-healed"]
    assert run.metrics["valid"]["accuracy"] > 0.8
    assert run.findings == []
    [step] = run.healed
    assert (step["condition"], step["change"], step["from"]) == (
        "symmetric_units",
        {"initialize": "kaiming_normal()"},
        str(out),
    )
    trial = Trial.from_dict(step["trial"])
    assert trial.proven
    assert decisions == [f"symmetric_units: {trial}"]
    # the folders say the same, and can be read by themselves
    assert json.loads((run.folder / "run.json").read_text())["healed"] == [step]
    again, first = ss.load(run.folder), ss.load(out)
    assert again.healed == run.healed
    assert again.recipe == run.recipe
    assert first.healed == []
    assert "healed" not in json.loads((out / "run.json").read_text())
    [finding] = first.findings
    assert [trial.to_dict() for trial in finding.trials] == [step["trial"]]
    assert "proven: validation accuracy" in str(ss.diagnose(out))
    assert str(ss.diagnose(run.folder)).startswith("Nothing is wrong")


@pytest.mark.long
def test_the_healed_run_is_that_of_its_recipe(tmp_path: Path) -> None:
    run, _ = heal("digits", **ZEROS, seed=3, out=tmp_path / "kept")
    assert run.recipe.seed == 3
    plain = ss.train(
        "digits",
        **{**ZEROS, "initialize": "kaiming_normal()"},
        seed=3,
        out=tmp_path / "plain",
        progress=False,
    )
    for name in ("weights.safetensors", "best.safetensors"):
        assert (run.folder / name).read_bytes() == (tmp_path / "plain" / name).read_bytes()  # type: ignore[operator]
    assert run.metrics == plain.metrics
    repeated = ss.train(ss.Recipe.from_toml(run.folder / "recipe.toml"), out=False, progress=False)  # type: ignore[operator]
    assert repeated.metrics == plain.metrics


@five_seeds
@pytest.mark.parametrize(
    "data",
    [
        pytest.param("speed", marks=pytest.mark.slow, id="by name"),
        pytest.param(ss.data.load("speed"), id="loaded"),
    ],
)
@pytest.mark.long
def test_raw_numbers_are_scaled_and_answers_come_in_raw_units(
    data: Any, seed: int, tmp_path: Path
) -> None:
    run, _ = heal(data, stop="epochs(120)", seed=seed, out=tmp_path / "kept")
    assert [step["change"]["data"] for step in run.healed] == ["standardize()"]
    assert run.recipe.source == 'speed(scale="standardize", target_scale="standardize")'
    assert run.metrics["valid"]["r2"] > 0.9
    # speed is measured at times from 0 to 20 and lies between 1 and 95: the curve of the book, 0.75
    # (t - 9.5)² + 1
    times = np.array([[2.0], [9.5], [18.0]])
    assert run.predict(times).answers == pytest.approx(
        (0.75 * (times[:, 0] - 9.5) ** 2 + 1).tolist(), abs=8
    )
    assert ss.load(tmp_path / "kept-healed").predict(times).answers == run.predict(times).answers


@five_seeds
@pytest.mark.long
def test_one_fault_behind_another(seed: int) -> None:
    run, decisions = heal(
        "digits",
        predict="mlp(30)",
        initialize="zeros()",
        step="sgd(lr=20.0)",
        stop="epochs(5)",
        seed=seed,
    )
    [together] = run.healed
    assert set(together["change"]) == {"initialize", "step"}
    assert ": did not help" in decisions[0]
    assert any(": proven:" in line for line in decisions)
    assert run.metrics["valid"]["accuracy"] > 0.85


@five_seeds
@pytest.mark.long
def test_one_fault_after_another_within_one_budget(
    seed: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    budgets: list[float] = []
    real = retrain.try_recipe

    def watched(*arguments: Any, **named: Any) -> Any:
        budgets.append(named["budget"])
        return real(*arguments, **named)

    monkeypatch.setattr(retrain, "try_recipe", watched)
    run, decisions = heal("digits", **SLOW, seed=seed, out=tmp_path / "kept", budget=10_000)
    # the budget is for all trials together; the first training does not count
    assert budgets[0] == 10_000
    assert min(budgets) > 0
    assert budgets == sorted(budgets, reverse=True)
    assert budgets[1] < 10_000
    first, *others = run.healed
    assert first["change"] == {"initialize": "kaiming_normal()"}
    assert others
    assert all("initialize" not in step["change"] for step in others)
    folders = [
        "kept",
        "kept-healed",
        *(f"kept-healed-{count}" for count in range(2, len(run.healed) + 1)),
    ]
    assert files(tmp_path) == folders
    assert [step["from"] for step in run.healed] == [str(tmp_path / name) for name in folders[:-1]]
    assert [ss.load(tmp_path / name).healed for name in folders] == [
        run.healed[:count] for count in range(len(folders))
    ]
    accuracies = [ss.load(tmp_path / name).metrics["valid"]["accuracy"] for name in folders]
    assert accuracies == sorted(accuracies)
    assert accuracies[-1] > 0.85
    assert sum(": proven:" in line for line in decisions) >= 2


def test_by_default_the_runs_stand_side_by_side(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    run, _ = heal("digits", **ZEROS, out=None)
    assert len(files(tmp_path / "runs")) == 2
    assert run.folder is not None
    assert run.folder.resolve() == max(
        (tmp_path / "runs").iterdir(), key=lambda folder: (folder / "run.json").stat().st_mtime_ns
    )


# -- what is left as it is -------------------------------------------------------------------------


@five_seeds
def test_a_healthy_training_is_not_touched(
    seed: int, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    def never(*_: Any, **__: Any) -> Any:
        raise AssertionError("a trial of a healthy training")

    monkeypatch.setattr(RecipeBackend, "train", never)
    monkeypatch.setattr(Diagnosis, "try_remedies", never)
    options = {"predict": "mlp(30)", "stop": "epochs(10)", "seed": seed}
    run, decisions = heal("digits", **options, out=tmp_path / "kept")
    plain = ss.train("digits", **options, out=tmp_path / "plain", progress=False)
    for name in ("weights.safetensors", "best.safetensors", "recipe.toml"):
        assert (tmp_path / "kept" / name).read_bytes() == (tmp_path / "plain" / name).read_bytes()
    assert (run.healed, decisions) == ([], [])
    assert files(tmp_path) == ["kept", "plain"]
    assert run.metrics == plain.metrics
    assert "healed" not in run.summary


@five_seeds
@pytest.mark.long
def test_a_remedy_that_does_not_help_changes_nothing(seed: int, tmp_path: Path) -> None:
    run, decisions = heal(
        "diabetes(target_scale='none', scale='none')", seed=seed, out=tmp_path / "kept"
    )
    assert [finding.condition for finding in run.findings if finding.severity != "info"] != []
    assert run.healed == []
    assert run.folder == tmp_path / "kept"
    assert files(tmp_path) == ["kept"]
    assert decisions[-1] == "No remedy is proven to help."
    assert ": did not help: validation r2" in decisions[0]
    assert run.recipe.source == "diabetes(target_scale='none', scale='none')"
    summary = json.loads((tmp_path / "kept" / "run.json").read_text())
    assert {trial["proven"] for finding in summary["findings"] for trial in finding["trials"]} == {
        False
    }
    assert run.findings == ss.load(tmp_path / "kept").findings


def fake(monkeypatch: pytest.MonkeyPatch, change: dict[str, str]) -> None:
    """Trials that prove anything."""
    trial = Trial(
        "symmetric_units",
        change,
        "validation accuracy",
        seeds=[0, 1, 2],
        untouched=[0.1] * 3,
        remedied=[0.9, 0.91, 0.92],
    )
    assert trial.proven
    monkeypatch.setattr(Diagnosis, "try_remedies", lambda self, **options: [trial])


def test_a_change_that_is_proven_in_trials_only_is_not_adopted(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    fake(monkeypatch, {"initialize": "constant(0.0)"})  # zeros by another name: no better
    run, decisions = heal("digits", **ZEROS, out=tmp_path / "kept")
    assert (
        decisions[-1] == "Trained on all of the data it does no better, so this change is not kept."
    )
    assert run.healed == []
    assert run.folder == tmp_path / "kept"
    assert repr(run.recipe.initialize) == "zeros()"
    assert files(tmp_path) == ["kept"]


def test_of_several_that_are_proven_the_best_is_taken(monkeypatch: pytest.MonkeyPatch) -> None:
    trials = [
        Trial(
            "symmetric_units",
            {"initialize": f"{name}()"},
            "validation accuracy",
            seeds=[0, 1, 2],
            untouched=[0.1] * 3,
            remedied=[after] * 3,
        )
        for name, after in (("normal", 0.5), ("xavier_normal", 0.9), ("kaiming_normal", 0.8))
    ]
    monkeypatch.setattr(Diagnosis, "try_remedies", lambda self, **options: trials)
    run, decisions = heal("digits", **ZEROS)
    assert run.healed[0]["change"] == {"initialize": "xavier_normal()"}
    assert decisions[:3] == [f"symmetric_units: {trial}" for trial in trials]


def test_a_training_without_a_remedy(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Diagnosis, "try_remedies", lambda self, **options: [])
    run, decisions = heal("digits", **ZEROS)
    assert (run.healed, decisions) == ([], ["There is no remedy to try."])


# -- the budget, the folders, what is asked --------------------------------------------------------


@pytest.mark.parametrize("budget", [0, -1, float("nan")])
def test_a_budget_is_a_positive_number(budget: float) -> None:
    with pytest.raises(ArgumentError, match="budget must be"):
        heal("digits", **ZEROS, budget=budget)


def test_a_budget_that_is_used_up_is_reported() -> None:
    run, decisions = heal("digits", **ZEROS, budget=1e-9)
    assert run.healed == []
    assert decisions == [
        "symmetric_units: initialize = kaiming_normal(): not tried, the time given for trials is "
        "over",
        "No remedy is proven to help.",
    ]


def test_a_folder_that_exists_is_refused_before_anything_is_trained(tmp_path: Path) -> None:
    (tmp_path / "kept-healed-2").mkdir()
    (tmp_path / "kept-healed-2" / "thesis.txt").write_text("mine")
    with pytest.raises(RunError, match="kept-healed-2 is not empty"):
        heal("digits", **ZEROS, out=tmp_path / "kept")
    assert files(tmp_path) == ["kept-healed-2"]
    assert (tmp_path / "kept-healed-2" / "thesis.txt").read_text() == "mine"


def test_what_train_refuses_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ss.Error, match="did you mean 'digits'"):
        heal("digist", out=tmp_path / "kept")
    with pytest.raises(ss.Error, match="the steps are initialize"):
        heal("digits", watch=0)
    assert files(tmp_path) == []


@five_seeds
@pytest.mark.long
def test_a_recipe_can_be_healed_and_what_is_done_is_reported(seed: int) -> None:
    reports: list[str] = []
    run, _ = heal(ss.Recipe("digits", **ZEROS, seed=seed), report=reports.append)
    assert len(run.healed) == 1
    assert run.folder is None
    assert run.healed[0]["from"] is None
    remedy = "symmetric_units, initialize = kaiming_normal()"
    assert reports[0] == f"{remedy}: seed 1 of 3, 2 trainings"
    assert len(reports) > 1
    assert all(report.startswith(f"{remedy}: seed") for report in reports)


@five_seeds
@pytest.mark.long
def test_a_network_of_yours_can_be_healed(seed: int) -> None:
    network = torch.nn.Sequential(
        torch.nn.Flatten(),
        torch.nn.Linear(64, 20, device="meta"),
        torch.nn.ReLU(),
        torch.nn.Linear(20, 10, device="meta"),
    ).to_empty(device="cpu")
    for parameter in network.parameters():
        torch.nn.init.constant_(parameter, 0.05)
    run, _ = heal("digits", predict=network, stop="epochs(5)", seed=seed)
    assert [set(step["change"]) for step in run.healed] == [{"initialize"}]
    assert run.metrics["valid"]["accuracy"] > 0.8
    # a copy was trained
    assert all(bool((parameter == 0.05).all()) for parameter in network.parameters())


def test_several_processes_do_not_heal(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("RANK", "0")
    monkeypatch.setenv("WORLD_SIZE", "2")
    with pytest.raises(
        ArgumentError,
        match="healing tries remedies in one process; start it without torchrun, or train without "
        "--heal",
    ):
        heal("digits")
