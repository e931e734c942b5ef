"""Training scripts, unwatched and by `sevensteps watch`: the comparison on made-up outcomes, the
catalogue against the files, and the scripts run both ways."""

from __future__ import annotations

import difflib
import io
from typing import Any

import pytest
import torch

from benchmarks.doctor.scripts.catalogue import FOLDER, Script, catalogue
from benchmarks.doctor.scripts.compare import differences, verdict
from benchmarks.doctor.scripts.start import Outcome, start

SCRIPTS = {script.name: script for script in catalogue()}


def outcome(report: dict[str, Any] | None = None, **changes: Any) -> Outcome:
    values: dict[str, Any] = {
        "code": 0,
        "stdout": b"loss 1\nscore 0.9\n",
        "stderr": "",
        "files": {},
    }
    return Outcome(**(values | {"seconds": 1.0, "cpu": 1.0, "report": report} | changes))


def says(*conditions: str, severity: str = "warning") -> dict[str, Any]:
    findings = [{"condition": name, "severity": severity} for name in conditions]
    return {"trainings": [{"diagnosis": {"findings": findings}}]}


@pytest.mark.parametrize("script", SCRIPTS.values(), ids=lambda script: script.name)
def test_every_script_of_the_catalogue_is_there(script: Script) -> None:
    assert (FOLDER / script.file).exists()
    assert all(argument.strip() for argument in script.command(3))
    assert "{" not in " ".join([*script.command(3), *script.environment(3).values()])
    assert "3" in " ".join([*script.command(3), *script.environment(3).values()])
    if script.kind == "faulty":
        assert SCRIPTS[script.sibling].kind == "healthy"
        assert script.accepted or script.crash
        assert not set(script.accepted) & set(script.near)


def test_every_file_is_in_the_catalogue() -> None:
    for kind in ("healthy", "faulty"):
        files = {
            entry.relative_to(FOLDER).as_posix()
            for entry in (FOLDER / kind).iterdir()
            if entry.suffix == ".py" or (entry / "__main__.py").exists()
        }
        assert files == {script.file for script in catalogue(kind)}


def test_half_of_the_families_are_kept_back() -> None:
    families = {script.family: script.kept_back for script in SCRIPTS.values()}
    assert all(script.kept_back == families[script.family] for script in SCRIPTS.values())
    assert abs(sum(families.values()) - len(families) / 2) <= 1


def test_each_healthy_script_has_a_faulty_sibling() -> None:
    assert {script.sibling for script in catalogue("faulty")} == {
        script.name for script in catalogue("healthy")
    }


@pytest.mark.parametrize(
    "script",
    [script for script in catalogue("faulty") if script.file.endswith(".py")],
    ids=lambda script: script.name,
)
def test_a_faulty_script_is_its_sibling_with_one_mistake(script: Script) -> None:
    own, healthy = (
        (FOLDER / file).read_text(encoding="utf-8").splitlines()
        for file in (script.file, SCRIPTS[script.sibling].file)
    )
    changed = [line for line in difflib.ndiff(healthy, own) if line[0] in "+-"]
    assert 1 <= len(changed) <= 20


@pytest.mark.parametrize(
    ("name", "report", "expected"),
    [
        ("plain_loop", says(), "silent"),
        ("plain_loop", says("dead_units", severity="info"), "silent"),
        ("plain_loop", says("dead_units"), "accused"),
        ("plain_loop", {"trainings": []}, "unseen"),
        ("plain_loop", None, "failed"),
        ("plain_loop_double_softmax", says(), "silent"),
        ("plain_loop_double_softmax", says("output_loss_mismatch", "dead_units"), "right"),
        ("plain_loop_double_softmax", says("dead_units", "output_loss_mismatch"), "listed"),
        ("plain_loop_double_softmax", says("learning_rate_too_low"), "near"),
        ("plain_loop_double_softmax", says("dead_units"), "wrong"),
        ("dataloader_workers_labels_from_one", says("target_out_of_range"), "explained"),
        ("dataloader_workers_labels_from_one", says("dead_units"), "unexplained"),
        ("dataloader_workers_labels_from_one", {"crash": "a label of 10, 10 outputs"}, "explained"),
        ("dataloader_workers_labels_from_one", {"crash": "10 is too large"}, "unexplained"),
    ],
)
def test_the_verdict(name: str, report: dict[str, Any] | None, expected: str) -> None:
    assert verdict(SCRIPTS[name], outcome(report)) == expected


def saved(tensor: torch.Tensor, **more: Any) -> bytes:
    file = io.BytesIO()
    torch.save({"weight": tensor, **more}, file)
    return file.getvalue()


@pytest.mark.parametrize(
    ("changes", "expected"),
    [
        ({}, []),
        ({"code": 1}, ["exit code 1, not 0"]),
        ({"stderr": "the diagnosis"}, []),
        ({"stdout": b"loss 2\nscore 0.9\n"}, ["stdout: b'loss 2', not b'loss 1'"]),
        ({"stdout": b"loss 1\n"}, ["stdout: 1 lines, not 2"]),
        ({"files": {}}, ["files [], not ['best.pt', 'log.csv']"]),
        (
            {"files": {"best.pt": saved(torch.zeros(2)), "log.csv": b"2"}},
            ["best.pt: other tensors", "log.csv: other bytes"],
        ),
        (
            {"files": {"best.pt": saved(torch.ones(2), hook="ours"), "log.csv": b"1"}},
            ["best.pt: the same tensors in other bytes"],
        ),
    ],
)
def test_what_a_watch_changed(changes: dict[str, Any], expected: list[str]) -> None:
    files = {"best.pt": saved(torch.ones(2)), "log.csv": b"1"}
    plain, watched = outcome(files=files), outcome(**({"files": files} | changes))
    assert differences(SCRIPTS["plain_loop"], plain, watched) == expected


def test_the_traceback_of_a_crash_stays() -> None:
    plain = outcome(code=1, stderr="Traceback\nIndexError: Target 10 is out of bounds.\n")
    lost = outcome(code=1, stderr="the diagnosis")
    assert differences(SCRIPTS["plain_loop"], plain, plain) == []
    assert differences(SCRIPTS["plain_loop"], plain, lost) == [
        "no 'IndexError: Target 10 is out of bounds.' on standard error"
    ]


def both_ways(script: Script) -> tuple[str, list[str]]:
    plain, watched = start(script, 0, watched=False), start(script, 0, watched=True)
    assert plain.code == (1 if script.crash is not None else 0), plain.stderr
    assert set(script.outputs) <= set(plain.files)
    return verdict(script, watched), differences(script, plain, watched)


@pytest.mark.slow  # tests/cli/test_watch.py runs one of its own both ways
@pytest.mark.timeout(900)  # two starts, on a busy machine too
@pytest.mark.parametrize("script", catalogue("healthy"), ids=lambda script: script.name)
def test_a_healthy_script_is_left_as_it_is_and_not_accused(script: Script) -> None:
    assert both_ways(script) == ("silent", [])


@pytest.mark.slow
@pytest.mark.timeout(900)
@pytest.mark.parametrize("script", catalogue("faulty"), ids=lambda script: script.name)
def test_a_faulty_script_is_left_as_it_is(script: Script) -> None:
    answer, changed = both_ways(script)
    assert changed == []
    assert answer != "failed"
