"""The chain rule of one parameter with the network's own names: as text, LaTeX and MathML."""

from __future__ import annotations

import itertools
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from html import escape
from typing import Any

from torch import Tensor, nn

from sevensteps.engine.activations import UNKNOWN, activation_of
from sevensteps.engine.modules import Bins, Neuron, Powers
from sevensteps.explain.forward import unravel_index
from sevensteps.explain.gradient.paths import Chain, Route
from sevensteps.render.text import number_text

LETTERS = "kjihmpqrstuvw"
MIXING = (
    nn.Linear,
    Neuron,
    nn.Conv2d,
    nn.MaxPool2d,
    nn.AvgPool2d,
    nn.AdaptiveAvgPool2d,
    Powers,
    Bins,
)
MAX_PRODUCTS = 3  # of a sum, written out


def _mixes(module: nn.Module) -> bool:
    """Whether one number of the output depends on several of the input."""
    return isinstance(module, MIXING) or not (activation_of(module) or UNKNOWN).elementwise


@dataclass(frozen=True)
class Symbol:
    """A layer or parameter, and which number of it, or the letter that is summed over."""

    name: str
    index: str = ""

    def __str__(self) -> str:
        return f"{self.name}[{self.index}]" if self.index else self.name

    def latex(self) -> str:
        name = self.name.replace("_", r"\_")
        return (rf"\mathtt{{{name}}}" if self.name != "L" else "L") + (
            f"_{{{self.index}}}" if self.index else ""
        )

    def mathml(self) -> str:
        name = (
            f"<mi>{escape(self.name)}</mi>"
            if self.name == "L"
            else f'<mi mathvariant="monospace">{escape(self.name)}</mi>'
        )
        return f"<msub>{name}<mi>{escape(self.index)}</mi></msub>" if self.index else name


@dataclass(frozen=True)
class Formula:
    """dL/d(parameter) as a product over `links`, summed over `letters`.

    The links lead from the output back to the parameter's own layer. For one path of one sample
    `factors` are its numbers; otherwise `products` are those of the strongest paths, and `more`
    says that there are others.
    """

    parameter: Symbol
    links: tuple[Symbol, ...]
    letters: tuple[str, ...]
    samples: int
    factors: tuple[float, ...]
    products: tuple[float, ...]
    more: bool
    value: float

    @property
    def fractions(self) -> list[tuple[Symbol, Symbol]]:
        """d(of), d(by) of each factor."""
        chain = [Symbol("L"), *self.links, self.parameter]
        return list(itertools.pairwise(chain)) if self.links else []

    @property
    def sums(self) -> tuple[str, ...]:
        """What is summed over: the samples n, where there are several, and units."""
        return (*(("n",) if self.samples > 1 else ()), *self.letters)

    def text(self) -> str:
        """A line for the product, one for its numbers, each after its equals sign."""
        lines = [f"∂L/∂{self.parameter}"]
        if self.links:
            mean = f"1/{self.samples:,} " if self.samples > 1 else ""
            sums = f"Σ over {', '.join(self.sums)} of " if self.sums else ""
            lines.append(f"= {mean}{sums}" + " · ".join(f"∂{a}/∂{b}" for a, b in self.fractions))
        return "\n".join(
            [
                *lines,
                *([f"= {self._numbers(' · ', '…')}"] if self._numbers("", "") else []),
                f"= {number_text(self.value, 6)}",
            ]
        )

    def latex(self) -> str:
        """For a display in LaTeX (amsmath): `\\begin{aligned} … \\end{aligned}`."""
        left = rf"\frac{{\partial L}}{{\partial {self.parameter.latex()}}}"
        right = []
        if self.links:
            mean = rf"\frac{{1}}{{{self.samples}}} " if self.samples > 1 else ""
            right.append(
                mean
                + "".join(rf"\sum_{{{letter}}} " for letter in self.sums)
                + r" \cdot ".join(
                    rf"\frac{{\partial {a.latex()}}}{{\partial {b.latex()}}}"
                    for a, b in self.fractions
                )
            )
        if numbers := self._numbers(r" \cdot ", r"\cdots", power=r" \cdot 10^{{{}}}"):
            right.append(numbers)
        right.append(_scientific(number_text(self.value, 6), r" \cdot 10^{{{}}}"))
        lines = [rf"{left} &= {right[0]}", *(f"&= {line}" for line in right[1:])]
        return r"\begin{aligned}" + "\n" + " \\\\\n".join(lines) + "\n" + r"\end{aligned}"

    def html(self) -> str:
        """MathML, a line for the product and one for its numbers."""
        left = _mathml_derivative("<mi>L</mi>", self.parameter.mathml())
        right = []
        if self.links:
            mean = f"<mfrac><mn>1</mn><mn>{self.samples}</mn></mfrac>" if self.samples > 1 else ""
            sums = "".join(f"<munder><mo>∑</mo><mi>{letter}</mi></munder>" for letter in self.sums)
            right.append(
                mean
                + sums
                + "<mo>·</mo>".join(
                    _mathml_derivative(a.mathml(), b.mathml()) for a, b in self.fractions
                )
            )
        if numbers := self._numbers(" · ", "…"):
            right.append(f"<mtext>{escape(numbers)}</mtext>")
        right.append(f"<mn>{number_text(self.value, 6)}</mn>")
        rows = "".join(
            f"<mtr><mtd>{left if i == 0 else ''}</mtd><mtd "
            f'style="text-align:left"><mo>=</mo>{line}</mtd></mtr>'
            for i, line in enumerate(right)
        )
        return f'<math display="block" style="math-style:normal"><mtable>{rows}</mtable></math>'

    def _numbers(self, times: str, dots: str, power: str = "") -> str:
        """The product of the factors, or the sum of the strongest paths' products."""

        def number(value: float, first: bool = True) -> str:
            text = _scientific(number_text(value), power)
            return f"({text})" if value < 0 and not first else text

        if self.factors:
            return times.join(number(value, i == 0) for i, value in enumerate(self.factors))
        if len(self.products) > 1:
            return " + ".join(
                [number(value, i == 0) for i, value in enumerate(self.products)]
                + ([dots] if self.more else [])
            )
        return ""


