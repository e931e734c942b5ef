"""Data frames: columns by name, of whatever library."""

from __future__ import annotations

from typing import Any

import pytest

import sevensteps as ss
from sevensteps.data.formats.frame import FrameTable
from sevensteps.errors import ArgumentError, DataError

pyarrow = pytest.importorskip("pyarrow")
COLUMNS: dict[str, list[Any]] = {
    "age": [n % 9 if n % 5 else None for n in range(40)],
    "color": ["red", "blue", "red", None] * 10,
    "lists": [[n] for n in range(40)],
    "kind": ["cat", "dog"] * 20,
}


class Frame:
    """What pandas and polars have in common."""

    def __init__(self, columns: dict[str, list[Any]]) -> None:
        self.data, self.columns = columns, list(columns)

    def __getitem__(self, name: str) -> list[Any]:
        return self.data[name]


@pytest.mark.parametrize("frame", [pyarrow.table(COLUMNS), Frame(COLUMNS)])
def test_a_frame_is_a_table(frame: Any) -> None:
    data = ss.data.from_frame(frame, target="kind", name="pets")
    assert data.features == ("age", "age: missing", "color=blue", "color=red")
    assert data.source == "pets"
    assert any(note.startswith("left out lists (holds list") for note in data.notes)
    run = ss.train(data, stop="epochs(2)", out=False)
    assert run.inputs.encoding == data.encoding


def test_mixed_columns_are_texts() -> None:
    frame = Frame({"code": [1, "x", None, 2.5] * 5, "kind": ["a", "b"] * 10})
    block = next(iter(FrameTable("mixed", frame).blocks(["code"])))
    assert block["code"].kind == "category"
    assert block["code"].missing.tolist()[:4] == [False, False, True, False]


@pytest.mark.parametrize(
    ("library", "dates"),
    [("pandas", "datetime64"), ("polars", "Date")],
)
def test_frames_of_the_libraries(library: str, dates: str) -> None:
    module = pytest.importorskip(library)
    frame = module.DataFrame({**COLUMNS, "n": range(40)})
    data = ss.data.from_frame(frame, target="kind")
    assert data.features == ("age", "age: missing", "color=blue", "color=red", "n"), dates


def test_what_is_no_frame() -> None:
    with pytest.raises(DataError, match="a list is no data frame; for arrays use from_arrays"):
        ss.data.from_frame([1, 2], target="kind")
    with pytest.raises(ArgumentError, match="missing has no option 'guess'"):
        ss.data.from_frame(Frame(COLUMNS), target="kind", missing="guess")
    with pytest.raises(TypeError):
        ss.data.from_frame(Frame(COLUMNS), target="kind", gaps="fill")
