"""Tensors survive their file to the bit; a damaged or hostile file is one line."""

from __future__ import annotations

from pathlib import Path

import pytest

import sevensteps as ss
from sevensteps.errors import RunError
from sevensteps.record.tensors import read_tensors


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"", "cannot be read: Error while deserializing header: header too small"),
        (b"\xff" * 40, "cannot be read: Error while deserializing header: header too large"),
        (
            b"\x02" + bytes(7) + b"{}",
            'does not fit mlp(4): Missing key(s) in state_dict: "layer1.weight", "layer1.bias", '
            '"output.weight", '
            '"output.bias".',
        ),
    ],
    ids=["empty", "no header", "no tensor"],
)
def test_damaged_weights(content: bytes, message: str, damaged: Path) -> None:
    file = damaged / "weights.safetensors"
    file.write_bytes(content)
    with pytest.raises(RunError) as caught:
        ss.load(damaged)
    assert str(caught.value) == f"{file} {message}"


def test_weights_that_are_cut_short_or_missing(damaged: Path) -> None:
    file = damaged / "best.safetensors"
    file.write_bytes(file.read_bytes()[:-1])
    with pytest.raises(RunError, match=r"best.safetensors cannot be read: "):
        read_tensors(file)
    file.unlink()
    with pytest.raises(
        RunError, match=r"best.safetensors cannot be read: No such file or directory"
    ):
        ss.load(damaged)
