"""The examples: each recipe can be read and does what its comments say, each script runs and finds
its figures.
"""

from __future__ import annotations

import dataclasses
import json
import re
from pathlib import Path

import pytest

import sevensteps as ss
from examples import figures, notebooks
from examples.__main__ import line, run, scripts
from sevensteps.data import Data, Part
from sevensteps.training.recipe import Recipe
from sevensteps.training.resolve import resolve

EXAMPLES = Path(__file__).resolve().parent.parent / "examples"
MNIST99 = EXAMPLES / "mnist99.toml"
OFTEN = ("chapter4/01_pixels", "initialisation/01_products", "perceptron/01_gates")


@pytest.fixture(scope="module")
def mnist(mnist_dir: Path) -> Data:
    return ss.data.load("mnist", mnist_dir)


@pytest.mark.parametrize("path", sorted(EXAMPLES.glob("*.toml")), ids=lambda path: path.stem)
def test_a_recipe_can_be_read_and_written(path: Path) -> None:
    recipe = Recipe.from_toml(path)
    assert Recipe.from_toml(recipe.to_toml()) == recipe


def test_mnist99_leaves_nothing_to_be_chosen_and_has_the_size_it_says(mnist: Data) -> None:
    recipe = Recipe.from_toml(MNIST99)
    resolved = resolve(dataclasses.replace(recipe, data=mnist))
    assert resolved.recipe.steps == recipe.steps
    # 3x3 filters: 1 -> 8 -> 16 channels; two poolings leave 7x7 pixels; 256 hidden units; 10
    # classes
    expected = (9 * 1 * 8 + 8) + (9 * 8 * 16 + 16) + (7 * 7 * 16 * 256 + 256) + (256 * 10 + 10)
    assert sum(p.numel() for p in resolved.network.parameters()) == expected
    assert f"{expected:,} parameters" in MNIST99.read_text(encoding="utf-8")


def test_mnist99_learns_other_pictures_too() -> None:
    run = ss.train(Recipe.from_toml(MNIST99, data="digits"), stop="epochs(8)", threads=1, out=False)
    assert run.metrics["valid"]["accuracy"] >= 0.95


@pytest.mark.long
def test_mnist99_learns_from_a_tenth_of_mnist(mnist: Data) -> None:
    def some(part: Part, count: int) -> Part:
        return Part(part.x[:count], part.y[:count])

    data = dataclasses.replace(mnist, train=some(mnist.train, 6000), valid=some(mnist.valid, 1000))
    run = ss.train(dataclasses.replace(Recipe.from_toml(MNIST99), data=data), threads=1, out=False)
    assert run.metrics["valid"]["accuracy"] >= 0.94


@pytest.mark.slow
@pytest.mark.parametrize("seed", [0, 1, 2])
def test_mnist99_reaches_99_percent(seed: int, mnist: Data) -> None:
    run = ss.train(
        dataclasses.replace(Recipe.from_toml(MNIST99), data=mnist), seed=seed, threads=1, out=False
    )
    assert run.summary["stop"]["rule"] == "accuracy"
    assert run.metrics["valid"]["accuracy"] >= 0.99


# -- the scripts -----------------------------------------------------------------------------------

SECONDS = re.compile(r"^# Takes about (\d+) s", re.MULTILINE)


def of_script(name: str, path: Path) -> object:
    """The script as a parameter; slow but for some: `make examples-quick` runs all."""
    takes = SECONDS.search(path.read_text(encoding="utf-8"))
    assert takes, f"{path} must say `# Takes about N s`"
    return pytest.param(
        path,
        id=name,
        marks=[] if name in OFTEN else [pytest.mark.slow, pytest.mark.timeout(900)],
    )


