"""Every source, held to the same contract: shapes, bits by seed, a stratified split, notation, no
global draw.
"""

from __future__ import annotations

import dataclasses
import inspect
from dataclasses import dataclass
from pathlib import Path

import pytest
import torch

from sevensteps import data
from sevensteps.data.sources import Source
from sevensteps.errors import ArgumentError, DataError, NotationError
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
OWN = (
    "image_folder",
    "npz",
    "csv",
    "parquet",
    "npy",
    "idx_files",
)  # data of one's own, which have tests of their own


def load(name: str, request: pytest.FixtureRequest, **arguments: object) -> data.Data:
    folder = request.getfixturevalue("mnist_dir") if name in FROM_FILES else None
    return data.load(name, folder, **arguments)


def bits(held: data.Data) -> list[torch.Tensor]:
    return [held.train.x, held.train.y, held.valid.x, held.valid.y]


def same(one: data.Data, other: data.Data) -> bool:
    return all(
        a.dtype == b.dtype and torch.equal(a, b)
        for a, b in zip(bits(one), bits(other), strict=True)
    )


def test_the_table_is_complete_and_in_order() -> None:
    assert list(data.catalog()) == [*SOURCES, *OWN]


@pytest.mark.parametrize("name", SOURCES)
def test_it_is_what_it_says(name: str, request: pytest.FixtureRequest) -> None:
    expected, held = SOURCES[name], load(name, request)
    assert (held.source, held.kind, held.task.kind, held.task.classes) == (
        name,
        expected.kind,
        expected.task,
        expected.classes,
    )
    assert held.scaling.name == expected.scaling
    assert len(held.features) == (0 if expected.kind == "image" else expected.shape[0])
    assert held.about
    for part, count in ((held.train, expected.train), (held.valid, expected.valid)):
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
    held = load(name, request)
    train, valid = (
        torch.bincount(part.y.reshape(-1).long(), minlength=len(held.task.classes)) / len(part)
        for part in (held.train, held.valid)
    )
    assert (train > 0).all()
    # MNIST was split by its authors, not by us.
    torch.testing.assert_close(train, valid, atol=0.005 if name == "mnist" else 0.03, rtol=0)


@pytest.mark.parametrize("name", SOURCES)
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
    made = getattr(data, name)
    assert entry.doc == inspect.getdoc(made)
    assert 10 <= len(entry.summary) <= 64  # one line of 80 columns beside the longest name
    assert "Source" in entry.doc
    parameters = inspect.signature(made).parameters.values()
    written = [f"{p.name}={p.default!r}" for p in parameters if p.kind is p.KEYWORD_ONLY]
    assert entry.arguments == ", ".join(
        [*(p.name for p in parameters if p.kind is not p.KEYWORD_ONLY), "*", *written]
    )
    assert issubclass(made, data.Source)


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
    raw, held = data.load(name, scale="none"), data.load(name, scale=scale)
    torch.testing.assert_close(held.scaling.undo(held.train.x), raw.train.x, atol=1e-4, rtol=1e-5)
    torch.testing.assert_close(held.scaling(raw.valid.x), held.valid.x, atol=1e-4, rtol=1e-5)


# -- what is particular to one ---------------------------------------------------------------------


@pytest.mark.parametrize("noise", [0.0, 1.0, 3.0])
def test_speed_is_the_books_formula(noise: float) -> None:
    held, clean = data.load("speed", noise=noise, seed=5), data.load("speed(noise=0)", seed=5)
    t = held.train.x
    assert t[:, 0].tolist() == list(range(20))
    assert torch.equal(held.valid.x, t)
    assert torch.equal(clean.train.y, 0.75 * (t - 9.5).square() + 1)
    residual = torch.cat([held.train.y - clean.train.y, held.valid.y - clean.valid.y])
    once = torch.cat(
        [data.load("speed(noise=1)", seed=5).train.y, data.load("speed(noise=1)", seed=5).valid.y]
    )
    unit = once - torch.cat([clean.train.y, clean.valid.y])
    torch.testing.assert_close(residual, noise * unit, atol=1e-4, rtol=1e-4)
    assert torch.equal(held.train.y, held.valid.y) is (noise == 0)


@pytest.mark.parametrize(
    ("scale", "condition"), [("none", 218_451), ("standardize", 7.4)]
)  # FIGURES, point 3
def test_speed_is_as_well_conditioned_as_published(scale: str, condition: float) -> None:
    t = data.load("speed", scale=scale).train.x.double()[:, 0]
    powers = torch.stack([t * t, t, torch.ones(20, dtype=torch.float64)], 1)
    assert float(torch.linalg.cond(2 * powers.T @ powers / 20)) == pytest.approx(
        condition, rel=0.01
    )


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


def test_xor_can_be_the_truth_table() -> None:
    held = data.load("xor(n=4, noise=0)")
    assert held.train.x.tolist() == [[0, 0], [0, 1], [1, 0], [1, 1]]
    assert held.train.y[:, 0].tolist() == [0, 1, 1, 0]
    assert torch.equal(held.train.x, held.valid.x)
    assert "same four points" in held.about


