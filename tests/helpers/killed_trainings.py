"""`python -m tests.helpers.killed_trainings KILLS SEED FOLDER`: trainings that are killed.

They run in child processes that are killed at random moments, and go on after each kill. Prints
JSON: {"kills", "runs", "states": at how many different steps one went on, "differing": runs that
ended otherwise than the one that nobody killed, "unreadable": what could not be read after a
kill}."""

from __future__ import annotations

import json
import os
import random
import shutil
import signal
import sys
import time
from pathlib import Path
from typing import Any

import torch

import sevensteps as ss
from sevensteps.errors import Error
from sevensteps.record.checkpoints import read as read_state
from sevensteps.record.database import read as read_history

RECIPE: dict[str, Any] = {
    "predict": "mlp(12, dropout=0.1, batch_norm=True)",
    "step": "adam(lr=one_cycle(0.01))",
    "repeat": "batches(50)",
    "stop": "epochs(25)",
    "threads": 1,
    "progress": False,
}
SAVE_EVERY = 0.02  # seconds from one state to the next


def train(folder: Path) -> None:
    """Train in `folder`, from the beginning or from where it was."""
    if (folder / "recipe.toml").exists():
        ss.resume(folder, save_every=SAVE_EVERY, say=lambda text: None, progress=False)
    else:
        shutil.rmtree(folder, ignore_errors=True)  # killed before there was anything to go on with
        ss.train("digits", **RECIPE, out=folder, save_every=SAVE_EVERY)


def killed(folder: Path, after: float) -> bool:
    """Train in a child process that is killed `after` so many seconds; False where it had ended by
    then.
    """
    child = os.fork()
    if child == 0:
        try:
            train(folder)
        except BaseException as failure:
            print(f"{type(failure).__name__}: {failure}", file=sys.stderr)
            os._exit(1)
        os._exit(0)
    time.sleep(after)
    os.kill(child, signal.SIGKILL)  # which does nothing to one that has ended
    _, status = os.waitpid(child, 0)
    if not os.WIFSIGNALED(status) and os.waitstatus_to_exitcode(status) != 0:
        raise SystemExit("a training failed")
    return os.WIFSIGNALED(status)


def main(kills: int, seed: int, place: Path) -> dict[str, Any]:
    """Kill until `kills` have hit, each run being trained to its end by and by."""
    torch.set_num_threads(1)
    draw, whole = random.Random(seed), ss.train("digits", **RECIPE, out=place / "whole")
    began = time.monotonic()
    ss.train("digits", **RECIPE, out=place / "again")
    longest = (time.monotonic() - began) / 2
    hit, runs, steps, differing, unreadable = 0, 0, set(), 0, []
    while hit < kills:
        folder = place / f"run{runs}"
        runs += 1
        while not (folder / "run.json").exists():
            if hit == kills:
                train(folder)
                continue
            hit += killed(folder, draw.uniform(0, longest))
            try:
                if (folder / "recipe.toml").exists():
                    state = read_state(folder)
                    steps.add(state.step if state else 0)
                    if (folder / "record.sqlite").exists() and state:
                        read_history(folder)
            except Error as failure:
                unreadable.append(str(failure))
        run = ss.load(folder)
        mine, theirs = run.network.state_dict(), whole.network.state_dict()
        same = (
            all(torch.equal(mine[name], theirs[name]) for name in mine)
            and run.metrics == ss.load(place / "whole").metrics
        )
        same = same and [row["valid"] for row in run.history] == [
            row["valid"] for row in ss.load(place / "whole").history
        ]
        differing += not same
        shutil.rmtree(folder)
    return {
        "kills": hit,
        "runs": runs,
        "states": len(steps),
        "differing": differing,
        "unreadable": unreadable,
    }


if __name__ == "__main__":
    print(json.dumps(main(int(sys.argv[1]), int(sys.argv[2]), Path(sys.argv[3]))))
