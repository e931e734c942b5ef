"""The backward pass layer by layer: how large the gradient is, and where it is lost."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass, field, fields
from typing import Any

import torch
from torch import Tensor, nn

from sevensteps.engine.chain_rule import missing
from sevensteps.engine.layer_calls import capture_outputs
from sevensteps.engine.sequence import named_layers
from sevensteps.explain.base import Explanation
from sevensteps.explain.forward import named_leaves, unravel_index
from sevensteps.explain.gradient.batch import network_and_batch
from sevensteps.explain.gradient.notes import gradient_notes
from sevensteps.explain.gradient.paths import Chain
from sevensteps.explain.gradient.verification import autograd_gradients, central_difference
from sevensteps.explain.subject import Subject
from sevensteps.seeds import Isolation
from sevensteps.steps.loss import Loss

WEAK = 0.5  # a layer that hands on less than this share is named


@dataclass(frozen=True)
class LayerGradient:
    """A layer in the backward pass: the sizes (L2 norms) of its gradients.

    `slope` is |dL/d(its output)|, over all samples and units. `factor` is what the layer makes of
    it, |dL/d(its input)| / |dL/d(its output)|; None for the first layer, and if the layers form no
    chain. `parameters` are |dL/d(parameter)| by name.
    """

    name: str
    kind: str
    slope: float
    factor: float | None
    parameters: dict[str, float]


@dataclass(frozen=True)
class Backward(Explanation):
    """The backward pass, `layers` from the last to the first.

    `loses` names the layer that hands on the least, if that is less than half. `relative` is
    |chain rule - autograd| / |autograd| over all parameters, None without written derivatives;
    `chain_rule`, `autograd` and `finite_difference` are those of the largest single gradient,
    `largest`.
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
        hidden = ("weights", "gradients")
        numbers = {f.name: getattr(self, f.name) for f in fields(self) if f.name not in hidden}
        return {**numbers, "layers": [asdict(layer) for layer in self.layers]}


def backward(subject: Subject, samples: int | Sequence[int] | str, part: str = "valid") -> Backward:
    """The backward pass for one sample, for several, or for "all" of `part`.

    Raises `ArgumentError` where there is no gradient to take.
    """
    network, x, y, chosen = network_and_batch(subject, samples, part)
    gradients = {
        name: g.detach() for name, g in autograd_gradients(network, subject.loss, x, y).items()
    }
    lacking = missing(network)
    chain = None if lacking else Chain(network, subject.loss, x, y)
    output_gradients = (
        _autograd_output_gradients(network, subject.loss, x, y)
        if chain is None
        else dict(zip(chain.names, chain.output_gradients, strict=True))
    )
    rows = _layer_gradients(network, output_gradients, gradients)
    name = max(gradients, key=lambda key: float(gradients[key].abs().max()))
    at = unravel_index(int(gradients[name].abs().argmax()), gradients[name].shape)
    by_chain_rule = None
    if chain is not None:
        jacobian = chain.local_jacobian(name, at)
        by_chain_rule = float((jacobian * chain.output_gradients[chain.owner(name)]).sum()) + 0.0
    numeric = central_difference(network, subject.loss, x, y, name, at) + 0.0
    with torch.no_grad():
        mean = float(subject.loss(network(x), y).mean())
    weakest = min(
        (row for row in rows if row.factor is not None),
        key=lambda row: row.factor or 0.0,
        default=None,
    )
    return Backward(
        part=part,
        samples=tuple(chosen),
        loss_name=type(subject.loss).__name__,
        loss=mean,
        layers=rows,
        loses=weakest.name if weakest is not None and (weakest.factor or 0.0) < WEAK else None,
        relative=None if chain is None else _relative_error(chain, gradients),
        largest=f"{name}[{','.join(map(str, at))}]",
        chain_rule=by_chain_rule,
        autograd=float(gradients[name][at]) + 0.0,
        finite_difference=numeric,
        notes=gradient_notes(network, None, {}, None, float(gradients[name][at]), numeric),
        lacking=lacking,
        weights={key: p.detach() for key, p in network.named_parameters()},
        gradients=gradients,
        input_shape=tuple(x.shape[1:]),
    )


def _layer_gradients(
    network: nn.Module, output_gradients: dict[str, Tensor], gradients: dict[str, Tensor]
) -> tuple[LayerGradient, ...]:
    """The size of the gradient at each layer, from the last to the first."""
    modules = [(name, module) for name, module in named_leaves(network) if name in output_gradients]
    is_chain = len(named_layers(network)) > 1  # else a layer need not hand back to the one before
    sizes = [float(output_gradients[name].norm()) for name, _ in modules]
    rows = []
    for order, (name, module) in enumerate(modules):
        factor = sizes[order - 1] / sizes[order] if is_chain and order and sizes[order] else None
        parameters = {
            key: float(gradients[full].norm())
            for key, _ in module.named_parameters(recurse=False)
            if (full := f"{name}.{key}" if name and f"{name}.{key}" in gradients else key)
            in gradients
        }
        rows.append(LayerGradient(name, type(module).__name__, sizes[order], factor, parameters))
    return tuple(reversed(rows))


def _autograd_output_gradients(
    network: nn.Module, loss: Loss, x: Tensor, y: Tensor
) -> dict[str, Tensor]:
    """dL/d(output) of every layer that is called once, as PyTorch's autograd has it."""
    with torch.enable_grad(), Isolation(torch.Generator().manual_seed(0)):
        output, calls = capture_outputs(network, x, named_leaves(network))
        mean = loss(output, y).mean()
        tensors: dict[str, Tensor] = {}
        for call in calls:
            if isinstance(call.output, Tensor) and call.output.requires_grad:
                tensors.setdefault(call.name, call.output)
        gradients = torch.autograd.grad(mean, list(tensors.values()), allow_unused=True)
    return {name: g for name, g in zip(tensors, gradients, strict=True) if g is not None}


def _relative_error(chain: Chain, gradients: dict[str, Tensor]) -> float:
    """|chain rule - autograd| / |autograd|, over the gradients of all parameters."""
    difference = sum(
        float((chain.parameter_gradient(name) - g).square().sum()) for name, g in gradients.items()
    )
    length = sum(float(g.square().sum()) for g in gradients.values())
    return float((difference / length) ** 0.5) if length else float(difference**0.5)
