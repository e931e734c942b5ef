"""Where one gradient comes from: the chain rule factor by factor, checked by two other means."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass, field, fields
from html import escape
from typing import Any

import torch
from torch import Tensor, nn

from sevensteps.engine.chain_rule import missing
from sevensteps.errors import ArgumentError
from sevensteps.explain.base import Explanation
from sevensteps.explain.forward import input_name, unit_name, unravel_index
from sevensteps.explain.gradient.batch import network_and_batch
from sevensteps.explain.gradient.factors import factor_in_words, multiplied_input
from sevensteps.explain.gradient.formula import Formula, build_formula, number_alone
from sevensteps.explain.gradient.notes import gradient_notes, samples_interact
from sevensteps.explain.gradient.paths import PASS_THROUGH, Chain, Route, strongest_routes
from sevensteps.explain.gradient.verification import autograd_gradients, central_difference
from sevensteps.explain.loss_terms import loss_terms
from sevensteps.explain.subject import Subject

MAX_SHOWN = 8  # units, paths and samples of each list


@dataclass(frozen=True)
class Factor:
    """d(of)/d(by), a number, and where it stands in the network."""

    of: str
    by: str
    value: float
    why: str


@dataclass(frozen=True)
class GradientPath:
    """One way from the parameter to the loss: its factors from the loss back, and their product.

    `share` is the product as a share of the whole gradient.
    """

    factors: tuple[Factor, ...]
    product: float
    share: float


@dataclass(frozen=True)
class Contribution:
    """What one unit adds to the gradient: Σ over samples of dL/d(unit) · d(unit)/d(parameter).

    `share` is that as a share of the whole gradient.
    """

    unit: str
    product: float
    share: float


@dataclass(frozen=True)
class LayerDecomposition:
    """The gradient as a sum over the units of one layer.

    `carrying` of its `units` contribute something; `carriers` are those that contribute most.
    """

    layer: str
    kind: str
    units: int
    carrying: int
    total: float
    carriers: tuple[Contribution, ...]


@dataclass(frozen=True)
class Gradient(Explanation):
    """dL/d(parameter[index]) of the mean loss over `samples` of `part`, and how it comes about.

    `chain_rule` is None, and `paths` and `cuts` are empty, if a layer has no written derivative;
    `lacking` says which. `paths` are those of the sample that contributes most, `sample`, strongest
    first; `ways` is how many there are, None if they are too many to follow. `cuts` has the
    gradient as a sum over the units, once for each layer.
    """

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
    paths: tuple[GradientPath, ...]
    ways: int | None
    cuts: tuple[LayerDecomposition, ...]
    by_sample: tuple[Contribution, ...]
    notes: tuple[str, ...]
    lacking: str | None
    formula: Formula
    weights: Tensor = field(repr=False, compare=False)
    gradients: Tensor = field(repr=False, compare=False)
    input_shape: tuple[int, ...] = ()

    @property
    def name(self) -> str:
        """`layer1.weight[4,300]`."""
        return f"{self.parameter}[{','.join(map(str, self.index))}]"

    def to_dict(self) -> dict[str, Any]:
        hidden = ("weights", "gradients", "formula")
        numbers = {f.name: getattr(self, f.name) for f in fields(self) if f.name not in hidden}
        for key in ("paths", "cuts", "by_sample"):
            numbers[key] = [asdict(part) for part in numbers[key]]
        return {**numbers, "formula": self.formula.text(), "latex": self.latex()}

    def latex(self) -> str:
        """The formula and its numbers, for a display in LaTeX."""
        return self.formula.latex()

    def html(self) -> str:
        """The formula as MathML, which browsers draw without a script, and a table of factors."""
        rows = "".join(
            f"<tr><td>{escape(f'∂{factor.of}/∂{factor.by}')}</td><td>{factor.value:.4g}</td>"
            f"<td>{escape(factor.why)}</td></tr>"
            for path in self.paths[:1]
            for factor in path.factors
        )
        return f"<div>{self.formula.html()}{f'<table>{rows}</table>' if rows else ''}</div>"


def gradient(
    subject: Subject,
    samples: int | Sequence[int] | str,
    parameter: str,
    index: Sequence[int] | None = None,
    part: str = "valid",
) -> Gradient:
    """The gradient of `parameter[index]`, or of its number with the largest gradient.

    Of one sample, of the mean loss over several, or over "all" of `part`. Raises `ArgumentError` if
    there is no such sample, parameter or number, or no gradient at all.
    """
    network, x, y, chosen = network_and_batch(subject, samples, part)
    gradients = autograd_gradients(network, subject.loss, x, y)
    if parameter not in gradients:
        raise ArgumentError(
            f"there is no trained parameter {parameter!r}; the network has {', '.join(gradients)}"
        )
    parameter_gradient = gradients[parameter].detach()
    at = _checked_index(parameter, index, parameter_gradient)
    values = dict(network.named_parameters())[parameter].detach()
    with torch.no_grad():
        losses = subject.loss(network(x), y)
    by_autograd = float(parameter_gradient[at]) + 0.0  # not -0
    numeric = central_difference(network, subject.loss, x, y, parameter, at) + 0.0
    if lacking := missing(network):
        notes = gradient_notes(network, None, {}, None, by_autograd, numeric)
        factors: dict[str, Any] = {
            "chain_rule": None,
            "sample": chosen[0],
            "paths": (),
            "ways": None,
            "cuts": (),
            "by_sample": (),
            "notes": notes,
            "formula": number_alone(parameter, at, by_autograd),
        }
    else:
        factors = _factors(subject, network, x, y, chosen, parameter, at, numeric)
    return Gradient(
        parameter=parameter,
        index=at,
        value=float(values[at]),
        part=part,
        samples=tuple(chosen),
        loss_name=type(subject.loss).__name__,
        loss=float(losses.mean()),
        autograd=by_autograd,
        finite_difference=numeric,
        lacking=lacking,
        weights=values,
        gradients=parameter_gradient,
        input_shape=tuple(x.shape[1:]),
        **factors,
    )


def _factors(
    subject: Subject,
    network: nn.Module,
    x: Tensor,
    y: Tensor,
    chosen: list[int],
    parameter: str,
    at: tuple[int, ...],
    numeric: float,
) -> dict[str, Any]:
    """What a `Gradient` says where every layer has a written derivative: paths, sums, formula."""
    chain = Chain(network, subject.loss, x, y)
    layers = chain.changing_layers(chain.owner(parameter))
    jacobian = {
        layer: derivatives.flatten(1)
        for layer, derivatives in chain.parameter_jacobian(parameter, at).items()
        if layer in layers
    }
    contributions = {
        layer: derivatives * chain.output_gradients[layer].flatten(1)
        for layer, derivatives in jacobian.items()
    }
    of_samples = next(iter(contributions.values())).sum(1)
    total = float(next(iter(contributions.values())).sum()) + 0.0
    strongest = int(of_samples.abs().argmax())
    one_sample: Chain | None = None
    routes: list[Route] = []
    complete = False
    if not samples_interact(network):
        one = slice(strongest, strongest + 1)
        one_sample = Chain(network, subject.loss, x[one], y[one])
        routes, complete = strongest_routes(network, subject.loss, x[one], y[one], parameter, at)
    paths = (
        ()
        if one_sample is None
        else _paths_in_words(subject, one_sample, y[strongest], parameter, at, routes)
    )
    route = routes[0] if routes else None
    jacobian_of_sample = {layer: rows[strongest] for layer, rows in jacobian.items()}
    return {
        "chain_rule": total,
        "sample": chosen[strongest],
        "paths": paths[:MAX_SHOWN],
        "ways": len(paths) if complete else None,
        "cuts": tuple(
            _decompose(chain, layer, products, total) for layer, products in contributions.items()
        ),
        "by_sample": _largest([f"sample {i}" for i in chosen], of_samples, total),
        "notes": gradient_notes(network, one_sample, jacobian_of_sample, route, total, numeric),
        "formula": build_formula(
            parameter, at, chain, jacobian, route, paths, complete, total, len(chosen)
        ),
    }


def _checked_index(
    parameter: str, index: Sequence[int] | None, gradients: Tensor
) -> tuple[int, ...]:
    """`index` if the parameter has such a number; for None that of the largest gradient."""
    shape = list(gradients.shape)
    if index is None:
        # torch.unravel_index imports a computer algebra system, .4 s
        return unravel_index(int(gradients.abs().argmax()), shape)
    at = tuple(index)
    if len(at) != len(shape) or not all(0 <= i < size for i, size in zip(at, shape, strict=True)):
        raise ArgumentError(
            f"{parameter} has shape {shape}; it has no number at {list(at)}, counted from 0"
        )
    return at


def _paths_in_words(
    subject: Subject,
    chain: Chain,
    target: Tensor,
    parameter: str,
    at: tuple[int, ...],
    routes: list[Route],
) -> tuple[GradientPath, ...]:
    """The routes of one sample in words, each with its share of that sample's gradient."""
    output_gradient = chain.output_gradients[chain.owner(parameter)]
    total = float((chain.local_jacobian(parameter, at) * output_gradient).sum())
    return tuple(
        _path_in_words(subject, chain, target, parameter, at, route, total) for route in routes
    )


