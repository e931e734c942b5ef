"""A folder of pictures as new inputs: what cannot be read is skipped and named."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
from PIL import Image

from sevensteps.data import new_pictures
from sevensteps.data.new_pictures import PictureFolder
from sevensteps.data.preprocessing import Preprocessing
from sevensteps.data.scaling import identity_scaling
from sevensteps.errors import DataError


def trained_on(shape: tuple[int, ...], highest: float | None = 255) -> Preprocessing:
    kind = "image" if len(shape) == 3 else "table"
    return Preprocessing(shape, kind, (), highest, identity_scaling(), identity_scaling())  # type: ignore[arg-type]


def test_pictures_come_some_at_a_time(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(new_pictures, "AT_ONCE", 2)
    for index in range(5):
        Image.new("L", (6, 4), index).save(tmp_path / f"{index}.png")
    (tmp_path / "2.png").write_bytes(b"no")
    folder = PictureFolder(tmp_path, trained_on((1, 2, 3)), resize=True, invert=False)
    blocks = list(folder.blocks())
    assert [names for names, _ in blocks] == [["0.png", "1.png"], ["3.png"], ["4.png"]]
    assert torch.cat([raw for _, raw in blocks])[:, 0, 0, 0].tolist() == [0, 1, 3, 4]
    (note,) = folder.report()
    assert "skipped 1 file that cannot be read: 2.png (it is none of PNG" in note


def test_folders_that_are_refused(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="holds no picture"):
        PictureFolder(tmp_path, trained_on((1, 2, 3)), resize=True, invert=False)
    Image.new("L", (6, 4)).save(tmp_path / "0.png")
    with pytest.raises(DataError, match="was trained on a table"):
        PictureFolder(tmp_path, trained_on((3,)), resize=True, invert=False)
    folder = PictureFolder(tmp_path, trained_on((1, 2, 3)), resize=False, invert=False)
    with pytest.raises(DataError, match="6 × 4 pixels, but the network was trained on 3 × 2"):
        list(folder.blocks())
    (tmp_path / "0.png").write_bytes(b"no")
    with pytest.raises(DataError, match="no picture of the folder can be read"):
        list(folder.blocks())
