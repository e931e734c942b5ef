"""The user's files."""

from __future__ import annotations

from pathlib import Path

from sevensteps.doctor.trials.script.source import Source, calls_at, file_and_line, name_of_call


def test_calls_on_a_line_the_outermost_first(tmp_path: Path) -> None:
    path = tmp_path / "train.py"
    path.write_text("a = 1\nb = f(\n    x.g(),\n)\n")
    files = [Source(path)]
    assert [name_of_call(call) for _, call in calls_at(files, "train.py:3")] == ["f", "g"]
    assert list(calls_at(files, "other.py:3")) == []
    assert file_and_line("train.py:2", files) == (files[0], 2)
    assert files[0].line(2) == "b = f("


def test_a_file_that_is_no_python_has_no_calls(tmp_path: Path) -> None:
    path = tmp_path / "train.py"
    path.write_text("a = = 1")
    assert Source(path).calls == []
    assert Source(tmp_path / "missing.py").text == ""