def test_xor_labels_the_corners() -> None:
    held = data.load("xor(noise=0)")
    for part in (held.train, held.valid):
        assert torch.equal(part.y[:, 0], (part.x[:, 0] != part.x[:, 1]).float())
        corners = torch.unique(part.x, dim=0, return_counts=True)[1]
        assert corners.tolist() == [len(part) // 4] * 4


def test_circles_and_spirals_lie_where_they_should() -> None:
    circles, spirals = (
        data.load("circles(noise=0, factor=0.3)"),
        data.load("spirals(noise=0, turns=1)"),
    )
    radius = torch.where(circles.train.y[:, 0] == 1, 0.3, 1.0)
    torch.testing.assert_close(circles.train.x.norm(dim=1), radius)
    r = spirals.train.x.norm(dim=1)
    angle = 2 * torch.pi * (r + spirals.train.y[:, 0] / 2)
    torch.testing.assert_close(
        spirals.train.x, torch.stack([r * angle.cos(), r * angle.sin()], 1), atol=1e-5, rtol=0
    )


def test_digits37_are_the_threes_and_sevens() -> None:
    from sklearn.datasets import load_digits

    bunch = load_digits()
    held = data.load("digits37(scale='none')")
    for x, y in zip(held.valid.x, held.valid.y, strict=True):
        (place,) = (bunch.images == x[0].numpy()).all((1, 2)).nonzero()[0]
        assert bunch.target[place] == (3 if y == 1 else 7)


def test_mnist37_is_in_the_books_order(mnist_dir: Path) -> None:
    held, ten = data.load("mnist37", mnist_dir), data.load("mnist", mnist_dir)
    for part, whole, threes, sevens in (
        (held.train, ten.train, 6131, 6265),
        (held.valid, ten.valid, 1010, 1028),
    ):
        assert part.y[:, 0].tolist() == [1.0] * threes + [0.0] * sevens
        assert torch.equal(part.x[:threes], whole.x[whole.y == 3])
        assert torch.equal(part.x[threes:], whole.x[whole.y == 7])
    assert held.facts()["always_zero_inputs"] == 144  # FIGURES, point 6


# -- what is refused -------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("digit", "data has no 'digit'; did you mean 'digits'?"),
        (
            "digits(sed=1)",
            "data: digits: got an unexpected keyword argument 'sed'; it takes digits(*, "
            "scale='default', seed=0)",
        ),
        (
            "digits(1)",
            "data: digits: too many positional arguments; it takes digits(*, scale='default', "
            "seed=0)",
        ),
        ("digits(seed=-1)", "data: digits(seed=-1): seed must be at least 0, not -1"),
        (
            "digits(scale='units')",
            "data: digits(scale='units'): scale has no option 'units'; did you mean 'unit'?",
        ),
        (
            "iris(scale=2)",
            "data: iris(scale=2): scale has no option 2; known: default, none, standardize, unit",
        ),
        ("speed(noise=-1)", "data: speed(noise=-1): noise must be at least 0, not -1"),
        (
            "speed(target_scale='unit')",
            "data: speed(target_scale='unit'): target_scale has no option 'unit'; known: none, "
            "standardize",
        ),
        (
            "diabetes(target_scale=1)",
            "data: diabetes(target_scale=1): target_scale has no option 1; known: none, "
            "standardize",
        ),
        ("circles(n=9)", "data: circles(n=9): n must be at least 10, not 9"),
        ("circles(factor=1)", "data: circles(factor=1): factor must be below 1, not 1"),
        ("moons(n=10.5)", "data: moons(n=10.5): n must be a whole number, not 10.5"),
        ("blobs(centers=1)", "data: blobs(centers=1): centers must be at least 2, not 1"),
        (
            "blobs(n=10, centers=6)",
            "data: blobs(n=10, centers=6): n must be at least twice centers = 6, not 10",
        ),
        (
            "spirals(n=10, arms=6)",
            "data: spirals(n=10, arms=6): n must be at least twice arms = 6, not 10",
        ),
        (
            "xor(n=5)",
            "data: xor(n=5): n must be 4 (the truth table) or at least 8 (two points for each "
            "corner), not 5",
        ),
        (
            "./my/table.txt",
            "data: './my/table.txt' is no folder of pictures, and no .csv, .parquet, .npz, .npy "
            "or IDX file; read it yourself "
            "and use sevensteps.data.from_arrays(x, y), or name one of: "
            f"{', '.join((*SOURCES, *OWN))}",
        ),
        (
            "digits(__import__('os'))",
            "data has no '__import__'; known: " + ", ".join(sorted((*SOURCES, *OWN))),
        ),
        (
            "(lambda: 1)()",
            "data: '(lambda: 1)()' has '(lambda: 1)()', which is not a plain value; write names "
            "of data with "
            "numbers, texts, True, False or None: digits",
        ),
    ],
)
def test_what_cannot_be_read_says_the_fix(text: str, message: str) -> None:
    with pytest.raises(NotationError) as caught:
        data.load(text)
    assert str(caught.value) == message


def test_keywords_are_checked_like_text() -> None:
    with pytest.raises(NotationError) as caught:
        data.load("speed", nois=1)
    assert str(caught.value) == "data: speed has no argument 'nois'; did you mean 'noise'?"
    with pytest.raises(ArgumentError, match="noise must be at least 0"):
        data.load("speed", noise=-1)
    with pytest.raises(
        NotationError, match="digits is already loaded; give seed where it is loaded"
    ):
        data.load(data.load("digits"), seed=1)
    with pytest.raises(NotationError, match="int is no source; give a name such as 'digits'"):
        data.load(3)  # type: ignore[arg-type]


def test_an_unknown_attribute_is_one() -> None:
    with pytest.raises(AttributeError, match="has no attribute 'digit'"):
        _ = data.digit  # type: ignore[attr-defined]


def test_what_does_not_fit_in_memory_is_said_in_one_line() -> None:
    with pytest.raises(
        DataError, match=r"^circles\(n=1000000000000\) does not fit into memory"
    ) as caught:
        data.load("circles(n=1000000000000)")
    assert "\n" not in str(caught.value)


def test_a_name_that_no_file_can_have() -> None:
    with pytest.raises(NotationError, match=r"is no folder of pictures, and no \.csv"):
        data.load("x" * 5000 + "/")
