"""The truth tables of logic that a neuron can learn: AND, OR, NOT and the like, with noise."""

from __future__ import annotations

from dataclasses import KW_ONLY
from pathlib import Path

import torch

from sevensteps.arguments import number, one_of, whole
from sevensteps.data.build import build_data
from sevensteps.data.dataset import Data
from sevensteps.data.sources import Source
from sevensteps.errors import ArgumentError
from sevensteps.notation import value
from sevensteps.seeds import generator

__all__ = ["logic"]

# gate -> its answers, in the order of the truth table: 00, 01, 10, 11, or 0, 1
GATES = {
    "and": (0, 0, 0, 1),
    "or": (0, 1, 1, 1),
    "not": (1, 0),
    "nand": (1, 1, 1, 0),
    "nor": (1, 0, 0, 0),
}


@value
class logic(Source):
    """AND, OR, NOT, NAND, NOR: a straight line can tell, unlike xor

    `logic("and")` is also called and, and so on. `n` points around the rows of the truth table, in
    turn, plus noise * randn. logic("and", n=4, noise=0) is the table itself, trained and validated
    on the same rows. Split 80/20, each row alike. Source: McCulloch, Pitts 1943.
    """

    gate: str
    _: KW_ONLY
    n: int = 200
    noise: float = 0.1
    scale: str = "default"
    seed: int = 0

    def __post_init__(self) -> None:
        super().__post_init__()
        rows = len(GATES[one_of("gate", self.gate, GATES)])
        number("noise", self.noise, at_least=0)
        if whole("n", self.n, at_least=rows) != rows and self.n < 2 * rows:
            raise ArgumentError(
                f"n must be {rows} (the truth table) or at least {2 * rows} (two points for each "
                f"row), not {self.n}"
            )

    @property
    def text(self) -> str:
        """Its notation; `and` for `logic("and")`."""
        return self.gate if self == logic(self.gate) else repr(self)

    def load(self, data_dir: Path | None = None) -> Data:
        random, answers = generator(self.seed, "split"), torch.tensor(GATES[self.gate])
        row = torch.arange(self.n) % len(answers)
        inputs = [row // 2, row % 2] if len(answers) == 4 else [row]
        x = torch.stack(inputs, 1) + self.noise * torch.randn(self.n, len(inputs), generator=random)
        y, is_table = answers[row], self.n == len(answers)
        return build_data(
            self.text,
            x,
            y,
            classes=("no", "yes"),
            features=("x1", "x2")[: len(inputs)],
            scale=self.scale_or("none"),
            split_generator=random,
            valid=(x, y) if is_table else None,
            strata=row,
            about=f"the truth table of {self.gate.upper()}"
            + ("; trained and validated on the same rows" if is_table else ", with noise"),
        )
