"""`sevensteps train`: the screen people read, the JSON programs read, and where each setting comes
from.
"""

from __future__ import annotations

import json
import os
import re
import signal
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

import sevensteps as ss
from sevensteps.steps import STEPS

QUICK = ("--predict", "mlp(4)", "--stop", "epochs(2)")
Command = Callable[..., Any]


def strict(text: str) -> dict[str, Any]:
    def refuse(word: str) -> None:
        raise AssertionError(f"{word} is not JSON")

    content: dict[str, Any] = json.loads(text, parse_constant=refuse)
    return content


# -- the screen ------------------------------------------------------------------------------------


def test_the_screen_shows_the_seven_steps_with_reasons(sevensteps: Command) -> None:
    result = sevensteps("train", "xor", *QUICK)
    assert result.code == 0
    shown = [line.split() for line in result.lines]
    heads = [
        words[:3] for words in shown if len(words) >= 3 and words[0].isdigit() and words[1] in STEPS
    ]
    assert [(int(number), step) for number, step, _ in heads] == list(enumerate(STEPS, 1))
    assert [value for *_, value in heads] == [
        "kaiming_normal()",
        "mlp(4)",
        "binary_cross_entropy()",
        "chain_rule()",
        "adam(lr=one_cycle(0.01))",
        "batches(64)",
        "epochs(2)",
    ]
    text = " ".join(result.out.split())
    assert "samples/s, 1 thread (a step of " in text
    assert "relu units keep their signal with weights of variance 2/inputs" in text
    assert (
        "the targets are two classes, no and yes: one output, its sigmoid is the probability of yes"
        in text
    )
    assert "xor: 160 training and 40 validation samples; inputs 2; 17 parameters; seed 0" in text


def test_the_screen_says_what_came_of_it(sevensteps: Command) -> None:
    result = sevensteps("train", "xor", *QUICK, "--out", "kept")
    run = ss.load("kept")
    text = " ".join(result.out.split())
    valid, train = run.metrics["valid"], run.metrics["train"]
    assert (
        f"last, epoch 2 {train['loss']:.4g} {train['accuracy']:.4f} {valid['loss']:.4g} "
        f"{valid['accuracy']:.4f}" in text
    )
    assert f"best, epoch {run.best.epoch} " in text
    assert "Stopped by epochs: all 2 epochs are done. 6 steps in " in text
    assert "Saved in kept" in text
    assert "Try next:" in text
    assert re.findall(r"sevensteps (\w+)", text.split("Try next:")[1]) == [
        "diagnose",  # so few steps are too few
        "train",  # with the first remedy
        *["explain"] * 2,
        "report",
    ]


@pytest.mark.parametrize(
    ("source", "steps"),
    [
        ("digits", ("--stop", "epochs(1)")),
        (
            "speed(noise=1.0)",
            ("--predict", "polynomial(2)", "--step", "sgd(lr=1e-5)", "--stop", "epochs(3)"),
        ),
        (
            "iris",
            (
                "--predict",
                "mlp(30, 20, 10, activation='leaky_relu', dropout=0.25, batch_norm=True)",
                "--stop",
                "epochs(1) | patience(2)",
            ),
        ),
        ("digits37", ("--predict", "pixel_similarity")),
    ],
)
@pytest.mark.sampled(1)
def test_no_screen_is_wider_than_the_terminal(
    source: str, steps: tuple[str, ...], sevensteps: Command
) -> None:
    result = sevensteps("train", source, *steps, "--out", "kept")
    assert result.code == 0
    assert max(map(len, result.lines)) <= 80
    assert (
        sum(bool(re.match(r"[1-7] (" + "|".join(STEPS) + r")\b", line)) for line in result.lines)
        == 7
    )


def test_a_log_has_one_plain_line_an_epoch(sevensteps: Command) -> None:
    result = sevensteps("train", "xor", "--predict", "mlp(4)", "--stop", "epochs(3)")
    lines = result.err.splitlines()
    assert len(lines) == 3
    for number, line in enumerate(lines, 1):
        assert re.fullmatch(
            rf"epoch {number}  step {3 * number}  train loss [\d.]+  valid loss [\d.]+  accuracy "
            rf"0\.\d{{4}}  "
            r"[\d,]+ samples/s  \d+\.\d s",
            line,
        )


