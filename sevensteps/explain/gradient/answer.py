"""Where one gradient comes from: the chain rule on the user's own network, factor by factor,
checked by two other means.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass, field, fields
from html import escape
from typing import Any

import torch
from torch import Tensor, nn

from sevensteps.engine.chain_rule import missing
from sevensteps.engine.engine import refuse_step
from sevensteps.errors import ArgumentError
from sevensteps.explain.base import Explanation
from sevensteps.explain.forward import exact, forward, input_name, place, unit
from sevensteps.explain.gradient import formula
from sevensteps.explain.gradient.factors import by_unit, feeding
from sevensteps.explain.gradient.notes import coupled, remarks
from sevensteps.explain.gradient.paths import PASSING, Chain, Route, routes
from sevensteps.explain.gradient.verification import automatic, difference
from sevensteps.explain.loss_terms import terms
from sevensteps.explain.subject import Subject

# of inputs taken together, at most: each layer's outputs are held three times, in float64
NUMBERS = 20_000_000
SHOWN = 8  # units, paths and samples kept of each list


@dataclass(frozen=True)
class Factor:
    """d(of)/d(by), a number, and where it stands in the network."""

    of: str
    by: str
    value: float
    why: str


@dataclass(frozen=True)
class Path:
    """One way from the parameter to the loss: its factors from the loss back, their product, and its share of the gradient."""

    factors: tuple[Factor, ...]
    product: float
    share: float


@dataclass(frozen=True)
class Carrier:
    """A unit that carries the gradient: Σ over the samples of dL/d(unit) · d(unit)/d(parameter), and its share of the whole."""

    unit: str
    product: float
    share: float


@dataclass(frozen=True)
class Cut:
    """The gradient as a sum over the units of one layer. `carrying` of its `units` carry something; `carriers` are the strongest."""

    layer: str
    kind: str
    units: int
    carrying: int
    total: float
    carriers: tuple[Carrier, ...]


@dataclass(frozen=True)
class Gradient(Explanation):
    """dL/d(parameter[index]) of the mean loss over `samples` of `part`, and how it comes about.

    `chain_rule` is None, and `paths` and `cuts` are empty, where `lacking` says which layer has no
    written derivative. `paths` are those of the sample that contributes most, `sample`, strongest
    first; `ways` is how many there are, None where that is too many to follow."""

    parameter: str
    index: tuple[int, ...]
    value: float
    part: str
    samples: tuple[int, ...]
    loss_name: str
    loss: float
    chain_rule: float | None
    autograd: float
    finite_difference: float
    sample: int
    paths: tuple[Path, ...]
    ways: int | None
    cuts: tuple[Cut, ...]
    by_sample: tuple[Carrier, ...]
    notes: tuple[str, ...]
    lacking: str | None
    formula: formula.Formula
    weights: Tensor = field(repr=False, compare=False)
    gradients: Tensor = field(repr=False, compare=False)
    input_shape: tuple[int, ...] = ()

    @property
    def name(self) -> str:
        """`layer1.weight[4,300]`."""
        return f"{self.parameter}[{','.join(map(str, self.index))}]"

    def to_dict(self) -> dict[str, Any]:
        held = {
            f.name: getattr(self, f.name)
            for f in fields(self)
            if f.name not in ("weights", "gradients", "formula")
        }
        for key in ("paths", "cuts", "by_sample"):
            held[key] = [asdict(part) for part in held[key]]
        return {**held, "formula": self.formula.text(), "latex": self.latex()}

    def latex(self) -> str:
        """The formula and its numbers, for a display in LaTeX."""
        return self.formula.latex()

    def html(self) -> str:
        """The formula as MathML, which browsers draw without any script, and the factors as a
        table.
        """
        rows = "".join(
            f"<tr><td>{escape(f'∂{factor.of}/∂{factor.by}')}</td><td>{factor.value:.4g}</td><td>{escape(factor.why)}</td></tr>"
            for path in self.paths[:1]
            for factor in path.factors
        )
        return f"<div>{self.formula.html()}{f'<table>{rows}</table>' if rows else ''}</div>"

    def _repr_html_(self) -> str:
        return self.html()


def gradient(
    subject: Subject,
    samples: int | Sequence[int] | str,
    parameter: str,
    index: Sequence[int] | None = None,
    part: str = "valid",
) -> Gradient:
    """The gradient of one number of `parameter`, at `index` or where it is largest, by one sample,
    several, or "all" of `part`.

    Raises `ArgumentError` where there is no such sample, parameter or number, or no gradient at
    all."""
    network, x, y, chosen = given(subject, samples, part)
    gradients = automatic(network, subject.loss, x, y)
    if parameter not in gradients:
        raise ArgumentError(
            f"there is no trained parameter {parameter!r}; the network has {', '.join(gradients)}"
        )
    slopes = gradients[parameter].detach()
    at = _index(parameter, index, slopes)
    lacking = missing(network)
    value = dict(network.named_parameters())[parameter].detach()
    with torch.no_grad():
        losses = subject.loss(network(x), y)
    numeric = difference(network, subject.loss, x, y, parameter, at) + 0.0  # not -0
    common: dict[str, Any] = {
        "parameter": parameter,
        "index": at,
        "value": float(value[at]),
        "part": part,
        "samples": tuple(chosen),
        "loss_name": type(subject.loss).__name__,
        "loss": float(losses.mean()),
        "autograd": float(slopes[at]) + 0.0,
        "finite_difference": numeric,
        "lacking": lacking,
        "weights": value,
        "gradients": slopes,
        "input_shape": tuple(x.shape[1:]),
    }
    if lacking:
        empty = formula.whole(parameter, at, float(slopes[at]))
        return Gradient(
            **common,
            chain_rule=None,
            sample=chosen[0],
            paths=(),
            ways=None,
            cuts=(),
            by_sample=(),
            notes=remarks(network, None, {}, None, float(slopes[at]), numeric),
            formula=empty,
        )
    chain = Chain(network, subject.loss, x, y)
    kept = chain.places(chain.owner(parameter))
    moves = {
        layer: move.flatten(1)
        for layer, move in chain.moves(parameter, at).items()
        if layer in kept
    }
    carried = {layer: move * chain.slopes[layer].flatten(1) for layer, move in moves.items()}
    own = next(iter(carried.values()))
    total = float(own.sum()) + 0.0
    strongest = int(own.sum(1).abs().argmax())
    alone: Chain | None = None
    found: list[Route] = []
    complete = False
    if not coupled(network):
        one = slice(strongest, strongest + 1)
        alone = Chain(network, subject.loss, x[one], y[one])
        found, complete = routes(network, subject.loss, x[one], y[one], parameter, at)
    paths = () if alone is None else _paths(subject, alone, y[strongest], parameter, at, found)
    cuts = tuple(_cut(chain, layer, held, total) for layer, held in carried.items())
    by_sample = _ranked([f"sample {i}" for i in chosen], own.sum(1), total)
    notes = remarks(
        network,
        alone,
        {layer: move[strongest] for layer, move in moves.items()},
        found[0] if found else None,
        total,
        numeric,
    )
    written = formula.build(
        parameter,
        at,
        chain,
        moves,
        found[0] if found else None,
        paths,
        complete,
        total,
        len(chosen),
    )
    return Gradient(
        **common,
        chain_rule=total,
        sample=chosen[strongest],
        paths=paths[:SHOWN],
        ways=len(paths) if complete else None,
        cuts=cuts,
        by_sample=by_sample,
        notes=notes,
        formula=written,
    )


def given(
    subject: Subject, samples: int | Sequence[int] | str, part: str
) -> tuple[nn.Module, Tensor, Tensor, list[int]]:
    """The network, inputs and targets in float64, and which samples they are. Raises
    `ArgumentError` where no gradient can be taken.
    """
    network = exact(subject.network)
    refuse_step(network, "a gradient")
    if not any(p.requires_grad for p in network.parameters()):
        raise ArgumentError(
            "the network has no parameter that is trained, so there is no gradient; see what it "
            "answers: explain sample"
        )
    x, y = subject.part(part)
    if isinstance(samples, str) and samples != "all":
        raise ArgumentError(f"samples are a number, several, or 'all', not {samples!r}")
    chosen = (
        list(range(len(y)))
        if isinstance(samples, str)
        else [samples]
        if isinstance(samples, int)
        else list(samples)
    )
    if not chosen:
        raise ArgumentError("a batch of no samples has no gradient; give at least one")
    for index in {min(chosen), max(chosen)}:
        subject.sample(index, part)  # says what is wrong with it
    chosen = [index % len(y) for index in chosen]
    if (numbers := len(chosen) * x.shape[1:].numel()) > NUMBERS:
        raise ArgumentError(
            f"a batch of {len(chosen):,} samples has {numbers:,} numbers, more than {NUMBERS:,}; "
            "give fewer samples"
        )
    rows = torch.tensor(chosen)
    inputs, targets = x[rows].cpu().double(), y[rows].cpu()
    forward(network, inputs, (torch.float64,))  # says in one line where it cannot
    return network, inputs, targets.double() if targets.is_floating_point() else targets, chosen


def _index(parameter: str, index: Sequence[int] | None, slopes: Tensor) -> tuple[int, ...]:
    shape = list(slopes.shape)
    if index is None:
        return place(
            int(slopes.abs().argmax()), shape
        )  # torch.unravel_index imports a computer algebra system, .4 s
    found = tuple(index)
    if len(found) != len(shape) or not all(
        0 <= i < size for i, size in zip(found, shape, strict=True)
    ):
        raise ArgumentError(
            f"{parameter} has shape {shape}; it has no number at {list(found)}, counted from 0"
        )
    return found


def _paths(
    subject: Subject,
    alone: Chain,
    target: Tensor,
    parameter: str,
    at: tuple[int, ...],
    found: list[Route],
) -> tuple[Path, ...]:
    """The routes of one sample in words, each with its share of that sample's gradient."""
    total = float((alone.local(parameter, at) * alone.slopes[alone.owner(parameter)]).sum())
    return tuple(_path(subject, alone, target, parameter, at, route, total) for route in found)


