"""What the doctor's benchmark counts, on made-up runs; the other tools are not needed."""

from __future__ import annotations

import importlib
from pathlib import Path
from typing import Any

import pytest

from benchmarks.doctor import counted, results
from benchmarks.doctor.loop import Case
from benchmarks.doctor.peers import OURS, Tool, tools
from benchmarks.doctor.peers.__main__ import judge, report
from benchmarks.doctor.peers._turn import turn
from sevensteps.doctor.conditions import BY_STEP

FAULTY = Case(
    "faulty", "faulty", ("dead_units", "learning_rate_too_high"), lambda seed: None, twin="cured"
)  # type: ignore[arg-type,return-value]
STRUCTURAL = Case(
    "structural", "faulty", ("symmetric_units",), lambda seed: None, twin="cured", structural=True
)  # type: ignore[arg-type,return-value]


def scores(*values: float) -> list[dict[str, Any]]:
    return [{"score": value} for value in values]


def test_a_fault_counts_where_it_shows() -> None:
    assert counted.shown(FAULTY, scores(0.5, 0.88, 0.95), scores(0.9, 0.92)) == scores(0.5)
    assert counted.shown(FAULTY, scores(0.5), []) == []
    assert counted.shown(STRUCTURAL, scores(0.95), scores(0.9)) == scores(0.95)


def test_a_healthy_run_counts_where_it_learned() -> None:
    assert counted.learned(scores(1.0, 0.85, 0.7)) == scores(1.0, 0.85)
    assert counted.learned([]) == []


@pytest.mark.parametrize(
    ("said", "true"),
    [
        ([], set()),
        ([("a", True, ("dead_units",))], {"anything", "condition", "first", "step", "first step"}),
        ([("a", False, ("dead_units",))], {"condition", "step"}),  # a remark is no warning
        ([("a", True, ()), ("b", True, ("weight_decay_too_strong",))], {"anything", "step"}),
        (
            [("a", True, ("saturated_units",)), ("b", True, ("label_noise", "dead_units"))],
            {"anything", "condition", "step", "first step"},
        ),
        ([("a", True, ("label_noise",))], {"anything"}),
    ],
)
def test_any_condition_that_a_finding_may_mean_counts(said: list[Any], true: set[str]) -> None:
    assert {key for key, is_true in judge(said, FAULTY.conditions).items() if is_true} == true


@pytest.mark.parametrize("name", ["torch_audit", "torchmortem"])
def test_what_peers_say_means_conditions_that_there_are(name: str) -> None:
    peer = importlib.import_module(f"benchmarks.doctor.peers.{name}")
    known = {condition for conditions in BY_STEP.values() for condition in conditions}
    assert {condition for means in peer.MEANS.values() for condition in means} <= known
    assert peer.MEANS


def test_a_section_is_put_in_the_place_of_its_own(tmp_path: Path) -> None:
    file = tmp_path / "RESULTS.md"
    results.put("Second", ["# Second", "", "old"], file)
    results.put("Third", ["# Third", "", "## Part", "three"], file)
    file.write_text("# First\n\none\n\n" + file.read_text())
    results.put("Second", ["# Second", "", "new"], file)
    assert file.read_text() == "# First\n\none\n\n# Second\n\nnew\n\n# Third\n\n## Part\nthree\n"


@pytest.mark.draws
def test_one_case_by_one_tool() -> None:
    name = "xor: softmax over one unit"
    found = turn((name, 0, f"{OURS}, every step"))
    said = found["tools"].pop(f"{OURS}, every step")
    assert found == {
        "name": name,
        "seed": 0,
        "score": 0.5,
        "seconds": found["seconds"],
        "tools": {},
    }
    assert ("output_loss_mismatch", True, ("output_loss_mismatch",)) in said["said"]
    assert said["same"]
    assert not said["failure"]


def test_a_tool_that_crashes_has_said_nothing_and_the_crash_is_counted() -> None:
    def run(case: str, score: float, **tool: Any) -> dict[str, Any]:
        return {
            "name": case,
            "seed": 0,
            "score": score,
            "seconds": 1.0,
            "tools": {
                "good": {
                    "said": [("NaN", True, ("not_finite", "dead_units"))],
                    "failure": "",
                    "seconds": 2.0,
                    "same": True,
                },
                "bad": {"said": [], "failure": "ValueError: no", **tool},
            },
        }

    faulty, healthy = "MNIST: ReLU on the output", "MNIST"
    runs = {faulty: [run(faulty, 0.5)], healthy: [run(healthy, 0.9)]}
    lines = report(
        {label: Tool(label, "1.0", None) for label in ("good", "bad")}, list(runs), runs, 1
    )  # type: ignore[arg-type]
    good, bad = (
        next(line for line in lines if line.startswith(f"| {label} | 1.0"))
        for label in ("good", "bad")
    )
    assert good.split(" | ")[2:] == [
        "1 (100 %)",
        "1 (100 %)",
        "1 (100 %)",
        "1 (100 %)",
        "1 (100 %)",
        "1 (100 %)",
        "0",
        "0",
        "2.00 |",
    ]
    assert bad.split(" | ")[2:] == ["0 (0 %)"] * 6 + ["2", "0", "nan |"]
    assert any("ValueError: no" in line for line in lines)
    assert f"| {faulty} | 1 | 1 / 1 | 0 / 0 |" in lines


def test_ours_takes_part_first_wherever_the_others_are() -> None:
    assert next(iter(tools())) == OURS
    assert tools("no such tool") == {}
