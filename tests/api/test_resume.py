"""Going on with a training: to the same bits as if it had never stopped, from wherever it
stopped.
"""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import time
from collections.abc import Callable
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import pytest
import safetensors.torch
import torch
from torch import nn
from torch.utils.data import DataLoader, TensorDataset

import sevensteps as ss
from sevensteps.data import Data
from sevensteps.errors import DataError, RunError
from sevensteps.record import checkpoints
from sevensteps.record.tensors import to_safetensors
from sevensteps.training import loop, state, state_dict
from sevensteps.training.recipe import Recipe
from sevensteps.training.resolve import resolve
from sevensteps.training.state import Training
from tests.api.interruptions import PLAIN, Keeping, interrupted, interrupted_twice, same
from tests.helpers.counts import count


def begun(data: str | Data = "xor", **options: Any) -> Training:
    return state.start(resolve(Recipe(data, **{**PLAIN, **options})))


def end(training: Training, ended: tuple[str, str]) -> dict[str, Any]:
    """All that is the same in two trainings that are the same."""
    assert training.best is not None
    tensors, plain = state_dict.state_dict(training)
    for row in plain["history"]:
        row.pop("seconds")
    plain["progress"].pop("seconds")
    return {
        "ended": ended,
        "best": training.best.epoch,
        "state": json.dumps(plain, sort_keys=True),
        "tensors": to_safetensors(dict(sorted(tensors.items()))),
    }


def resumed_from_everywhere(make: Callable[[], Training]) -> int:
    """Train once, then go on from the state after every step; returns how many steps there were."""
    keeping, training = Keeping(), make()
    whole = end(training, loop.train(training, [keeping]))
    for content, text in keeping.states:
        training = make()
        state_dict.load_state_dict(training, safetensors.torch.load(content), json.loads(text))
        assert end(training, loop.train(training, [])) == whole
        count("interruptions, each resumed to the same bits")
    return len(keeping.states)


COMPILED = pytest.param(
    "compiled()", marks=pytest.mark.skipif(find_spec("numba") is None, reason="needs Numba")
)


# -- the same bits ---------------------------------------------------------------------------------


@pytest.mark.parametrize("gradient", ["chain_rule()", "autograd()", COMPILED])
@pytest.mark.parametrize(
    "step",
    [
        "sgd(lr=0.1)",
        "sgd(lr=0.1, momentum=0.9, nesterov=True, weight_decay=0.01)",
        "adam(lr=0.01)",
        "adamw(lr=0.01)",
        "rmsprop(lr=0.01)",
        "rmsprop(lr=0.01, momentum=0.9)",
        "adagrad(lr=0.1)",
    ],
)
@pytest.mark.sampled(8)
def test_with_every_optimizer(step: str, gradient: str) -> None:
    assert resumed_from_everywhere(lambda: begun(step=step, gradient=gradient)) == 12


@pytest.mark.parametrize(
    "schedule",
    [
        "constant(0.1)",
        "linear_warmup(0.1)",
        "cosine(0.1)",
        "one_cycle(0.1)",
        "step_decay(0.1)",
        "exponential(0.1)",
    ],
)
def test_with_every_schedule(schedule: str) -> None:
    assert resumed_from_everywhere(lambda: begun(step=f"sgd(lr={schedule}, momentum=0.9)")) == 12


@pytest.mark.parametrize(
    ("stop", "steps"),
    [
        ("epochs(2)", 12),
        ("max_steps(9)", 9),
        ("max_steps(12)", 12),
        ("patience(1) | epochs(9)", None),
        ("accuracy(0.5) | epochs(9)", None),
        ("loss_below(0.6) | epochs(9)", None),
        ("loss_below(0.7, on='train') | max_steps(50)", None),
    ],
)
@pytest.mark.sampled(2)
def test_with_every_stop_rule(stop: str, steps: int | None) -> None:
    assert resumed_from_everywhere(lambda: begun(stop=stop, step="sgd(lr=1.0)")) == (
        steps or pytest.approx(30, abs=24)
    )


@pytest.mark.parametrize(
    "options",
    [
        {"predict": "mlp(6, dropout=0.3, batch_norm=True)"},
        {"predict": "mlp(6, dropout=0.3, batch_norm=True)", "gradient": "chain_rule(accumulate=4)"},
        {"predict": "mlp(6, dropout=0.3)", "gradient": "autograd(accumulate=4, clip=0.5)"},
        {"repeat": "batches(30, shuffle=False)"},
        {"repeat": "batches(30, drop_last=True)"},
        {"repeat": "full_batch()", "stop": "epochs(7)"},
        {
            "predict": "neuron('step')",
            "gradient": "perceptron_rule()",
            "repeat": "batches(1)",
            "stop": "max_steps(40)",
        },
        {"precision": "float64"},
        {"precision": "bf16"},
    ],
    ids=str,
)
def test_with_all_that_is_random_or_accumulated_or_stateful(options: dict[str, Any]) -> None:
    assert resumed_from_everywhere(lambda: begun(**options)) >= 4