def _path(
    subject: Subject,
    chain: Chain,
    target: Tensor,
    parameter: str,
    at: tuple[int, ...],
    route: Route,
    total: float,
) -> Path:
    """A route with the names and reasons of its factors, from the loss back."""
    names = [
        chain.names[layer]
        if held is None
        else unit(chain.names[layer], held, chain.outputs[layer].shape[1:])
        for layer, held in zip(route.places, route.units, strict=True)
    ]
    source, why = feeding(chain, parameter, at)
    start = route.places[0]
    if source is not None:
        why = f"its input, {_source(subject, chain, start, source)}"
    factors = [Factor(names[0], f"{parameter}[{','.join(map(str, at))}]", route.factors[0], why)]
    for order in range(1, len(route.places)):
        factors.append(
            Factor(
                names[order],
                names[order - 1],
                route.factors[order],
                by_unit(chain, route.places[order], route.units[order], route.units[order - 1]),
            )
        )
    if len(route.factors) > len(route.places):
        held = terms(subject.loss, chain.outputs[-1][0], target)
        why = held[min(route.units[-1] or 0, len(held) - 1)].slope
        if route.places[-1] != len(chain.layers) - 1:
            why = "what the loss feels there"
        factors.append(Factor("L", names[-1], route.factors[-1], why))
    return Path(tuple(reversed(factors)), route.product, route.product / total if total else 0.0)