def _path_in_words(
    subject: Subject,
    chain: Chain,
    target: Tensor,
    parameter: str,
    at: tuple[int, ...],
    route: Route,
    total: float,
) -> GradientPath:
    """A route with the names and reasons of its factors, from the loss back."""
    names = [
        chain.names[layer]
        if flat is None
        else unit_name(chain.names[layer], flat, chain.outputs[layer].shape[1:])
        for layer, flat in zip(route.layers, route.units, strict=True)
    ]
    source, why = multiplied_input(chain, parameter, at)
    start = route.layers[0]
    if source is not None:
        why = f"its input, {_name_of_input(subject, chain, start, source)}"
    factors = [Factor(names[0], f"{parameter}[{','.join(map(str, at))}]", route.factors[0], why)]
    for order in range(1, len(route.layers)):
        factors.append(
            Factor(
                names[order],
                names[order - 1],
                route.factors[order],
                factor_in_words(
                    chain, route.layers[order], route.units[order], route.units[order - 1]
                ),
            )
        )
    if len(route.factors) > len(route.layers):
        terms = loss_terms(subject.loss, chain.outputs[-1][0], target)
        why = terms[min(route.units[-1] or 0, len(terms) - 1)].slope
        if route.layers[-1] != len(chain.layers) - 1:
            why = "what the loss feels there"
        factors.append(Factor("L", names[-1], route.factors[-1], why))
    return GradientPath(
        tuple(reversed(factors)), route.product, route.product / total if total else 0.0
    )