def test_within_a_piece_that_is_gathered_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    # two batches of 30 samples of two numbers
    monkeypatch.setattr("sevensteps.steps.repeat.GATHERED_AT_ONCE", 2 * 30 * 2)
    assert resumed_from_everywhere(begun) == 12


@pytest.mark.draws
def test_with_a_network_and_batches_of_one_s_own() -> None:
    def make() -> Training:
        torch.manual_seed(3)
        network = nn.Sequential(
            nn.Linear(2, 8), nn.BatchNorm1d(8), nn.ReLU(), nn.Dropout(0.4), nn.Linear(8, 1)
        )
        data = ss.data.load("xor")
        batches = DataLoader(TensorDataset(data.train.x, data.train.y), batch_size=32, shuffle=True)
        return begun(predict=network, repeat=batches, gradient="autograd(accumulate=2)")

    assert resumed_from_everywhere(make) == 6


# -- from a folder ---------------------------------------------------------------------------------


@pytest.mark.parametrize("at", [1, 5, 6, 7, 11])
@pytest.mark.sampled(2)
def test_an_interrupted_run_goes_on_to_the_same_end(at: int) -> None:
    whole = ss.train("xor", **PLAIN, out="whole")
    assert interrupted(at).summary["stop"]["rule"] == "interrupt"
    run = ss.resume("run")
    assert same(run, whole)
    assert same(ss.load("run"), ss.load("whole"))
    assert run.summary["reasons"] == whole.summary["reasons"]


@pytest.mark.long
def test_more_often_interrupted_than_not() -> None:
    whole = ss.train("xor", **PLAIN, out="whole")
    interrupted(2)
    for at in (3, 8, 9):
        assert ss.resume("run", observers=[Keeping(at)]).summary["steps"] == at
    assert same(ss.resume("run"), whole)
    assert [event["kind"] for event in ss_events("run")] == ["start", "stop"] + [
        "resume",
        "stop",
    ] * 4


def ss_events(run: str) -> list[dict[str, Any]]:
    from sevensteps.record.database import read

    return read(Path(run))["events"]


def test_a_finished_run_goes_on_only_with_a_new_stop() -> None:
    ss.train("xor", **PLAIN, out="run")
    with pytest.raises(
        RunError,
        match=r"^run has finished: all 2 epochs are done; to go on, give a stop that is further "
        r"away",
    ):
        ss.resume("run")
    whole = ss.train("xor", **{**PLAIN, "stop": "epochs(4)"}, out="whole")
    assert same(ss.resume("run", stop="epochs(4)"), whole)
    assert ss.load("run").recipe.stop == ss.epochs(4)
    with pytest.raises(RunError, match="has finished"):
        ss.resume("run")


def test_a_run_that_stopped_within_an_epoch_goes_on() -> None:
    ss.train("xor", **{**PLAIN, "stop": "max_steps(8)"}, out="run")
    assert same(
        ss.resume("run", stop="max_steps(14)"),
        ss.train("xor", **{**PLAIN, "stop": "max_steps(14)"}, out="whole"),
    )


def test_one_that_was_never_saved_starts_anew() -> None:
    whole = ss.train("xor", **PLAIN, out="whole")
    interrupted(4)
    for path in Path("run").iterdir():
        if path.name != "recipe.toml":
            path.unlink()
    assert same(ss.resume("run"), whole)


def test_a_clock_that_is_set_back_changes_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    whole = ss.train("xor", **PLAIN, out="whole")
    clock = iter(range(10**9, 0, -3600))
    monkeypatch.setattr(time, "time", lambda: float(next(clock)))
    monkeypatch.setattr(time, "time_ns", lambda: next(clock) * 10**9)
    interrupted(5)
    for file in Path("run").iterdir():
        os.utime(file, (2**31, 2**31))  # written "in the future"
    assert same(ss.resume("run"), whole)


@pytest.mark.long
def test_what_watching_observed_is_stored() -> None:
    whole = ss.train("xor", **PLAIN, out="whole", watch=1.0)
    ss.train("xor", **PLAIN, out="run", watch=1.0, observers=[Keeping(7)])
    run = ss.resume("run", watch=1.0)
    assert whole.diagnosis is not None
    assert run.diagnosis is not None
    one, two = whole.diagnosis.case.observation, run.diagnosis.case.observation
    assert [look.step for look in one.looks] == [look.step for look in two.looks]
    assert one.losses == two.losses
    assert one.steps == two.steps == 12
    assert whole.summary["before"] == run.summary["before"]
    for a, b in zip(one.looks, two.looks, strict=True):
        assert all(torch.equal(a.signals[name].mean, b.signals[name].mean) for name in a.signals)
    assert [f.condition for f in ss.diagnose("run").findings] == [
        f.condition for f in ss.diagnose("whole").findings
    ]