def _source(subject: Subject, chain: Chain, start: int, flat: int) -> str:
    """The unit, or the input, that place `flat` of the input of layer `start` comes from."""
    before = [
        layer
        for layer in chain.places(0)
        if layer < start and type(chain.modules[layer]) not in PASSING
    ]
    if not before:
        return input_name(subject, flat)
    return unit(chain.names[before[-1]], flat, chain.outputs[before[-1]].shape[1:])


def _cut(chain: Chain, layer: int, carried: Tensor, total: float) -> Cut:
    name, shape = chain.names[layer], chain.outputs[layer].shape[1:]
    by_unit_sum = carried.sum(0)
    order = by_unit_sum.abs().argsort(descending=True, stable=True)[:SHOWN].tolist()
    kept = [i for i in order if float(by_unit_sum[i]) != 0]
    carriers = tuple(
        Carrier(
            unit(name, i, shape),
            float(by_unit_sum[i]),
            float(by_unit_sum[i]) / total if total else 0.0,
        )
        for i in kept
    )
    return Cut(
        name,
        type(chain.modules[layer]).__name__,
        shape.numel(),
        int((carried != 0).any(0).sum()),
        float(carried.sum()),
        carriers,
    )


def _ranked(names: list[str], parts: Tensor, total: float) -> tuple[Carrier, ...]:
    order = parts.abs().argsort(descending=True, stable=True)[:SHOWN].tolist()
    return tuple(
        Carrier(names[i], float(parts[i]), float(parts[i]) / total if total else 0.0) for i in order
    )
