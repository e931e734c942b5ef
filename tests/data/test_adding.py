"""A new source is one file and one row of a table; everything else knows it from there."""

from __future__ import annotations

import inspect
import json
from collections.abc import Callable
from typing import Any

import pytest
import torch
from click.testing import CliRunner

import sevensteps as ss
from sevensteps.cli.data import command
from sevensteps.data import loading
from sevensteps.errors import NotationError
from tests.data import test_sources as contract

NAME = "sine_wave"
ROW = "tests.data.added.sine_wave"


@pytest.fixture
def added(monkeypatch: pytest.MonkeyPatch) -> None:
    """The row in the table of sources, and that of what the source is in the table of its tests."""
    monkeypatch.setattr(loading, "SOURCE_MODULES", (*loading.SOURCE_MODULES, ROW))
    expected = contract.Expected("table", "regression", (1,), 160, 40)
    monkeypatch.setitem(contract.SOURCES, NAME, expected)


def common_tests() -> list[Callable[..., None]]:
    """All tests of the contract table that any source must pass, with classes or without."""
    return [
        test
        for name, test in vars(contract).items()
        if name.startswith("test_")
        and {"name"} <= set(inspect.signature(test).parameters) <= {"name", "request", "scale"}
        and test is not contract.test_the_split_keeps_the_balance
    ]


def test_without_its_row_it_is_unknown() -> None:
    with pytest.raises(NotationError, match=f"data has no '{NAME}'"):
        ss.data.load(NAME)


@pytest.mark.usefixtures("added")
def test_it_loads_by_name() -> None:
    data = ss.data.load(f"{NAME}(noise=0, seed=3)")
    t = data.train.x.double()
    expected = torch.sin(2 * torch.pi * t)
    torch.testing.assert_close(data.train.y.double(), expected, atol=1e-6, rtol=0)
    assert data.source == f"{NAME}(noise=0, seed=3)"
    with pytest.raises(NotationError, match="noise must be at least 0, not -1"):
        ss.data.load(f"{NAME}(noise=-1)")


@pytest.mark.usefixtures("added")
def test_the_command_line_lists_and_describes_it() -> None:
    listed, shown = (
        CliRunner().invoke(command, arguments, catch_exceptions=False).output
        for arguments in (["--json"], [NAME, "--json"])
    )
    assert json.loads(listed)[-1]["name"] == NAME
    assert json.loads(shown) == ss.data.load(NAME).facts()


@pytest.mark.usefixtures("added")
def test_it_is_trained_on() -> None:
    run = ss.train(
        NAME, predict="mlp(8)", step="adam(lr=0.05)", stop="epochs(20)", out=False, progress=False
    )
    assert run.recipe.source == NAME
    assert run.metrics["valid"]["r2"] > 0.5


@pytest.mark.usefixtures("added")
@pytest.mark.parametrize("test", common_tests(), ids=lambda test: test.__name__)
def test_the_common_tests_accept_it(
    test: Callable[..., None], request: pytest.FixtureRequest
) -> None:
    arguments: dict[str, Any] = {"name": NAME, "request": request, "scale": "standardize"}
    test(**{name: arguments[name] for name in inspect.signature(test).parameters})