def test_data_network_and_batches_from_python_are_passed_again() -> None:
    x = torch.linspace(-1, 1, 200)[:, None]
    data = ss.data.from_arrays(x, (x > 0.3).long()[:, 0], name="mine")
    ss.train(data, **PLAIN, out="run", observers=[Keeping(3)])
    with pytest.raises(
        RunError,
        match=r"^the data of run, .*, came from Python; give them again, as in ss.resume\(run, "
        r"data=…\)",
    ):
        ss.resume("run")
    assert same(ss.resume("run", data=data), ss.train(data, **PLAIN, out="whole"))


def test_other_data_are_refused() -> None:
    x = torch.linspace(-1, 1, 200)[:, None]
    y = (x > 0.3).long()[:, 0]
    ss.train(ss.data.from_arrays(x, y, name="mine"), **PLAIN, out="run", observers=[Keeping(3)])
    for other in (
        ss.data.from_arrays(x * 2, y, name="mine"),
        ss.data.from_arrays(x, 1 - y, name="mine"),
        ss.data.from_arrays(x[:-1], y[:-1], name="mine"),
    ):
        with pytest.raises(
            DataError, match=r"is not what run was trained on: some numbers or their order differ"
        ):
            ss.resume("run", data=other)


def test_a_training_that_diverged_does_not_go_on() -> None:
    ss.train("speed", predict="polynomial(2)", step="sgd(lr=1e6)", stop="epochs(9)", out="run")
    with pytest.raises(
        RunError,
        match=r"^run cannot go on: the loss is .* find out why with: sevensteps diagnose run$",
    ):
        ss.resume("run")


def test_what_is_not_there() -> None:
    with pytest.raises(
        RunError, match=r"^there is no run nothing; make one with: sevensteps train digits$"
    ):
        ss.resume("nothing")
    Path("empty").mkdir()
    with pytest.raises(RunError, match=r"^empty holds no run: it has no recipe.toml$"):
        ss.resume("empty")
    interrupted(3)
    (Path("run") / "run.json").unlink()
    with pytest.raises(
        RunError,
        match=r"^run holds a training that was not finished; go on with: sevensteps resume run",
    ):
        ss.train("xor", **PLAIN, out="run")


# -- damage ----------------------------------------------------------------------------------------


@pytest.fixture
def interrupted_run(here: Path) -> Path:
    """A run that was interrupted after step 3 and then after step 8: two states."""
    interrupted_twice()
    return here / "run"


def test_two_processes_do_not_share_a_folder(interrupted_run: Path) -> None:
    from sevensteps.record.run_folder import lock_folder

    lock = lock_folder(interrupted_run)
    try:
        with pytest.raises(
            RunError,
            match=r"^another process trains in run; wait until it ends, or give another folder",
        ):
            ss.resume("run")
    finally:
        lock.release()
    ss.resume("run")


@pytest.mark.skipif(os.name == "nt", reason="limits as POSIX has them")
@pytest.mark.parametrize(
    "limit", [60_000, *(pytest.param(n, marks=pytest.mark.slow) for n in (20_000, 200_000))]
)
@pytest.mark.long
def test_a_full_disk_loses_no_state(limit: int, here: Path) -> None:
    import resource

    options = [
        "--predict",
        "mlp(8)",
        "--step",
        "adam(lr=0.01)",
        "--repeat",
        "batches(30)",
        "--threads",
        "1",
    ]
    ended = subprocess.run(
        [
            sys.executable,
            "-m",
            "sevensteps",
            "train",
            "digits",
            *options,
            "--stop",
            "epochs(6)",
            "--save-every",
            "0.05",
            "--out",
            "run",
        ],
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
        preexec_fn=lambda: resource.setrlimit(resource.RLIMIT_FSIZE, (limit, limit)),
    )
    assert ended.returncode == 2, ended.stderr
    last = ended.stderr.splitlines()[-1]
    assert last.startswith("sevensteps: run/")
    assert "cannot be" in last
    assert not (here / "run" / "run.json").exists()
    assert (checkpoints.read(here / "run") is not None) == (
        "is saved: sevensteps resume run" in last
    )
    whole = ss.train(
        "digits",
        predict="mlp(8)",
        step="adam(lr=0.01)",
        repeat="batches(30)",
        stop="epochs(6)",
        threads=1,
        out="whole",
    )
    assert same(ss.resume("run"), whole)


def test_a_folder_that_is_taken_away(here: Path) -> None:
    class Taking(Keeping):
        def stepped(self, training: Training) -> None:
            if training.progress.step == 3:
                shutil.rmtree("run")

    with pytest.raises(RunError, match=r"^run/.* cannot be written: No such file or directory"):
        ss.train("xor", **PLAIN, out="run", observers=[Taking()])
