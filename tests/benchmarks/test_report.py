"""What was measured is kept by machine, and a new machine adds its section."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from benchmarks.limits.section import Section
from benchmarks.limits.startup import importing
from benchmarks.report import RESULTS, report
from benchmarks.speed.cases import CASES
from benchmarks.speed.machine import identity
from benchmarks.speed.table import by_epoch, piece, summarize
from benchmarks.stored import FOLDER, load, store

CASE = CASES["mlp30_b16"]


def machine(cores: int = 2) -> dict[str, Any]:
    return {
        "processor": "Some Chip (family 1, model 2)",
        "cores": cores,
        "torch": "9.8.7",
        "system": "Linux x86_64",
        "python": "3.11.7",
    }


def measured(seconds: float, date: str = "2026-01-01") -> dict[str, Any]:
    result = {"seconds_per_epoch": [seconds, seconds], "accuracy": 0.9, "version": "1.0"}
    rows = summarize(CASE.contestants, [dict.fromkeys(CASE.contestants, result)], by_epoch)
    return {CASE.name: piece(rows, date=date, load=0.1, rounds=1, epochs=1)}


def test_a_machine_adds_a_section_and_a_piece_replaces_its_own_only(tmp_path: Path) -> None:
    section = {"title": "Memory", "lines": ["all of it"], "targets": {"half of it": False}}
    limit = {"date": "2026-01-01", "load": 0.1, "rounds": 3, "section": section}
    store(machine(), "epoch", measured(1.0), tmp_path)
    store(machine(), "limits", {"memory": limit}, tmp_path)
    store(machine(4), "epoch", measured(2.0), tmp_path)
    store(machine(), "epoch", measured(3.0, "2026-02-02"), tmp_path)
    machines = load(tmp_path)
    assert [each["machine"]["cores"] for each in machines] == [2, 4]
    assert machines[0]["limits"] == {"memory": limit}
    text = report(machines)
    two, four = text.split("\n## ")[1:]
    assert two.startswith("Some Chip (family 1, model 2), 2 cores, torch 9.8.7\n")
    assert "3.0000" in two
    assert "1.0000 (" not in two
    assert "2026-02-02" in two
    assert "Memory: half of it" in two
    assert "2.0000" in four
    assert Section(**section).markdown("####") in two


def test_a_file_is_replaced_whole(tmp_path: Path) -> None:
    file = store(machine(), "epoch", measured(1.0), tmp_path)
    assert [each.name for each in tmp_path.iterdir()] == [file.name]
    assert file.name == "some-chip-family-1-model-2-2-cores-torch-9.8.7.json"


def test_the_page_is_what_the_stored_figures_give() -> None:
    assert RESULTS.read_text(encoding="utf-8") == report(load(FOLDER))


def test_this_machine_has_a_name(tmp_path: Path) -> None:
    cpuinfo = tmp_path / "cpuinfo"
    cpuinfo.write_text("model name\t: A Chip\ncpu family\t: 6\nmodel\t\t: 207\n")
    here = identity(cpuinfo)
    assert here["processor"] == "A Chip (family 6, model 207)"
    assert here["cores"] >= 1
    assert here["torch"][0].isdigit()


def test_the_seconds_of_importing_are_summed_without_those_of_the_modules_inside() -> None:
    written = (
        "import time: self [us] | cumulative | imported package\n"
        "import time:       200 |        200 |   inner\n"
        "a warning\n"
        "import time:       300 |        500 | outer\n"
    )
    assert importing(written) == 5e-4
