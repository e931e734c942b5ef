"""`sevensteps watch`: other people's scripts, run by it as Python runs them."""

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

from sevensteps.cli.watch import run_command, script_of
from sevensteps.observe.script.launch import PACKAGE

ENVIRONMENT = {**os.environ, "PYTHONPATH": PACKAGE, "OMP_NUM_THREADS": "1"}
TRAINING = """
import os, pickle, sys
import torch
import torch.multiprocessing as multiprocessing
from torch import nn
import torch.nn.functional as F

class Net(nn.Module):
    def __init__(self):
        super().__init__()
        self.first, self.last = nn.Linear(4, 8), nn.Linear(8, 3)

    def forward(self, x):
        return F.softmax(self.last(torch.tanh(self.first(x))), dim=1)

def train(seed):
    torch.manual_seed(seed)
    net = Net()
    optimizer = torch.optim.SGD(net.parameters(), lr=0.5)
    x = torch.randn(256, 4)
    y = (x[:, 0] > 0).long() + (x[:, 1] > 0).long()
    for epoch in range(5):
        for rows in torch.randperm(256).split(32):
            loss = F.cross_entropy(net(x[rows]), y[rows])
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
    return net
"""
SCRIPT = f"""{TRAINING}
if __name__ == "__main__":
    net = train(0)
    print(sys.argv[1:], __name__, os.path.basename(sys.argv[0]), "SEVENSTEPS_WATCH" in os.environ)
    print(hash(pickle.dumps(net.state_dict()["last.weight"].tolist().__repr__())) != 0)
    print([p.double().sum().item() for p in net.parameters()], torch.rand(1).item())
    torch.save(net, "net.pt")
    sys.exit(7)
"""


def run(*words: str, folder: Path) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, *words],
        cwd=folder,
        env=ENVIRONMENT,
        capture_output=True,
        text=True,
        timeout=110,
    )


def test_a_script_runs_as_without_us_and_is_diagnosed(tmp_path: Path) -> None:
    folders = [tmp_path / "unwatched", tmp_path / "watched"]
    for folder in folders:
        folder.mkdir()
        (folder / "train.py").write_text(SCRIPT)
    words = ("train.py", "--json", "x", "--", "--epochs=3")
    unwatched = run(*words, folder=folders[0])
    watched = run(
        "-m", "sevensteps", "watch", "--json", "a.json", "--report", "a.html", *words,
        folder=folders[1],
    )  # fmt: skip
    assert (watched.returncode, watched.stdout) == (unwatched.returncode, unwatched.stdout)
    assert unwatched.returncode == 7
    assert (folders[0] / "net.pt").read_bytes() == (folders[1] / "net.pt").read_bytes()
    assert "net (Net) · called at train.py:" in watched.stderr
    assert "output_loss_mismatch" in watched.stderr
    content = json.loads((folders[1] / "a.json").read_text())
    assert content["trainings"][0]["steps"] == 40
    assert "output_loss_mismatch" in (folders[1] / "a.html").read_text()
    assert re.search(r"^Report in .*a\.html$", watched.stderr, re.MULTILINE)


CRASHING = f"""{TRAINING}
net = nn.Sequential(nn.Linear(4, 5), nn.Linear(6, 3))
optimizer = torch.optim.SGD(net.parameters(), lr=0.1)
print("before")
loss = net(torch.ones(2, 4)).sum()
"""


@pytest.mark.slow
def test_a_crash_has_its_own_traceback_and_is_explained(tmp_path: Path) -> None:
    (tmp_path / "train.py").write_text(CRASHING)
    unwatched = run("train.py", folder=tmp_path)
    watched = run("-m", "sevensteps", "watch", "train.py", folder=tmp_path)
    assert (watched.returncode, watched.stdout) == (1, "before\n")
    assert watched.stderr.startswith(unwatched.stderr)
    said = " ".join(watched.stderr[len(unwatched.stderr) :].split())
    assert "layer net.1, Linear(" in said
    assert "expects 6 numbers for each row and got 5" in said


