"""Every source, held to the same contract: shapes, bits by seed, a stratified split, notation, no
global draw.
"""

from __future__ import annotations

import dataclasses
import inspect
from dataclasses import dataclass

import pytest
import torch

from sevensteps import data
from sevensteps.data.sources import Source
from sevensteps.notation import literal


@dataclass(frozen=True)
class Expected:
    """What a source must give with all its defaults. `drawn`: another seed gives other bits."""

    kind: str
    task: str
    shape: tuple[int, ...]
    train: int
    valid: int
    classes: tuple[str, ...] = ()
    scaling: str = "none"
    drawn: bool = True


TEN = tuple("0123456789")
SOURCES = {
    "digits": Expected("image", "multiclass", (1, 8, 8), 1438, 359, TEN, "unit"),
    "digits37": Expected("image", "binary", (1, 8, 8), 289, 73, ("7", "3"), "unit"),
    "mnist": Expected("image", "multiclass", (1, 28, 28), 60_000, 10_000, TEN, "unit", drawn=False),
    "mnist37": Expected(
        "image", "binary", (1, 28, 28), 12_396, 2_038, ("7", "3"), "unit", drawn=False
    ),
    "speed": Expected("table", "regression", (1,), 20, 20),
    "xor": Expected("table", "binary", (2,), 160, 40, ("no", "yes")),
    "circles": Expected("table", "binary", (2,), 400, 100, ("outer", "inner")),
    "moons": Expected("table", "binary", (2,), 400, 100, ("upper", "lower")),
    "blobs": Expected("table", "multiclass", (2,), 401, 99, ("0", "1", "2"), "standardize"),
    "spirals": Expected("table", "binary", (2,), 400, 100, ("0", "1")),
    "iris": Expected(
        "table", "multiclass", (4,), 120, 30, ("setosa", "versicolor", "virginica"), "standardize"
    ),
    "wine": Expected(
        "table", "multiclass", (13,), 142, 36, ("class_0", "class_1", "class_2"), "standardize"
    ),
    "breast_cancer": Expected(
        "table", "binary", (30,), 456, 113, ("malignant", "benign"), "standardize"
    ),
    "diabetes": Expected("table", "regression", (10,), 354, 88, (), "standardize"),
}
FROM_FILES = ("mnist", "mnist37")
# data of one's own, which have tests of their own
OWN = (
    "logic",
    "image_folder",
    "npz",
    "csv",
    "parquet",
    "excel",
    "json_lines",
    "npy",
    "idx_files",
)


def load(name: str, request: pytest.FixtureRequest, **arguments: object) -> data.Data:
    folder = request.getfixturevalue("mnist_dir") if name in FROM_FILES else None
    return data.load(name, folder, **arguments)


def bits(dataset: data.Data) -> list[torch.Tensor]:
    return [dataset.train.x, dataset.train.y, dataset.valid.x, dataset.valid.y]


def same(one: data.Data, other: data.Data) -> bool:
    return all(
        a.dtype == b.dtype and torch.equal(a, b)
        for a, b in zip(bits(one), bits(other), strict=True)
    )


def test_the_table_is_complete_and_in_order() -> None:
    assert list(data.catalog()) == [*SOURCES, *OWN]


@pytest.mark.parametrize("name", SOURCES)
def test_it_is_what_it_says(name: str, request: pytest.FixtureRequest) -> None:
    expected, dataset = SOURCES[name], load(name, request)
    assert (dataset.source, dataset.kind, dataset.task.kind, dataset.task.classes) == (
        name,
        expected.kind,
        expected.task,
        expected.classes,
    )
    assert dataset.scaling.name == expected.scaling
    assert len(dataset.features) == (0 if expected.kind == "image" else expected.shape[0])
    assert dataset.about
    for part, count in ((dataset.train, expected.train), (dataset.valid, expected.valid)):
        assert len(part) == count
        assert part.x.shape == (count, *expected.shape)
        assert part.x.dtype == torch.float32
        assert part.x.isfinite().all()
        assert part.y.shape == ((count,) if expected.task == "multiclass" else (count, 1))
        assert part.y.dtype == (torch.int64 if expected.task == "multiclass" else torch.float32)


@pytest.mark.parametrize("name", SOURCES)
def test_its_inputs_are_scaled_as_named(name: str, request: pytest.FixtureRequest) -> None:
    x = load(name, request).train.x
    if SOURCES[name].scaling == "unit":
        assert (float(x.min()), float(x.max())) == (0.0, 1.0)
    elif SOURCES[name].scaling == "standardize":
        torch.testing.assert_close(x.mean(0), torch.zeros(x.shape[1]), atol=1e-5, rtol=0)
        torch.testing.assert_close(x.std(0), torch.ones(x.shape[1]))
    else:
        raw = load(name, request, scale="none")
        assert torch.equal(raw.train.x, x)


