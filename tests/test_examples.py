"""The recipes of examples/: each can be read, and does what its comments say."""

from __future__ import annotations

import dataclasses
from pathlib import Path

import pytest

import sevensteps as ss
from sevensteps.data import Data, Part
from sevensteps.recipe import Recipe, settle

EXAMPLES = Path(__file__).resolve().parent.parent / "examples"
MNIST99 = EXAMPLES / "mnist99.toml"


@pytest.fixture(scope="module")
def mnist(mnist_dir: Path) -> Data:
    return ss.data.load("mnist", mnist_dir)


@pytest.mark.parametrize("path", sorted(EXAMPLES.glob("*.toml")), ids=lambda path: path.stem)
def test_a_recipe_can_be_read_and_written(path: Path) -> None:
    recipe = Recipe.from_toml(path)
    assert Recipe.from_toml(recipe.to_toml()) == recipe


def test_mnist99_leaves_nothing_to_be_chosen_and_has_the_size_it_says(mnist: Data) -> None:
    recipe = Recipe.from_toml(MNIST99)
    settled = settle(dataclasses.replace(recipe, data=mnist))
    assert settled.recipe.steps == recipe.steps
    # 3x3 filters: 1 -> 8 -> 16 channels; two poolings leave 7x7 pixels; 256 hidden units; 10 classes
    expected = (9 * 1 * 8 + 8) + (9 * 8 * 16 + 16) + (7 * 7 * 16 * 256 + 256) + (256 * 10 + 10)
    assert sum(p.numel() for p in settled.network.parameters()) == expected
    assert f"{expected:,} parameters" in MNIST99.read_text(encoding="utf-8")


def test_mnist99_learns_other_pictures_too() -> None:
    run = ss.train(Recipe.from_toml(MNIST99, data="digits"), stop="epochs(8)", threads=1, out=False)
    assert run.metrics["valid"]["accuracy"] >= 0.95


def test_mnist99_learns_from_a_tenth_of_mnist(mnist: Data) -> None:
    def some(part: Part, count: int) -> Part:
        return Part(part.x[:count], part.y[:count])

    data = dataclasses.replace(mnist, train=some(mnist.train, 6000), valid=some(mnist.valid, 1000))
    run = ss.train(dataclasses.replace(Recipe.from_toml(MNIST99), data=data), threads=1, out=False)
    assert run.metrics["valid"]["accuracy"] >= 0.94


@pytest.mark.slow
@pytest.mark.parametrize("seed", [0, 1, 2])
def test_mnist99_reaches_99_percent(seed: int, mnist: Data) -> None:
    run = ss.train(dataclasses.replace(Recipe.from_toml(MNIST99), data=mnist), seed=seed, threads=1, out=False)
    assert run.summary["stop"]["rule"] == "accuracy"
    assert run.metrics["valid"]["accuracy"] >= 0.99