PROCESSES = f"""{TRAINING}
from . import helper

def work(seed):
    train(seed)

if __name__ == "__main__":
    print(helper.VALUE, __package__, flush=True)
    multiprocessing.set_start_method(sys.argv[1])
    workers = [multiprocessing.Process(target=work, args=(seed,)) for seed in (0, 0)]
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join()
    print([worker.exitcode for worker in workers])
"""


@pytest.mark.slow
@pytest.mark.parametrize("start", ["spawn", "fork"])
def test_a_module_and_the_processes_that_it_starts(start: str, tmp_path: Path) -> None:
    (tmp_path / "package").mkdir()
    (tmp_path / "package" / "__init__.py").write_text("")
    (tmp_path / "package" / "helper.py").write_text("VALUE = 3\n")
    (tmp_path / "package" / "train.py").write_text(PROCESSES)
    done = run(
        "-m", "sevensteps", "watch", "-m", "package.train", start, folder=tmp_path
    )  # fmt: skip
    assert done.stdout == "3 package\n[0, 0]\n"
    assert done.stderr.count("output_loss_mismatch") == 1
    assert "1 more of its processes" in done.stderr


WAITING = f"""{TRAINING}
import atexit
train(0)
atexit.register(print, "at exit")
print("ready", flush=True)
print("not written yet", end="")
import time
time.sleep(100)
"""


