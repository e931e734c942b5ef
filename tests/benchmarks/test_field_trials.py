"""Scripts made of the cases of the field, and what is said of their trials."""

from __future__ import annotations

import ast

import pytest

from benchmarks.doctor import field_trials
from benchmarks.doctor.field_scripts import plain_script
from benchmarks.doctor.field_trials import cures, report

CASE = """
from _common import *
def run(which, seed):
    seed_all(seed); m = net(which == 'twin'); rate = 9. if which == 'fault' else .1
    with watch(m) as w:
        for b in batches(9, 3): loss = step(m, b); w.step(loss)
    d = w.diagnose()
    if which == 'twin': rest()
    return d, score(m)
"""


@pytest.mark.parametrize("which", ["fault", "twin"])
def test_a_script_without_a_watch_and_without_a_choice(which: str) -> None:
    text = plain_script(CASE, which)
    ast.parse(text)
    assert "watch" not in text
    assert "w." not in text
    assert "which" not in text
    assert ("rate = 9.0" in text) == (which == "fault")
    assert ("rest()" in text) == (which == "twin")
    assert text.endswith("    return score(m)\nprint('score', main())\n")


def test_a_cure_reaches_half_of_the_way() -> None:
    scores = {"untouched": [0.1] * 5, "twin": [0.9] * 5}
    assert cures({**scores, "remedied": [0.5, 0.6, 0.6, 0.0, 0.9]})
    assert not cures({**scores, "remedied": [0.4] * 5})
    assert not cures({"untouched": [0.9] * 5, "twin": [0.9] * 5, "remedied": [0.9] * 5})


def test_the_table_counts_scripts_with_a_remedy() -> None:
    nothing = {"name": "a.py", "found": [], "records": [], "best": None, "seconds": 1.0}
    best = {"difference": 0.5, "interval": (0.4, 0.6), "patch": "a.py:1: `x|y`", "measure": "r2"}
    proven = {**nothing, "name": "b.py", "found": ["loss_sign"], "best": best}
    lines = "\n".join(report([nothing, proven], 60.0, 90.0))
    assert "| scripts with a remedy that is proven | 1 of 1 | 70% |" in lines
    assert "`xory`" in lines


def test_without_the_scripts_it_says_so(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(field_trials, "faulty", list)
    monkeypatch.setattr("sys.argv", ["field_trials"])
    assert field_trials.main() == 0
    assert "skipped" in capsys.readouterr().out
