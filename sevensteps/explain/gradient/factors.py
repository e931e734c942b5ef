"""One factor of the chain rule in words: where its number comes from in the network."""

from __future__ import annotations

from torch import nn

from sevensteps.engine.activations import UNKNOWN, activation_of
from sevensteps.engine.modules import Bins, Neuron, Powers
from sevensteps.explain.forward import unravel_index
from sevensteps.explain.gradient.paths import Chain
from sevensteps.render.text import number_text


def factor_in_words(chain: Chain, layer: int, unit: int | None, before: int | None) -> str:
    """Where d(unit)/d(unit before) of a layer, for one sample, comes from: `output.weight[2,17]`.

    `unit` counts the outputs of the layer and `before` its inputs, both flat.
    """
    module, name = chain.modules[layer], chain.names[layer]
    kind = type(module).__name__
    if isinstance(module, nn.Linear | Neuron) and unit is not None and before is not None:
        if chain.outputs[layer].ndim == 2:
            # w0 stands first
            shift = 1 if isinstance(module, Neuron) and module.bias is None else 0
            return f"{name}.weight[{unit},{before + shift}]"
        return f"a weight of {name}"
    if isinstance(module, nn.Conv2d):
        return _filter_weight(chain, layer, unit, before)
    if isinstance(module, nn.BatchNorm1d | nn.BatchNorm2d):
        return "γ / √(σ² + ε)"
    if isinstance(module, nn.MaxPool2d):
        return "1: largest of its window"
    if isinstance(module, nn.AvgPool2d | nn.AdaptiveAvgPool2d):
        return "its share of the mean"
    if isinstance(module, Bins):
        return "2 / width of its bin"
    if isinstance(module, Powers):
        return "n xⁿ⁻¹"
    if unit is None or not (activation_of(module) or UNKNOWN).elementwise:
        return f"derivative of {kind}"
    return _activation_slope(
        module,
        float(chain.inputs[layer].flatten()[unit]),
        float(chain.outputs[layer].flatten()[unit]),
    )


def _activation_slope(module: nn.Module, x: float, y: float) -> str:
    kind, function = type(module).__name__, activation_of(module) or UNKNOWN
    if function.rectifies:
        if x > 0:
            return f"{kind}: {number_text(x, 3)} > 0"
        return f"{kind}: off, exactly 0" if x == 0 else f"{kind}: off, {number_text(x, 3)} < 0"
    if function.derivative is not None:
        at = (
            f"y = {number_text(y, 3)}" if "y" in function.derivative else f"x = {number_text(x, 3)}"
        )
        return f"{function.derivative}, {at}"
    return f"slope of {kind} at {number_text(x, 3)}"


def _filter_weight(chain: Chain, layer: int, unit: int | None, before: int | None) -> str:
    """The weight of the filter between two positions: `conv1.weight[3,0,1,2]`."""
    module = chain.modules[layer]
    if unit is None or before is None or module.groups > 1 or isinstance(module.padding, str):
        return f"a weight of {chain.names[layer]}"
    out, *position = unravel_index(unit, chain.outputs[layer].shape[1:])
    into, *source = unravel_index(before, chain.inputs[layer].shape[1:])
    kernel = [
        (s + module.padding[axis] - p * module.stride[axis]) // module.dilation[axis]
        for axis, (p, s) in enumerate(zip(position, source, strict=True))
    ]
    return f"{chain.names[layer]}.weight[{out},{into},{kernel[0]},{kernel[1]}]"


def multiplied_input(
    chain: Chain, parameter: str, index: tuple[int, ...]
) -> tuple[int | None, str]:
    """What a parameter multiplies: the place in its layer's input (flat), or words."""
    layer, name = chain.owner(parameter), parameter.rpartition(".")[2]
    module = chain.modules[layer]
    if name == "bias":
        return None, "1: the same number is added to every sample"
    if isinstance(module, nn.BatchNorm1d | nn.BatchNorm2d):
        return None, "x̂, the normalised input"
    if isinstance(module, Neuron) and module.bias is None:
        return (None, "x0 = 1: w0 is the bias") if index[1] == 0 else (index[1] - 1, "")
    if isinstance(module, nn.Linear | Neuron) and chain.inputs[layer].ndim == 2:
        return index[1], ""
    if isinstance(module, nn.Conv2d):
        return None, "its input there"
    return None, "its input"
