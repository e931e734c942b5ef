"""The pictures of a folder as new inputs, some at a time: each in the size trained on."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import torch
from jaxtyping import Float
from torch import Tensor

from sevensteps.data.formats.image_file import IMAGE_ENDINGS
from sevensteps.data.formats.picture_files import count, picture_files, some
from sevensteps.data.prediction_inputs import read_inputs
from sevensteps.data.preprocessing import Preprocessing
from sevensteps.errors import DataError

AT_ONCE = 500  # pictures


class PictureFolder:
    """The pictures at any depth below a folder; `unreadable` are those that were skipped, and
    why.
    """

    def __init__(self, folder: Path, inputs: Preprocessing, *, resize: bool, invert: bool) -> None:
        self.folder, self.inputs, self.resize, self.invert = folder, inputs, resize, invert
        self.files, self.others = picture_files(folder)
        self.unreadable: dict[str, str] = {}
        if inputs.kind != "image":
            raise DataError(
                f"{folder}: a folder of pictures, but the network was trained on a table; give a "
                "table with its columns"
            )
        if not self.files:
            raise DataError(f"{folder}: holds no picture ({', '.join(IMAGE_ENDINGS)})")

    def blocks(self) -> Iterator[tuple[list[str], Float[Tensor, "N C H W"]]]:
        """Some pictures at a time: their paths below the folder, and the raw inputs. Raises
        `DataError` where none can be read, or a size is another and may not be changed.
        """
        is_read = False
        for start in range(0, len(self.files), AT_ONCE):
            names, pixels = [], []
            for file in self.files[start : start + AT_ONCE]:
                name = file.relative_to(self.folder).as_posix()
                try:
                    _, raw = read_inputs(file, self.inputs, resize=self.resize, invert=self.invert)
                except DataError as failure:
                    if "allow --resize" in str(failure):
                        raise
                    reason = str(failure).removeprefix(f"{file}: ")
                    self.unreadable[name] = reason.removeprefix("cannot be read as a picture: ")
                    continue
                names.append(name)
                pixels.append(raw)
            if names:
                is_read = True
                yield names, torch.cat(pixels)
        if not is_read:
            name, why = next(iter(self.unreadable.items()))
            raise DataError(f"{self.folder / name}: {why}; no picture of the folder can be read")

    def report(self) -> list[str]:
        """What was skipped, a line each."""
        notes = []
        if self.unreadable:
            texts = [f"{name} ({why})" for name, why in self.unreadable.items()]
            notes.append(f"skipped {count(len(texts), 'file')} that cannot be read: {some(texts)}")
        if self.others:
            are = "is no picture" if self.others == 1 else "are no pictures"
            notes.append(f"skipped {count(self.others, 'file')} that {are}")
        return [f"{self.folder}: {note}" for note in notes]
