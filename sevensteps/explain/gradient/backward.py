"""The whole backward pass of a sample or batch: how large the gradient is at every layer, and where
it is lost.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass, field, fields
from typing import Any

import torch
from torch import Tensor, nn

from sevensteps.engine.chain_rule import missing
from sevensteps.engine.sequence import layers
from sevensteps.explain.base import Explanation
from sevensteps.explain.forward import leaves, place
from sevensteps.explain.gradient.answer import given
from sevensteps.explain.gradient.notes import remarks
from sevensteps.explain.gradient.paths import Chain
from sevensteps.explain.gradient.verification import automatic, difference
from sevensteps.explain.subject import Subject
from sevensteps.seeds import Isolation
from sevensteps.steps.loss import Loss

LOST = 0.5  # a layer that hands on less than this share is named


@dataclass(frozen=True)
class LayerGradient:
    """A layer in the backward pass. `slope` is |dL/d(its output)|, over all samples and units (L2 norm); `factor` is what the layer
    makes of it, |dL/d(its input)| / |dL/d(its output)|, None for the first and where the layers form no chain. `parameters` are
    |dL/d(parameter)| by name.
    """

    name: str
    kind: str
    slope: float
    factor: float | None
    parameters: dict[str, float]


@dataclass(frozen=True)
class Backward(Explanation):
    """The backward pass, `layers` from the last to the first. `relative` is |chain rule - autograd| / |autograd| over all parameters,
    None without written derivatives; the three numbers are those of the largest single gradient, `largest`.
    """

    part: str
    samples: tuple[int, ...]
    loss_name: str
    loss: float
    layers: tuple[LayerGradient, ...]
    loses: str | None
    relative: float | None
    largest: str
    chain_rule: float | None
    autograd: float
    finite_difference: float
    notes: tuple[str, ...]
    lacking: str | None
    weights: dict[str, Tensor] = field(repr=False, compare=False)
    gradients: dict[str, Tensor] = field(repr=False, compare=False)
    input_shape: tuple[int, ...] = ()

    def to_dict(self) -> dict[str, Any]:
        held = {
            f.name: getattr(self, f.name)
            for f in fields(self)
            if f.name not in ("weights", "gradients")
        }
        return {**held, "layers": [asdict(layer) for layer in self.layers]}


def backward(subject: Subject, samples: int | Sequence[int] | str, part: str = "valid") -> Backward:
    """The backward pass for one sample, several, or "all" of `part`. Raises `ArgumentError` where
    there is no gradient to take.
    """
    network, x, y, chosen = given(subject, samples, part)
    gradients = {name: g.detach() for name, g in automatic(network, subject.loss, x, y).items()}
    lacking = missing(network)
    chain = None if lacking else Chain(network, subject.loss, x, y)
    slopes = (
        _taped(network, subject.loss, x, y)
        if chain is None
        else dict(zip(chain.names, chain.slopes, strict=True))
    )
    rows = _rows(network, slopes, gradients)
    name = max(gradients, key=lambda key: float(gradients[key].abs().max()))
    at = place(int(gradients[name].abs().argmax()), gradients[name].shape)
    own = None
    if chain is not None:
        own = float((chain.local(name, at) * chain.slopes[chain.owner(name)]).sum()) + 0.0
    numeric = difference(network, subject.loss, x, y, name, at) + 0.0
    with torch.no_grad():
        mean = float(subject.loss(network(x), y).mean())
    lost = min(
        (row for row in rows if row.factor is not None),
        key=lambda row: row.factor or 0.0,
        default=None,
    )
    notes = remarks(network, None, {}, None, float(gradients[name][at]), numeric)
    return Backward(
        part,
        tuple(chosen),
        type(subject.loss).__name__,
        mean,
        rows,
        lost.name if lost is not None and (lost.factor or 0.0) < LOST else None,
        None if chain is None else _relative(chain, gradients),
        f"{name}[{','.join(map(str, at))}]",
        own,
        float(gradients[name][at]) + 0.0,
        numeric,
        notes,
        lacking,
        {key: p.detach() for key, p in network.named_parameters()},
        gradients,
        tuple(x.shape[1:]),
    )


def _rows(
    network: nn.Module, slopes: dict[str, Tensor], gradients: dict[str, Tensor]
) -> tuple[LayerGradient, ...]:
    chain = [(name, module) for name, module in leaves(network) if name in slopes]
    row = len(layers(network)) > 1  # else what one layer hands back need not be for the one before
    sizes = [float(slopes[name].norm()) for name, _ in chain]
    rows = []
    for order, (name, module) in enumerate(chain):
        factor = sizes[order - 1] / sizes[order] if row and order and sizes[order] else None
        own = {
            key: float(gradients[full].norm())
            for key, _ in module.named_parameters(recurse=False)
            if (full := f"{name}.{key}" if name and f"{name}.{key}" in gradients else key)
            in gradients
        }
        rows.append(LayerGradient(name, type(module).__name__, sizes[order], factor, own))
    return tuple(reversed(rows))


def _taped(network: nn.Module, loss: Loss, x: Tensor, y: Tensor) -> dict[str, Tensor]:
    """dL/d(output) of every layer that is called once, as PyTorch's autograd has it."""
    seen: dict[str, Tensor] = {}
    handles = [
        module.register_forward_hook(
            lambda module, inputs, output, name=name: seen.setdefault(name, output)
        )
        for name, module in leaves(network)
    ]
    try:
        with torch.enable_grad(), Isolation(torch.Generator().manual_seed(0)):
            mean = loss(network(x), y).mean()
            tensors = {
                name: held
                for name, held in seen.items()
                if isinstance(held, Tensor) and held.requires_grad
            }
            found = torch.autograd.grad(mean, list(tensors.values()), allow_unused=True)
    finally:
        for handle in handles:
            handle.remove()
    return {name: g for name, g in zip(tensors, found, strict=True) if g is not None}


def _relative(chain: Chain, gradients: dict[str, Tensor]) -> float:
    """How far all gradients by the chain rule are from autograd's."""
    apart = sum(float((chain.descended(name) - g).square().sum()) for name, g in gradients.items())
    whole = sum(float(g.square().sum()) for g in gradients.values())
    return float((apart / whole) ** 0.5) if whole else float(apart**0.5)
