"""`sevensteps report`: the page is written, and its path printed last."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

import sevensteps as ss

Command = Callable[..., Any]


@pytest.fixture
def run(sevensteps: Command) -> ss.Run:
    return ss.train("iris", predict="linear()", stop="epochs(3)", out="run")


@pytest.mark.usefixtures("run")
def test_the_path_comes_last(sevensteps: Command) -> None:
    result = sevensteps("report", "run")
    assert (result.code, result.err) == (0, "")
    assert result.lines[-1] == str(Path("run/report.html"))
    assert ss.read_report("run/report.html")["kind"] == "run"


@pytest.mark.usefixtures("run")
def test_as_json(sevensteps: Command) -> None:
    content = json.loads(sevensteps("report", "run", "-o", "a.html", "--json").out)
    assert content["path"] == "a.html"
    assert content["bytes"] == Path("a.html").stat().st_size
    assert content["kind"] == "run"


@pytest.mark.usefixtures("run")
def test_what_is_refused(sevensteps: Command) -> None:
    for arguments, said in (
        (("report", "run", "-o", "a.pdf"), "a.html"),
        (("report", "run", "-o", "none/a.html"), "mkdir -p"),
        (("report", "rum"), "there is no run rum"),
    ):
        result = sevensteps(*arguments)
        assert result.code == 2
        assert said in result.err
        assert len(result.err.splitlines()) == 1
    assert not list(Path().glob("*.html"))
