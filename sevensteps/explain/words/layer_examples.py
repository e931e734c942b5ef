"""Examples of words about tensors and layers: what a network is made of."""

from __future__ import annotations

from typing import Any

from torch import nn

from sevensteps.engine.modules import Neuron
from sevensteps.explain.run_numbers import LayerPass, RunNumbers
from sevensteps.explain.words.examples import (
    NOTHING_TRAINED,
    Example,
    example_of,
    no_example,
    shape_text,
)
from sevensteps.render.text import count_text, number_text
from sevensteps.steps.predict import neuron


@example_of("activation")
def _activation(run: RunNumbers) -> Example:
    layers = [*run.activation_passes[:1], *run.layer_passes[-1:]]
    if not layers:
        return no_example("its network has no layers that can be looked into")
    name, y = layers[0].name, layers[0].output
    first = float(y.flatten()[0])
    return Example(
        f"for validation sample 0, {name} gives {count_text(y[0].numel(), 'activation')}; the "
        "first "
        f"is {number_text(first)}",
        {"layer": name, "count": y[0].numel(), "first": first},
    )


@example_of("parameter")
def _parameter(run: RunNumbers) -> Example:
    parameters = list(run.subject.network.named_parameters())
    if not parameters:
        return no_example(NOTHING_TRAINED)
    name, first = parameters[0]
    total, value = sum(p.numel() for _, p in parameters), float(first.flatten()[0].detach())
    index = [0] * first.ndim
    return Example(
        f"{name}{index or ''} ended as {number_text(value, 6)}; there are "
        f"{count_text(total, 'parameter')} in {count_text(len(parameters), 'tensor')}",
        {"value": value, "count": total},
    )


@example_of("scalar")
def _scalar(run: RunNumbers) -> Example:
    loss = run.subject.summary.metrics["valid"]["loss"]
    return Example(
        f"the loss on the validation data at the end, {number_text(loss)}", {"loss": loss}
    )


@example_of("vector")
def _vector(run: RunNumbers) -> Example:
    return _parameter_of_rank(run, 1, "none of its parameters has one axis")


@example_of("matrix")
def _matrix(run: RunNumbers) -> Example:
    return _parameter_of_rank(run, 2, "none of its parameters has two axes")


def _parameter_of_rank(run: RunNumbers, rank: int, otherwise: str) -> Example:
    """The first parameter with `rank` axes."""
    for name, parameter in run.subject.network.named_parameters():
        if parameter.ndim == rank:
            numbers = parameter.detach().flatten()
            few = ", ".join(number_text(float(number)) for number in numbers[:3])
            more = ", …" if len(numbers) > 3 else ""
            return Example(
                f"{name} {shape_text(parameter.shape)}: {few}{more}",
                {"name": name, "shape": list(parameter.shape)},
            )
    return no_example(otherwise)


@example_of("rank")
def _rank(run: RunNumbers) -> Example:
    batch = _batch_shape(run)
    return Example(
        f"a batch of inputs {shape_text(batch)} has rank {len(batch)}",
        {"shape": batch, "rank": len(batch)},
    )


@example_of("axis")
def _axis(run: RunNumbers) -> Example:
    batch = _batch_shape(run)
    axes = {
        2: ("samples", "features"),
        4: ("samples", "channels", "rows of pixels", "columns of pixels"),
    }.get(len(batch))
    if axes is None:
        return no_example(f"its inputs {shape_text(batch)} do not say what their axes count")
    counts = ", ".join(
        f"axis {number} counts {size:,} {axis}"
        for number, (size, axis) in enumerate(zip(batch, axes, strict=True))
    )
    return Example(f"of a batch {shape_text(batch)}, {counts}", {"shape": batch})


def _batch_shape(run: RunNumbers) -> list[int]:
    return [run.batch_size, *run.subject.data.train.x.shape[1:]]


@example_of("layer")
def _layer(run: RunNumbers) -> Example:
    names = [name for name, _ in run.subject.layers]
    return Example(
        f"the network has {count_text(len(names), 'layer')}: {' → '.join(names)}", {"layers": names}
    )