@pytest.mark.parametrize("path", [of_script(*item) for item in scripts([]).items()])
def test_a_script_finds_its_figures(
    path: Path, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr(figures, "QUICK", True)
    monkeypatch.setenv("MPLBACKEND", "Agg")
    monkeypatch.chdir(tmp_path)
    try:
        found = run(path)
    except figures.Missing as missing:
        pytest.skip(str(missing))
    assert found, f"{path.name} asserts no figure"
    assert list(tmp_path.iterdir()) == [], "an example leaves nothing behind"


def test_the_notebooks_are_those_of_the_scripts() -> None:
    expected = notebooks.notebooks()
    there = {
        path: notebooks.without_outputs(path.read_text(encoding="utf-8"))
        for path in notebooks.NOTEBOOKS.rglob("*.ipynb")
    }
    assert there == expected, "run `python -m examples.notebooks`"


def test_a_notebook_needs_nothing_of_this_repository_and_shows_its_outputs(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.chdir(tmp_path)
    script = (
        "# %% [markdown]\n# # Title\n\n# %%\nimport matplotlib.pyplot as plt\n\n"
        "import sevensteps as ss\n"
        "from examples.figures import figure, picture, seeds, show\n\n"
        'figure("a", published="1", ours=list(range(seeds())))\n'
        'picture(plt.figure(), "b")\n'
        'show(ss.train("xor", stop="epochs(2)", out=False))\n'
    )
    text = notebooks.run(notebooks.notebook(script))
    assert "examples" not in text
    _, code = [cell for cell in json.loads(text)["cells"] if cell["cell_type"] == "code"]
    printed, page, drawn = code["outputs"]
    assert page["data"]["text/plain"][0].startswith("<Run of xor")
    assert "<iframe sandbox" in "".join(page["data"]["text/html"])
    assert printed["text"] == ["→ a: 0.5000 (0.0000–1.0000)   published: 1\n"]
    assert drawn["data"]["image/png"]
    assert notebooks.without_outputs(text) == notebooks.notebook(script)


@pytest.mark.parametrize("path", scripts([]).values(), ids=lambda path: path.stem)
def test_there_is_no_code_among_the_prose(path: Path) -> None:
    for part in re.split(r"^# %%", path.read_text(encoding="utf-8"), flags=re.MULTILINE)[1:]:
        if part.startswith(" [markdown]"):
            lines = part.strip("\n").splitlines()[1:]
            assert all(line.startswith("#") for line in lines if line), lines


def test_a_notebook_has_the_cells_of_its_script() -> None:
    found = notebooks.cells("# %% [markdown]\n# # Title\n#\n# text\n\n# %%\nx = 1\n\nprint(x)\n")
    held = [(cell["cell_type"], "".join(cell["source"])) for cell in found]
    assert held == [("markdown", "# Title\n\ntext"), ("code", "x = 1\n\nprint(x)")]


@pytest.fixture
def kept(monkeypatch: pytest.MonkeyPatch) -> list[figures.Figure]:
    found: list[figures.Figure] = []
    monkeypatch.setattr(figures, "FIGURES", found)
    return found


def test_a_figure_says_where_the_seeds_lie(kept: list[figures.Figure]) -> None:
    figures.figure(
        "accuracy", published=".5", ours=[0.52, 0.5, 0.51], low=0.5, high=0.52, command="a | b"
    )
    assert (
        line("a/01_b", kept[0])
        == "| [a/01_b](a/01_b.py) | accuracy | .5 | 0.5100 (0.5000–0.5200) | yes | `a \\| b` |"
    )
    figures.figure(
        "accuracy", ours=[0.52, 0.6], low=0.5, high=0.55, outside="no reason", measured=(0.5, 0.6)
    )
    assert kept[1].verdict() == "1 of 2 in 0.5000–0.5500: no reason"


@pytest.mark.parametrize(
    ("ours", "asked"),
    [
        (0.53, {"low": 0.5, "high": 0.52}),
        ([0.51, 0.53], {"low": 0.5, "high": 0.52}),
        (0.5002, {"exactly": 0.5}),
        (0.7, {"low": 0.5, "high": 0.52, "outside": "so", "measured": (0.5, 0.6)}),
        (float("nan"), {"low": 0.0, "high": 1.0}),
    ],
)
def test_a_figure_outside_its_range_fails(
    ours: float, asked: dict[str, object], kept: list[figures.Figure]
) -> None:
    with pytest.raises(AssertionError, match="is not within"):
        figures.figure("accuracy", ours=ours, **asked)  # type: ignore[arg-type]


def test_a_picture_is_not_kept_in_a_quick_run(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(figures, "QUICK", True)
    figures.picture(None, "nothing")
    assert not (figures.HERE / "pictures" / "nothing.png").exists()