# -- JSON ------------------------------------------------------------------------------------------


def test_json_is_a_line_an_epoch_and_then_the_result(sevensteps: Command) -> None:
    completed = sevensteps("train", "xor", *QUICK, "--json", "--seed", "3", "--out", "kept")
    assert completed.err == ""
    *rows, result = map(strict, completed.out.splitlines())
    assert [row["epoch"] for row in rows] == [1, 2]
    assert all({"epoch", "step", "train", "valid"} <= set(row) for row in rows)
    assert {
        "run",
        "stop",
        "epochs",
        "steps",
        "seconds",
        "samples_per_second",
        "seed",
        "device",
        "metrics",
        "best",
        "findings",
        "recipe",
    } <= set(result)
    assert (result["run"], result["seed"], result["epochs"], result["steps"]) == ("kept", 3, 2, 6)
    assert set(result["stop"]) == {"rule", "reason"}
    assert {"loss", "accuracy"} <= set(result["metrics"]["valid"])
    assert "loss" in result["metrics"]["train"]
    assert {"epoch", "metrics"} <= set(result["best"])
    assert set(STEPS) <= set(result["recipe"])
    assert result == strict(Path("kept/run.json").read_text())


def test_json_of_what_is_not_finite_is_still_json(sevensteps: Command) -> None:
    completed = sevensteps(
        "train", "speed", "--predict", "mlp(3)", "--step", "sgd(lr=1e30)", "--json"
    )
    assert completed.code == 0
    result = strict(completed.out.splitlines()[-1])
    assert result["stop"] == {
        "rule": "not_finite",
        "reason": "the loss is inf at step 2; the parameters are those before it",
    }
    assert result["metrics"]["train"]["loss"] is None
    assert "r2" in result["metrics"]["valid"]


# -- where a setting comes from --------------------------------------------------------------------


def test_every_step_and_setting_is_an_option(sevensteps: Command) -> None:
    values = {
        "initialize": "normal(0.1)",
        "predict": 'mlp(3, activation="tanh")',
        "loss": "hinge()",
        "gradient": "autograd(clip=1.0)",
        "step": "sgd(lr=0.2)",
        "repeat": "batches(20, shuffle=False)",
        "stop": "epochs(1) | patience(3)",
    }
    options = [part for step, value in values.items() for part in (f"--{step}", value)]
    completed = sevensteps(
        "train",
        "xor",
        *options,
        "--seed",
        "5",
        "--threads",
        "1",
        "--precision",
        "float64",
        "--device",
        "cpu",
        "--json",
        "--out",
        "kept",
    )
    result = strict(completed.out.splitlines()[-1])
    assert result["recipe"] == {"data": "xor", **values}
    assert (result["seed"], result["threads"], result["precision"], result["device"]) == (
        5,
        1,
        "float64",
        "cpu",
    )
    assert ss.Recipe.from_toml(Path("kept/recipe.toml")) == ss.Recipe(
        "xor", **values, seed=5, threads=1, precision="float64"
    )


def test_a_recipe_file_and_what_replaces_it(sevensteps: Command) -> None:
    Path("my.toml").write_text(
        'data = "xor"\npredict = "mlp(4)"\nstep = "sgd(lr=0.2)"\nstop = "epochs(2)"\nseed = '
        "4\nthreads = 1\n"
    )
    plain = strict(
        sevensteps("train", "--recipe", "my.toml", "--json", "--out", "a").out.splitlines()[-1]
    )
    assert (
        plain["recipe"]["data"],
        plain["recipe"]["predict"],
        plain["recipe"]["step"],
        plain["seed"],
    ) == ("xor", "mlp(4)", "sgd(lr=0.2)", 4)
    changed = strict(
        sevensteps(
            "train",
            "moons",
            "--recipe",
            "my.toml",
            "--step",
            "sgd(lr=0.5)",
            "--seed",
            "0",
            "--json",
            "--out",
            "b",
        ).out.splitlines()[-1]
    )
    assert (
        changed["recipe"]["data"],
        changed["recipe"]["predict"],
        changed["recipe"]["step"],
        changed["seed"],
    ) == ("moons", "mlp(4)", "sgd(lr=0.5)", 0)