def _mathml_derivative(of: str, by: str) -> str:
    """∂of/∂by."""
    return f"<mfrac><mrow><mo>∂</mo>{of}</mrow><mrow><mo>∂</mo>{by}</mrow></mfrac>"


def _scientific(text: str, power: str) -> str:
    """3.1e-05 as 3.1 · 10^{-5}, where `power` says how."""
    base, e, exponent = text.partition("e")
    return base + power.format(int(exponent)) if e and power else text


def number_alone(parameter: str, index: Sequence[int], value: float) -> Formula:
    """The formula without factors: only its value."""
    return Formula(Symbol(parameter, ",".join(map(str, index))), (), (), 1, (), (), False, value)


def build_formula(
    parameter: str,
    index: Sequence[int],
    chain: Chain,
    jacobian: Mapping[int, Tensor],
    route: Route | None,
    paths: Sequence[Any],
    complete: bool,
    value: float,
    samples: int,
) -> Formula:
    """The formula over the layers of `jacobian`, d(units)/d(parameter) by layer.

    `paths` are those of one sample, strongest first; `route` is the first of them, which may end
    before the loss.
    """
    one = len(paths) == 1 and complete and samples == 1
    unit_on_path = dict(zip(route.layers, route.units, strict=True)) if one and route else {}
    letters: list[str] = []
    links: list[Symbol] = []
    last: str | None = None  # the letter of the layer before
    for layer, derivatives in jacobian.items():
        alive = (derivatives != 0).any(0).nonzero()[:, 0].tolist()
        if one:
            unit = unit_on_path.get(layer)
            if unit is None:
                break  # the path has ended before
            alive = [unit]
        if len(alive) == 1:
            last = None
            links.append(
                Symbol(
                    chain.names[layer],
                    ",".join(map(str, unravel_index(alive[0], chain.outputs[layer].shape[1:]))),
                )
            )
            continue
        if last is None or _mixes(chain.modules[layer]):
            last = LETTERS[len(letters)] if len(letters) < len(LETTERS) else f"k{len(letters)}"
            letters.append(last)
        links.append(Symbol(chain.names[layer], last))
    products = () if one or samples > 1 else tuple(path.product for path in paths[:MAX_PRODUCTS])
    return Formula(
        Symbol(parameter, ",".join(map(str, index))),
        tuple(reversed(links)),
        tuple(reversed(letters)),
        samples,
        tuple(factor.value for factor in paths[0].factors) if one else (),
        products,
        len(paths) > MAX_PRODUCTS or not complete,
        value,
    )
