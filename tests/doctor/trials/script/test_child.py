"""The process of a trial: one script, run with settings that are written out here."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from sevensteps.doctor.trials.script.backend import ENTRY
from sevensteps.doctor.trials.script.isolation import copy_folder
from sevensteps.observe.script.launch import PACKAGE, watched
from tests.doctor.trials.script.scripts import SOFTMAX_TWICE, TAKE_OFF


def run(folder: Path, name: str, **settings: Any) -> dict[str, Any]:
    work, own = folder / "work", folder / name
    work.mkdir(exist_ok=True)
    (work / "train.py").write_text(SOFTMAX_TWICE)
    (work / "log.txt").write_text("before\n")
    copy = copy_folder(work, own / "root")
    (own / "outside").mkdir()
    whole = {
        "entry": ENTRY,
        "package": PACKAGE,
        "path": None,
        "prints": True,
        "keep": False,
        "change": {},
        "seed": 0,
        "training": 0,
        "max_steps": None,
        "max_evaluations": None,
        "result": str(own / "result.json"),
        "samples": str(folder / "samples"),
        "original": str(work),
        "copy": str(copy),
        "outside": str(own / "outside"),
        "writable": str(folder),
        **settings,
    }
    subprocess.run(
        [sys.executable, "train.py"],
        cwd=copy,
        env={**watched(os.environ, whole), "OMP_NUM_THREADS": "1"},
        timeout=100,
        check=False,
    )
    result: dict[str, Any] = json.loads((own / "result.json").read_text())
    return result


@pytest.mark.long
def test_a_run_with_a_change_cut_off_and_measured_on_the_same_samples(tmp_path: Path) -> None:
    untouched = run(tmp_path, "untouched")
    assert (untouched["steps"], untouched["cut"], untouched["trial_failure"]) == (64, False, None)
    assert (tmp_path / "samples").exists()
    # the script counts right answers itself, as its last line of output says
    assert 0.3 < untouched["valid_score"] <= 1
    altered = run(tmp_path, "altered", change=TAKE_OFF, max_steps=50)
    assert (altered["steps"], altered["cut"], altered["applied"]) == (50, True, True)
    assert altered["kept"][0] == untouched["kept"][0]
    assert altered["loss"] < untouched["loss"]
    assert (tmp_path / "work" / "log.txt").read_text() == "before\n"
    assert sorted(p.name for p in (tmp_path / "work").iterdir()) == ["log.txt", "train.py"]


@pytest.mark.slow
def test_a_change_that_meets_nothing_says_so(tmp_path: Path) -> None:
    change = {"loss": "take_off(function='softmax', place='train.py:1')"}
    assert not run(tmp_path, "altered", change=change, max_steps=5)["applied"]