def test_the_recipe_of_a_run_repeats_it_to_the_same_bits(sevensteps: Command) -> None:
    sevensteps(
        "train",
        "xor",
        "--predict",
        "mlp(4, dropout=0.2)",
        "--stop",
        "epochs(3)",
        "--seed",
        "9",
        "--out",
        "a",
    )
    assert sevensteps("train", "--recipe", "a/recipe.toml", "--out", "b").code == 0
    for file in ("weights.safetensors", "best.safetensors"):
        assert Path("a", file).read_bytes() == Path("b", file).read_bytes()


def test_code_in_a_recipe_runs_only_if_allowed(sevensteps: Command) -> None:
    Path("clinet.py").write_text("from torch import nn\ndef net(): return nn.Linear(2, 1)\n")
    Path("my.toml").write_text(
        'data = "xor"\npredict = \'module("clinet:net")\'\nstop = "epochs(1)"\n'
    )
    refused = sevensteps("train", "--recipe", "my.toml", "--out", "a")
    assert refused.code == 2
    assert refused.err == (
        'sevensteps: my.toml: predict = module("clinet:net") would run code from this machine; '
        "allow it with "
        "--allow-code (allow_code=True) if you trust the recipe\n"
    )
    assert not Path("a").exists()
    assert sevensteps("train", "--recipe", "my.toml", "--allow-code", "--out", "a").code == 0
    assert (
        sevensteps(
            "train", "xor", "--predict", 'module("clinet:net")', "--stop", "epochs(1)", "--out", "b"
        ).code
        == 0
    )


# -- healing ---------------------------------------------------------------------------------------

ZEROS = ("digits", "--predict", "mlp(30)", "--initialize", "zeros()", "--stop", "epochs(6)")


@pytest.mark.long
def test_healing_says_what_it_changed_and_ends_with_the_healed_run(sevensteps: Command) -> None:
    result = sevensteps("train", *ZEROS, "--heal", "--budget", "30", "--out", "kept")
    assert result.code == 0
    assert max(map(len, result.lines)) <= 80
    text = " ".join(result.out.split())
    assert "symmetric_units: initialize = kaiming_normal(): proven: validation accuracy" in text
    before, after = text.split("symmetric_units: initialize = kaiming_normal(): proven")
    assert "1 initialize zeros()" in before
    assert "Trained again with initialize = kaiming_normal(), all else as before." in after
    assert re.search(
        r"Healed by initialize = kaiming_normal\(\): validation accuracy 0\.1\d+ → 0\.\d+\.", after
    )
    assert "Saved in kept-healed" in after
    assert "No problems found." in after
    [step] = ss.load("kept-healed").healed
    assert (step["change"], step["from"], step["trial"]["proven"]) == (
        {"initialize": "kaiming_normal()"},
        "kept",
        True,
    )
    assert (
        "symmetric_units, initialize = kaiming_normal(): seeds 2 to 3 of 3, 7 trainings"
        in result.err
    )


@pytest.mark.long
def test_healing_as_json_is_lines_of_json(sevensteps: Command) -> None:
    completed = sevensteps("train", *ZEROS, "--heal", "--json", "--out", "kept")
    assert completed.code == 0
    *rows, result = map(strict, completed.out.splitlines())
    assert [row["epoch"] for row in rows] == [1, 2, 3, 4, 5, 6] * 2
    assert result == strict(Path("kept-healed/run.json").read_text())
    [step] = result["healed"]
    assert (step["condition"], step["trial"]["proven"]) == ("symmetric_units", True)
    assert result["findings"] == []
    assert "symmetric_units: initialize = kaiming_normal(): proven: " in " ".join(
        completed.err.split()
    )


def test_a_healthy_training_has_nothing_to_heal(sevensteps: Command) -> None:
    arguments = ("train", "digits", "--predict", "mlp(8)", "--stop", "epochs(20)", "--json")
    healed, plain = (
        sevensteps(*arguments, "--heal", "--out", "a"),
        sevensteps(*arguments, "--out", "b"),
    )
    assert (healed.code, healed.err) == (0, "")
    assert not Path("a-healed").exists()
    for file in ("weights.safetensors", "best.safetensors", "recipe.toml"):
        assert Path("a", file).read_bytes() == Path("b", file).read_bytes()
    one, other = (strict(result.out.splitlines()[-1]) for result in (healed, plain))
    assert (set(one), one["metrics"]) == (set(other), other["metrics"])