@pytest.mark.parametrize("name", [name for name, expected in SOURCES.items() if expected.classes])
def test_the_split_keeps_the_balance(name: str, request: pytest.FixtureRequest) -> None:
    dataset = load(name, request)
    train, valid = (
        torch.bincount(part.y.reshape(-1).long(), minlength=len(dataset.task.classes)) / len(part)
        for part in (dataset.train, dataset.valid)
    )
    assert (train > 0).all()
    # MNIST was split by its authors, not by us.
    torch.testing.assert_close(train, valid, atol=0.005 if name == "mnist" else 0.03, rtol=0)


@pytest.mark.parametrize("name", SOURCES)
@pytest.mark.sampled(4)
def test_its_seed_and_nothing_else_decides_the_bits(
    name: str, request: pytest.FixtureRequest
) -> None:
    first = load(name, request, seed=1)
    torch.rand(1, generator=torch.Generator().manual_seed(9))
    assert same(first, load(name, request, seed=1))
    assert same(first, load(name, request, seed=2)) is not SOURCES[name].drawn


@pytest.mark.parametrize("name", SOURCES)
def test_every_argument_is_written_and_read_back(name: str) -> None:
    plain = data.source(name)
    assert isinstance(plain, Source)
    assert plain.text == name
    assert data.source(repr(plain)) == plain
    others = {
        "scale": "standardize" if SOURCES[name].scaling != "standardize" else "none",
        "seed": 7,
        "noise": 0.25,
        "a": 0.5,
        "b": 2.0,
        "c": -1.0,
        "n": 4000,
        "factor": 0.3,
        "centers": 5,
        "std": 2.5,
        "arms": 3,
        "turns": 2.0,
        "target_scale": "none" if name == "diabetes" else "standardize",
    }
    for argument in inspect.signature(type(plain)).parameters:
        changed = dataclasses.replace(plain, **{argument: others[argument]})
        assert changed.text == f"{name}({argument}={literal(others[argument])})"
        assert data.source(changed.text) == changed
        assert changed != plain


@pytest.mark.parametrize("name", [*SOURCES, *OWN])
def test_the_catalog_tells_the_truth(name: str) -> None:
    entry = data.catalog()[name]
    source = getattr(data, name)
    assert entry.doc == inspect.getdoc(source)
    assert 10 <= len(entry.summary) <= 64  # one line of 80 columns beside the longest name
    assert "Source" in entry.doc
    parameters = inspect.signature(source).parameters.values()
    written = [f"{p.name}={p.default!r}" for p in parameters if p.kind is p.KEYWORD_ONLY]
    assert entry.arguments == ", ".join(
        [*(p.name for p in parameters if p.kind is not p.KEYWORD_ONLY), "*", *written]
    )
    assert issubclass(source, data.Source)


@pytest.mark.parametrize("name", [name for name in SOURCES if name not in FROM_FILES])
def test_text_value_and_keywords_load_the_same(name: str) -> None:
    by_text = data.load(f"{name}(seed=3)")
    assert by_text.source == f"{name}(seed=3)"
    assert same(by_text, data.load(name, seed=3))
    assert same(by_text, data.load(getattr(data, name)(seed=3)))
    assert data.load(by_text) is by_text


@pytest.mark.parametrize("scale", ["none", "standardize", "unit"])
@pytest.mark.parametrize("name", [name for name in SOURCES if name not in FROM_FILES])
def test_scaling_can_be_undone(name: str, scale: str) -> None:
    raw, dataset = data.load(name, scale="none"), data.load(name, scale=scale)
    torch.testing.assert_close(
        dataset.scaling.undo(dataset.train.x), raw.train.x, atol=1e-4, rtol=1e-5
    )
    torch.testing.assert_close(dataset.scaling(raw.valid.x), dataset.valid.x, atol=1e-4, rtol=1e-5)


# -- what is particular to one ---------------------------------------------------------------------


@pytest.mark.parametrize(("name", "low"), [("speed", -10.0), ("diabetes", 25.0)])
def test_targets_can_be_scaled_and_scaled_back(name: str, low: float) -> None:
    raw, scaled = data.load(name, target_scale="none"), data.load(name, target_scale="standardize")
    assert raw.target_scaling.name == "none"
    assert float(raw.train.y.min()) >= low
    assert float(scaled.train.y.mean()) == pytest.approx(0, abs=1e-5)
    assert float(scaled.train.y.std()) == pytest.approx(1, abs=1e-5)
    for part in ("train", "valid"):
        back = scaled.target_scaling.undo(getattr(scaled, part).y)
        torch.testing.assert_close(back, getattr(raw, part).y, atol=1e-3, rtol=1e-5)