def _name_of_input(subject: Subject, chain: Chain, start: int, flat: int) -> str:
    """The name of the unit, or of the input, that feeds place `flat` of layer `start`."""
    before = [
        layer
        for layer in chain.changing_layers(0)
        if layer < start and type(chain.modules[layer]) not in PASS_THROUGH
    ]
    if not before:
        return input_name(subject, flat)
    return unit_name(chain.names[before[-1]], flat, chain.outputs[before[-1]].shape[1:])


def _decompose(chain: Chain, layer: int, products: Tensor, total: float) -> LayerDecomposition:
    """The gradient as a sum over the units of `layer`; `products` [B, units] are what each adds."""
    name, shape = chain.names[layer], chain.outputs[layer].shape[1:]
    of_units = products.sum(0)
    order = of_units.abs().argsort(descending=True, stable=True)[:MAX_SHOWN].tolist()
    return LayerDecomposition(
        name,
        type(chain.modules[layer]).__name__,
        shape.numel(),
        int((products != 0).any(0).sum()),
        float(products.sum()),
        tuple(
            _contribution(unit_name(name, i, shape), of_units[i], total)
            for i in order
            if float(of_units[i]) != 0
        ),
    )


def _largest(names: list[str], products: Tensor, total: float) -> tuple[Contribution, ...]:
    """The largest of the `products` with their names."""
    order = products.abs().argsort(descending=True, stable=True)[:MAX_SHOWN].tolist()
    return tuple(_contribution(names[i], products[i], total) for i in order)


def _contribution(name: str, product: Tensor, total: float) -> Contribution:
    return Contribution(name, float(product), float(product) / total if total else 0.0)
