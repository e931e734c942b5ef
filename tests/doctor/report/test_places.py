"""Findings of the optimizer and of gradients that are not cleared name the line of the script."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from sevensteps.doctor.conditions import condition_names
from sevensteps.doctor.finding import Finding
from sevensteps.doctor.report.places import LINES, SENTENCES, Place, name_lines

SCRIPT = """\
import torch
from torch import nn

torch.manual_seed(0)
x = torch.randn(256, 8)
y = x[:, :3].argmax(1)
model = nn.Sequential(nn.Linear(8, 16), nn.ReLU(), nn.Linear(16, 3))
optimizer = torch.optim.SGD(model.parameters(), {settings})
for _ in range(60):
    loss = nn.functional.cross_entropy(model(x), y)
    {clear}
    loss.backward()
    optimizer.step()
"""
PLACES: dict[Place, str] = {"optimizer": "a.py:3", "backward": "a.py:9"}


def finding(condition: str, text: str = "It is so.") -> Finding:
    return Finding(condition, "step", "error", 0.9, text, [])


def test_every_condition_is_one() -> None:
    assert set(LINES) <= set(condition_names())
    assert set(LINES.values()) == set(SENTENCES)


@pytest.mark.parametrize("condition", LINES)
def test_a_finding_names_its_line_once(condition: str) -> None:
    line = PLACES[LINES[condition]]
    cause = finding("dead_units")
    cause.symptoms.append(finding(condition))
    name_lines([cause], PLACES)
    name_lines([cause], PLACES)
    assert cause.explanation == "It is so."
    (symptom,) = cause.symptoms
    assert symptom.explanation.count(line) == 1
    assert symptom.where == {"line": line}


def test_a_line_that_is_not_known_is_not_named() -> None:
    of_rate = finding("learning_rate_too_high")
    name_lines([of_rate], {"optimizer": ""})
    assert (of_rate.explanation, of_rate.where) == ("It is so.", {})


@pytest.mark.parametrize(
    ("settings", "clear", "said"),
    [
        ("lr=50.0", "optimizer.zero_grad()", "The optimizer is made at train.py:8."),
        ("lr=0.1, momentum=0.9", "pass", "backward() is called at train.py:12."),
    ],
)
@pytest.mark.long
def test_a_watched_script_is_told_the_line(
    settings: str, clear: str, said: str, tmp_path: Path
) -> None:
    (tmp_path / "train.py").write_text(SCRIPT.format(settings=settings, clear=clear))
    command = [sys.executable, "-m", "sevensteps", "watch", "train.py"]
    root = Path(__file__).resolve().parents[3]
    result = subprocess.run(
        command,
        cwd=tmp_path,
        env={**os.environ, "PYTHONPATH": str(root)},
        capture_output=True,
        text=True,
    )
    assert said in " ".join(result.stderr.split())
