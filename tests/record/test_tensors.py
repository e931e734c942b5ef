"""Tensors survive their file to the bit; a damaged or hostile file is one line."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
import torch

import sevensteps as ss
from sevensteps.errors import RunError
from sevensteps.record.tensors import read_shapes, read_tensors, to_safetensors


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


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64, torch.bfloat16, torch.int64])
def test_tensors_come_back_to_the_bit(dtype: torch.dtype, tmp_path: Path) -> None:
    whole = torch.arange(24).view(4, 6).to(dtype)
    tensors = {"view": whole[1:, ::2], "number": whole[0, 0], "empty": whole[:0]}
    path = tmp_path / "a.safetensors"
    path.write_bytes(to_safetensors(tensors))
    assert read_shapes(path) == {name: tuple(tensor.shape) for name, tensor in tensors.items()}
    read = read_tensors(path)
    for name, tensor in tensors.items():
        assert read[name].dtype is dtype
        assert torch.equal(read[name], tensor)


def test_what_announces_more_than_there_is_takes_no_memory(tmp_path: Path) -> None:
    path = tmp_path / "a.safetensors"
    for entry, message in (
        ({"dtype": "F32", "shape": [1 << 40, 0], "data_offsets": [0, 0]}, "larger than any"),
        ({"dtype": "F32", "shape": [0] * 17, "data_offsets": [0, 0]}, "larger than any"),
        ({"dtype": "F8_E4M3", "shape": [0], "data_offsets": [0, 0]}, "which no network here has"),
    ):
        header = json.dumps({"w": entry}).encode()
        path.write_bytes(len(header).to_bytes(8, "little") + header)
        with pytest.raises(RunError, match=message):
            read_tensors(path)
