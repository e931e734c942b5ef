"""What is said of a script: each training, healthy ones that are alike in one line, the crash."""

from __future__ import annotations

import dataclasses
import json

import pytest

from sevensteps.doctor.report.script import LEAD, ProcessReport, TrainingReport, first_and_last
from sevensteps.doctor.trials.trial import Trial


def training(*conditions: str, network: str = "net (Net)") -> TrainingReport:
    findings = [{"condition": condition} for condition in conditions]
    return TrainingReport(
        network,
        "train.py:12",
        1200,
        (2.25, 0.125),
        ("SGD",),
        "\n".join(conditions) or "Nothing is wrong",
        {"findings": findings},
    )


def test_a_training_in_a_line() -> None:
    assert training().headline() == (
        "net (Net) · called at train.py:12 · 1,200 steps · loss 2.25 → 0.125 · SGD"
    )


def test_healthy_trainings_that_are_alike_are_one_line() -> None:
    report = ProcessReport((training(), training(), training("dead_units"), training()))
    text = report.text()
    assert text.count("Nothing is wrong") == 1
    assert "training 3 of 4" in text
    assert "2 more trainings of net (Net): nothing is wrong" in text


def test_everything_else_is_said() -> None:
    report = ProcessReport(
        (training(),), crash="It crashed.", failure="KeyError: 3", unwatched=2, others=("others",)
    )
    text = report.text()
    assert all(
        part in text for part in ("It crashed.", "KeyError: 3", "2 more trainings", "others")
    )
    assert json.loads(json.dumps(report.to_dict()))["crash"] == "It crashed."


def test_another_process_reads_what_one_has_written() -> None:
    report = ProcessReport((training("dead_units"),), crash="It crashed.")
    fields = json.loads(json.dumps(dataclasses.asdict(report)))
    assert ProcessReport.from_fields(fields) == report
    assert report.signature() == (("net (Net)", "dead_units"),)


def test_first_and_last_losses_are_means() -> None:
    assert first_and_last([]) is None
    assert first_and_last([(0, 2.0)]) == (2.0, 2.0)
    assert first_and_last([(step, float(step)) for step in range(40)]) == pytest.approx((0.5, 38.5))


def test_a_change_of_several_lines_has_one_for_each() -> None:
    trial = Trial("not_shuffled", {"script": "rewrite()"}, "accuracy", seeds=[0])
    trial.untouched, trial.remedied = [0.5], [0.9]
    patch = "train.py:3: before `for i in a; b` add `c`; train.py:4: `d` → `e`"
    findings = [{"condition": "not_shuffled", "trials": [{**trial.to_dict(), "patch": patch}]}]
    tried = dataclasses.replace(training(), diagnosis={"findings": findings})
    assert ProcessReport((tried,)).tried_text().splitlines()[3:5] == [
        "   → train.py:3: before `for i in a; b` add `c`",
        "     train.py:4: `d` → `e`",
    ]


def test_no_line_is_wider_than_a_terminal() -> None:
    networks = " and ".join(f"network_{number} (Classifier)" for number in range(5))
    for network in (networks, "model (ConvolutionalNetwork)"):
        lines = ProcessReport((training(network=network),)).text(LEAD).splitlines()
        assert lines[0].startswith("sevensteps: n" if network == networks else "sevensteps: m")
        assert all(len(line) <= 80 for line in lines)
        assert " ".join(" ".join(lines).split()).startswith(f"sevensteps: {network} · called at")
    said = ProcessReport(nothing="There is no training to be seen: " + "nothing stepped, " * 9)
    assert all(len(line) <= 80 for line in said.text(LEAD).splitlines())
