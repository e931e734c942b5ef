"""--labels and --size: they go into the notation of a folder of pictures, and of no other data."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import click
import pytest
from PIL import Image

from sevensteps.cli.picture_options import with_picture_options


def test_labels_and_size_go_into_the_notation_of_a_folder(tmp_path: Path) -> None:
    folder = str(tmp_path)
    assert with_picture_options("iris", None, None) == "iris"
    assert (
        with_picture_options(folder, "l.csv", "48x64")
        == f'image_folder("{folder}", size=(48, 64), labels="l.csv")'
    )
    assert with_picture_options(folder, None, "32") == f'image_folder("{folder}", size=32)'
    with pytest.raises(click.UsageError, match="--labels is for a folder of pictures, but DATA"):
        with_picture_options("iris", "l.csv", None)
    with pytest.raises(click.UsageError, match="must be a side, 64, or height x width"):
        with_picture_options(folder, None, "big")


def test_a_folder_with_a_table_is_described_and_trained_on(
    sevensteps: Callable[..., Any],
) -> None:
    Path("pics").mkdir()
    for index in range(12):
        Image.new("L", (4 + index % 2, 4), 100 * (index % 2)).save(f"pics/{index}.png")
    rows = [f"{index}.png,{'odd' if index % 2 else 'even'}" for index in range(12)]
    Path("labels.csv").write_text("\n".join(["name,kind", *rows]))
    described = sevensteps("data", "pics", "--labels", "labels.csv", "--size", "3x4")
    assert (described.code, described.err) == (0, "")
    assert "12 pictures in 2 classes, 3 x 4 pixels" in " ".join(described.out.split())
    trained = sevensteps("train", "pics", "--labels", "labels.csv", "--stop", "epochs(1)")
    assert trained.code == 0
    assert "Data: brought all pictures, of 2 sizes (4 x 4 to 4 x 5 pixels), to" in " ".join(
        trained.out.split()
    )
