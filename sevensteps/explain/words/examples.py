"""The example that a run has of a word, made of its own numbers: one function for each word.

The functions stand in `layer_examples`, `training_examples`, `gradient_examples` and
`output_examples`; `example_of` enters them here.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from typing import Any

from sevensteps.explain.run_numbers import RunNumbers

NOTHING_TRAINED = "nothing was to be trained"


@dataclass(frozen=True)
class Example:
    """What a run has to show of a word: a `text` with its `numbers`.

    Where the run has no example, `text` is None and `lacking` says why.
    """

    text: str | None
    numbers: dict[str, Any] = field(default_factory=dict)
    lacking: str = ""


Maker = Callable[[RunNumbers], Example]
EXAMPLES: dict[str, Maker] = {}  # by word of the glossary


def example_of(word: str) -> Callable[[Maker], Maker]:
    """A decorator: the function makes the example of `word`, a name of the glossary."""

    def enter(maker: Maker) -> Maker:
        EXAMPLES[word] = maker
        return maker

    return enter


def example(word: str, run: RunNumbers) -> Example:
    """The example that `run` has of `word`, a name of the glossary."""
    return EXAMPLES[word](run)


def no_example(why: str) -> Example:
    """The run has no example of the word; `why` completes "This run has no example: …"."""
    return Example(None, lacking=why)


def shape_text(shape: Iterable[int]) -> str:
    """`[256, 30]`."""
    return "[" + ", ".join(map(str, shape)) + "]"