@pytest.mark.long
def test_without_a_remedy_nothing_changes(sevensteps: Command) -> None:
    result = sevensteps(
        "train", "diabetes(target_scale='none', scale='none')", "--heal", "--out", "kept"
    )
    assert result.code == 0
    assert "did not help: validation r2" in " ".join(result.out.split())
    assert "No remedy is proven to help." in result.out
    assert "Saved in kept" in result.lines
    assert ss.load("kept").healed == []


def test_a_folder_that_a_healed_run_would_need_must_be_free(sevensteps: Command) -> None:
    Path("kept-healed").mkdir()
    Path("kept-healed/thesis.txt").write_text("mine")
    result = sevensteps("train", *ZEROS, "--heal", "--out", "kept")
    assert (result.code, result.out) == (2, "")
    assert result.err.startswith("sevensteps: kept-healed is not empty")
    assert len(result.err.splitlines()) == 1
    assert not Path("kept").exists()


# -- leaving ---------------------------------------------------------------------------------------


@pytest.mark.skipif(os.name == "nt", reason="signals as POSIX has them")
@pytest.mark.parametrize(
    "number", [signal.SIGINT, pytest.param(signal.SIGTERM, marks=pytest.mark.slow)]
)
@pytest.mark.long
def test_an_interrupt_keeps_the_run_and_leaves_with_130(
    number: signal.Signals, tmp_path: Path
) -> None:
    process = subprocess.Popen(
        [
            sys.executable,
            "-m",
            "sevensteps",
            "train",
            "xor",
            "--predict",
            "mlp(4)",
            "--stop",
            "seconds(100)",
            "--step",
            "sgd(lr=0.1)",
            "--json",
            "--threads",
            "1",
            "--out",
            "kept",
        ],
        cwd=tmp_path,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
    )
    assert process.stdout is not None
    first = process.stdout.readline()  # the training is under way
    process.send_signal(number)
    out, err = process.communicate(timeout=60)
    assert strict(first)["epoch"] == 1
    assert process.returncode == 130, err
    assert "Traceback" not in err
    result = strict(out.splitlines()[-1])
    assert result["stop"]["rule"] == "interrupt"
    assert result["stop"]["reason"] == f"interrupted after step {result['steps']}"
    assert ss.load(tmp_path / "kept").summary == result


def test_a_true_command_line(tmp_path: Path) -> None:
    done = subprocess.run(
        [sys.executable, "-m", "sevensteps", "train", "xor", *QUICK],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        timeout=60,
        env={**os.environ, "COLUMNS": "80"},
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert len(done.stderr.splitlines()) == 2
    assert max(len(line.rstrip()) for line in done.stdout.splitlines()) <= 80
    [folder] = (tmp_path / "runs").iterdir()
    assert f"Saved in runs/{folder.name}" in done.stdout
    bad = subprocess.run(
        [sys.executable, "-m", "sevensteps", "train", "xro"],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert (bad.returncode, bad.stdout, bad.stderr) == (
        2,
        "",
        "sevensteps: data has no 'xro'; did you mean 'xor'?\n",
    )


@pytest.mark.long
def test_what_takes_long_to_import_and_is_not_needed_is_not_imported(tmp_path: Path) -> None:
    code = (
        "import sys; import sevensteps as ss; from sevensteps.cli import main\n"
        "ss.data.load('digits'); print(*sys.modules, file=sys.stderr)\n"
        "try: main(['train', 'digits', '--stop', 'epochs(1)', '--out', 'run'])\n"
        "finally: print(*sys.modules, file=sys.stderr)"
    )
    ended = subprocess.run(
        [sys.executable, "-c", code],
        cwd=tmp_path,
        env=os.environ | {"PYTHONPATH": os.pathsep.join(sys.path)},
        capture_output=True,
        text=True,
    )
    assert ended.returncode == 0
    lines = [line.split() for line in ended.stderr.splitlines()]
    to_load, to_train = lines[0], lines[-1]
    assert "torch" in to_load
    assert not {"sklearn", "scipy"} & set(to_load)
    # what the doctor asks for depends on what it sees
    assert not {"torch._dynamo", "torch.fx.experimental.symbolic_shapes", "sympy"} & set(to_train)
