"""Which pictures a folder holds: by folders, or by a table of labels."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
from PIL import Image

import sevensteps as ss
from sevensteps.data.formats.picture_files import picture_files
from sevensteps.errors import DataError


@pytest.fixture
def pets(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Ten gray pictures of each of two classes, dark cats and light dogs, in `pets` here."""
    monkeypatch.chdir(tmp_path)
    for name, light in (("cat", 10), ("dog", 200)):
        Path("pets", name).mkdir(parents=True)
        for index in range(10):
            Image.new("L", (6, 4), light + index).save(f"pets/{name}/{index}.png")
    return Path("pets")


def test_hidden_files_and_those_of_a_system_count_as_nothing(pets: Path) -> None:
    for name in (".DS_Store", "Thumbs.db", "desktop.ini", "cat/._0.png", "notes.txt"):
        (pets / name).write_text("x")
    (pets / "__MACOSX").mkdir()
    (pets / "__MACOSX" / "0.png").write_text("x")
    files, others = picture_files(pets)
    assert (len(files), others) == (20, 1)


def test_a_table_of_labels(pets: Path) -> None:
    for path in pets.rglob("*.png"):
        path.rename(pets / f"{path.parent.name}{path.name}")
    table = pets / "labels.csv"
    rows = [
        f"{kind}{index}.png,{kind},{index / 4}" for kind in ("cat", "dog") for index in range(9)
    ]
    table.write_text("file,kind,weight\n" + "\n".join([*rows, "gone.png,cat,1", "dog9.png,,"]))
    data = ss.data.load("pets", labels="pets/labels.csv", target="kind")
    assert data.task.classes == ("cat", "dog")
    assert len(data.train) + len(data.valid) == 18
    assert data.notes == (
        "left out 2 pictures without a label in labels.csv: cat9.png, dog9.png",
        "1 row of labels.csv without a picture: gone.png",
    )
    light = data.train.x.flatten(1).mean(1) > 0.5
    assert torch.equal(light, data.train.y[:, 0] == 1)
    amounts = ss.data.load("pets", labels="pets/labels.csv", target="weight")
    assert amounts.task.kind == "regression"
    assert ss.data.load(amounts.source).train.x.equal(amounts.train.x)


@pytest.mark.parametrize("names", ["cat/{}.png", "pets/cat/{}.png", "./cat/{}.png", "cat\\{}.png"])
def test_names_of_pictures_are_paths_too(pets: Path, names: str) -> None:
    rows = [f"{names.format(index)};{index % 2}" for index in range(10)]
    (pets / "l.csv").write_text("picture;kind\n" + "\n".join(rows))
    (pets / "l.csv").write_text((pets / "l.csv").read_text().replace(";", ","))
    data = ss.data.load("pets", labels=str(pets / "l.csv"))
    assert (len(data.train) + len(data.valid), data.task.classes) == (10, ("0", "1"))


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("file,kind\na.png,1\nb.png,2\n", r"no column has the names of the pictures in pets, such"),
        ("file,a,b\ncat0.png,1,2\n", r"it has the columns a, b; name the one to predict: target"),
        ("file,a\ncat0.png,1\ncat0.png,2\n", r"the picture 'cat0.png' has two labels, 1 and 2"),
    ],
)
def test_tables_of_labels_that_are_refused(pets: Path, content: str, message: str) -> None:
    for path in pets.rglob("*.png"):
        path.rename(pets / f"{path.parent.name}{path.name}")
    (pets / "labels.csv").write_text(content)
    with pytest.raises(DataError, match=message):
        ss.data.load("pets", labels="pets/labels.csv")