@example_of("linear")
def _linear(run: RunNumbers) -> Example:
    if not run.linear_passes:
        return no_example("its network has no linear layer")
    name, module, x, y = run.linear_passes[0]
    weighted_sum = float(module.weight[0].detach() @ x[0])
    bias = 0.0 if module.bias is None else float(module.bias[0].detach())
    result = float(y[0, 0])
    return Example(
        f"{name}, unit 0, for validation sample 0: the sum of {module.in_features:,} products is "
        f"{number_text(weighted_sum)}, plus the bias {number_text(bias)} gives "
        f"{number_text(result)}",
        {"layer": name, "sum": weighted_sum, "bias": bias, "result": result},
    )


@example_of("nonlinear")
def _nonlinear(run: RunNumbers) -> Example:
    if not run.activation_passes:
        return no_example("its network has no nonlinear layer")
    layer = run.activation_passes[0]
    unit, x, y = _lowest(layer)
    return Example(
        f"{layer.name} is {type(layer.module).__name__}: for validation sample 0 it turns the "
        f"{number_text(x)} of unit {unit} into {number_text(y)}",
        {"input": x, "output": y},
    )


@example_of("ReLU")
def _relu(run: RunNumbers) -> Example:
    layer = next((a for a in run.activation_passes if isinstance(a.module, nn.ReLU)), None)
    if layer is None:
        return no_example("its network has no ReLU")
    unit, x, y = _lowest(layer)
    off, units = int((layer.input <= 0).sum()), layer.input.numel()
    return Example(
        f"in {layer.name}, for validation sample 0, unit {unit} is max(0, {number_text(x)}) = "
        f"{number_text(y)}; {off} of {units} units are 0",
        {"input": x, "output": y, "off": off, "units": units},
    )


def _lowest(layer: LayerPass) -> tuple[int, float, float]:
    """The unit with the lowest input, that input, and its output."""
    unit = int(layer.input.flatten().argmin())
    return unit, float(layer.input.flatten()[unit]), float(layer.output.flatten()[unit])


@example_of("bias")
def _bias(run: RunNumbers) -> Example:
    biases = [
        (name, p.detach())
        for name, p in run.subject.network.named_parameters()
        if name.rpartition(".")[2] == "bias"
    ]
    if not biases:
        return no_example("its network has no bias of that name")
    name, bias = biases[-1]
    return Example(
        f"{name} {shape_text(bias.shape)}: unit 0 adds {number_text(float(bias[0]))} to its sum, "
        "for "
        "every sample",
        {"name": name, "value": float(bias[0])},
    )


@example_of("broadcasting")
def _broadcasting(run: RunNumbers) -> Example:
    if not run.linear_passes or run.linear_passes[0].module.bias is None:
        return no_example("its network has no linear layer with a bias")
    name, module = run.linear_passes[0].name, run.linear_passes[0].module
    units, samples = module.out_features, run.batch_size
    return Example(
        f"in {name} the bias {shape_text([units])} is added to {shape_text([samples, units])}: "
        f"the same {'number' if units == 1 else f'{units} numbers'} to each of the {samples:,} "
        "samples of a batch",
        {"layer": name, "bias": [units], "output": [samples, units]},
    )


@example_of("perceptron")
def _perceptron(run: RunNumbers) -> Example:
    predict = run.subject.recipe.predict
    if not isinstance(predict, neuron):
        return no_example(f"its network is {predict!r}; predict=neuron('step') is one")
    layer = next((a for a in run.layer_passes if isinstance(a.module, Neuron)), None)
    if layer is None:
        return no_example("its neuron cannot be looked into")
    module: Any = layer.module
    inputs, weight = layer.input.shape[1], module.weight.detach()[0]
    w0 = float(weight[0]) if len(weight) > inputs else float(module.bias.detach())
    output, weighted_sum = float(run.sample_output[0]), float(layer.output[0, 0])
    then = f"which the step turns into {number_text(output)}"
    if predict.activation != "step":
        then = f"and no step follows, but {predict.activation}"
    return Example(
        f"for validation sample 0, w0 · x0 = {number_text(w0)} · 1, and with the "
        f"{count_text(inputs, 'other input')} the sum is {number_text(weighted_sum)}, {then}",
        {"w0": w0, "sum": weighted_sum, "output": output},
    )
