"""A figure that cannot be drawn is refused before anything is read or trained, by every command
that draws.
"""

from __future__ import annotations

import importlib.util

import pytest

from sevensteps.cli import main

COMMANDS = [
    ["race", "digits", "--step", "sgd(lr=0.1)", "--step", "sgd(lr=1)"],
    ["rate", "digits"],
    *(["explain", "no-run", question] for question in ("why", "steps", "surface", "shapes")),
    ["explain", "no-run", "sample", "0"],
    ["explain", "no-run", "gradient", "0"],
    ["explain", "no-run", "neuron", "layer1", "0"],
]


@pytest.mark.parametrize(
    "words", COMMANDS, ids=lambda words: words[-1] if words[0] != "race" else "race"
)
def test_without_matplotlib(
    words: list[str], monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(importlib.util, "find_spec", lambda name, package=None: None)
    with pytest.raises(SystemExit) as end:
        main([*words, "--plot", "a.png"])
    out, err = capsys.readouterr()
    assert (end.value.code, out) == (2, "")
    assert err.startswith("sevensteps: drawing needs matplotlib, which is not installed; write: ")
    assert err.endswith(" -m pip install matplotlib\n")
    assert len(err.splitlines()) == 1