@pytest.mark.slow
@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_signal_still_gives_a_diagnosis(number: signal.Signals, tmp_path: Path) -> None:
    (tmp_path / "train.py").write_text(WAITING)
    ends = []
    for words in (["train.py"], ["-m", "sevensteps", "watch", "train.py"]):
        process = subprocess.Popen(
            [sys.executable, *words],
            cwd=tmp_path,
            env=ENVIRONMENT,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        assert process.stdout is not None
        assert process.stdout.readline() == "ready\n"
        process.send_signal(number)
        ends.append((*process.communicate(timeout=60), process.returncode))
    (output, _, code), (watched_output, errors, watched_code) = ends
    assert (watched_output, watched_code) == (output, code)
    assert code == -number
    assert "output_loss_mismatch" in errors
    assert ("KeyboardInterrupt" in errors) == (number == signal.SIGINT)


@pytest.mark.slow
def test_a_whole_command_is_run_and_every_python_in_it_watched(tmp_path: Path) -> None:
    (tmp_path / "train.py").write_text(SCRIPT)
    code = "import subprocess, sys; sys.exit(subprocess.call([sys.executable, 'train.py', '-v']))"
    done = run(
        "-m", "sevensteps", "watch", "--", sys.executable, "-c", code, folder=tmp_path
    )  # fmt: skip
    assert done.returncode == 7
    assert done.stdout.startswith("['-v'] __main__ train.py")
    assert done.stderr.count("output_loss_mismatch") == 1


@pytest.mark.parametrize(
    ("words", "message"),
    [
        ((), "give a script"),
        (("no_such_script.py",), "there is no such file"),
        (("--json", "nowhere/a.json", "train.py"), "there is no folder"),
        (("--budget", "2", "train.py"), "budget"),
        (("--epochs", "3", "train.py"), "--epochs"),
        (("--", "no-such-command"), "there is no such command"),
        (("--try", "--", "torchrun", "train.py"), "sevensteps watch --try SCRIPT.py"),
        (("--try", "--", "python", "-c", "pass"), "sevensteps watch --try SCRIPT.py"),
        (("--try", "--", "python3", "no_such_script.py"), "there is no such file"),
    ],
)
def test_bad_input_is_said_in_a_line(
    words: tuple[str, ...], message: str, sevensteps: Callable[..., Any]
) -> None:
    result = sevensteps("watch", *words)
    assert result.code == 2
    assert result.out == ""
    assert message in result.err
    assert len(result.err.splitlines()) == 1


def test_the_script_of_a_command() -> None:
    assert script_of(["python", "train.py", "-v"]) == (None, ("train.py", "-v"))
    assert script_of(["/usr/bin/python3.12", "-m", "a.b", "3"]) == ("a.b", ("3",))


def test_the_exit_code_of_a_command_is_its_own() -> None:
    assert run_command([sys.executable, "-c", "raise SystemExit(5)"], dict(os.environ)) == 5
    code = "import os, signal; os.kill(os.getpid(), signal.SIGTERM)"
    assert run_command([sys.executable, "-c", code], dict(os.environ)) == -signal.SIGTERM


TRYING = f"""{TRAINING}
net = train(0)
open("log.txt", "a").write("done\\n")
torch.save(net.state_dict(), os.path.abspath("net.pt"))
sys.exit(7)
"""


@pytest.mark.slow
def test_remedies_are_tried_and_nothing_else_is_left(tmp_path: Path) -> None:
    (tmp_path / "train.py").write_text(TRYING)
    done = run(
        "-m", "sevensteps", "watch", "--try", "--budget-seconds", "80", "--json", "a.json",
        "--report", "a.html", "train.py",
        folder=tmp_path,
    )  # fmt: skip
    assert done.returncode == 7
    assert (tmp_path / "log.txt").read_text() == "done\n"
    assert sorted(p.name for p in tmp_path.iterdir()) == [
        "a.html", "a.json", "log.txt", "net.pt", "train.py",
    ]  # fmt: skip
    assert "trial run 3 of " in done.stderr
    assert "Tried on the script itself" in done.stderr
    content = json.loads((tmp_path / "a.json").read_text())
    [trial] = content["trainings"][0]["diagnosis"]["findings"][0]["trials"]
    assert trial["condition"] == "output_loss_mismatch"
    assert len(trial["untouched"]) == len(trial["remedied"]) > 0
    assert trial["patch"].startswith("train.py:14: `return F.softmax(")
    page = (tmp_path / "a.html").read_text()
    assert "train.py:14" in page
    assert "<title>sevensteps watch: train.py" in page


@pytest.mark.slow
@pytest.mark.parametrize(("number", "code"), [(signal.SIGINT, 130), (signal.SIGTERM, -15)])
def test_a_signal_ends_the_trials_and_what_is_known_is_said(
    number: int, code: int, tmp_path: Path
) -> None:
    (tmp_path / "train.py").write_text(TRYING)
    (tmp_path / "tmp").mkdir()
    with subprocess.Popen(
        [sys.executable, "-m", "sevensteps", "watch", "--try", "train.py"],
        cwd=tmp_path,
        env={**ENVIRONMENT, "TMPDIR": str(tmp_path / "tmp")},
        stderr=subprocess.PIPE,
        text=True,
    ) as watching:
        assert watching.stderr is not None
        said = ""
        while "trial run 1 of" not in said:
            said += watching.stderr.readline()
        watching.send_signal(number)
        said += watching.stderr.read()
    assert watching.wait(60) == code
    assert "output_loss_mismatch" in said
    assert "Traceback" not in said
    assert list((tmp_path / "tmp").glob("sevensteps*")) == []


@pytest.mark.long
def test_where_nothing_is_found_there_is_nothing_to_try(tmp_path: Path) -> None:
    (tmp_path / "plain.py").write_text("print(1)\n")
    done = run("-m", "sevensteps", "watch", "--try", "plain.py", folder=tmp_path)
    assert done.returncode == 0
    assert done.stdout == "1\n"
    assert "so there is nothing to try" in done.stderr
    assert "no remedy" not in done.stderr


def test_a_command_is_not_run_again(tmp_path: Path) -> None:
    done = run("-m", "sevensteps", "watch", "--try", "--", "torchrun", "x.py", folder=tmp_path)
    assert done.returncode == 2
    assert "--try takes a script, not torchrun" in done.stderr
