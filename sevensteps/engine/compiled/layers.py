"""Forward and backward through the layers: the chain rule as loops.

A layer's values y [units, samples] and slopes g = dL/dy lie in the workspace; samples are side by
side, so one instruction works on many of them. Only the first layer takes its samples as rows, as
they lie in the data. Of few samples, each goes through by itself, and units whose slope is 0 are
skipped.
"""

from __future__ import annotations

from sevensteps.engine.compiled import activations, program
from sevensteps.engine.compiled.machine_code import Array, kernel
from sevensteps.engine.compiled.products import (
    add_products,
    descend_products,
    dots,
    sum_of_rows,
    sums_of_rows,
    weighted_sums,
)
from sevensteps.engine.compiled.program import (
    ACTIVATION,
    BIAS,
    BIAS_TRAINED,
    CODE,
    FEW,
    INPUT,
    INPUTS,
    KIND,
    LINEAR,
    MASK,
    OUTPUT,
    OUTPUTS,
    WEIGHT,
    WEIGHT_TRAINED,
    Network,
    Samples,
    Workspace,
)
from sevensteps.engine.compiled.views import fetch_ahead, matrix_of, vector_of

width = kernel(program.columns)


@kernel
def gather(network: Network, samples: Samples, work: Workspace, begin: int, end: int) -> None:
    """Copy the samples of this step to where the first layer reads them; bytes b become b / 255."""
    for s in range(end - begin):
        source = samples.x[samples.rows[begin + s]]
        if network.by_rows:
            read(source, work.x[s])
        else:
            read(source, work.x[0])
            place = width(end - begin)
            for i in range(len(source)):
                work.values[i * place + s] = work.x[0, i]


@kernel
def read(source: Array, target: Array) -> None:
    """The numbers of one sample; bytes b as b / 255."""
    if source.itemsize > 1:
        for i in range(len(source)):
            target[i] = source[i]
    elif target.itemsize > 4:
        for i in range(len(source)):
            target[i] = source[i] / 255
    else:  # in float64, then rounded once: for every byte the float32 next to b / 255
        for i in range(len(source)):
            target[i] = source[i] * (1 / 255)


@kernel
def forward(network: Network, samples: Samples, work: Workspace, begin: int, end: int) -> None:
    """y of every layer for the samples `begin` to `end` of the rows."""
    gather(network, samples, work, begin, end)
    n = end - begin
    if n < FEW:  # those of the next step are asked for
        for row in range(end, min(end + n, len(samples.rows))):
            fetch_ahead(samples.x, samples.rows[row])
    for index in range(len(network.layers)):
        layer = network.layers[index]
        by_rows = index == 0 and network.by_rows
        x = block(work.values, layer[INPUT], 0 if by_rows else layer[INPUTS], n)
        y = block(work.values, layer[OUTPUT], layer[OUTPUTS], n)
        if layer[KIND] == LINEAR:
            linear(network, layer, work, by_rows, x, y, n)
        elif layer[KIND] == ACTIVATION:
            a, b = network.settings[index, 0], network.settings[index, 1]
            activations.value(layer[CODE], x, y, a, b)
        else:
            apply_mask(layer, samples, x, y, begin, n)


@kernel
def backward(
    network: Network,
    samples: Samples,
    work: Workspace,
    gradients: Array,
    begin: int,
    end: int,
    descent: float,
) -> None:
    """dL/dx of every layer from the last to the first that is trained, and dL/d(parameter) into
    `gradients`; for one sample and a `descent` > 0 (the learning rate), straight into the
    parameters: w ← w - descent · dL/dw.
    """
    n = end - begin
    for index in range(len(network.layers) - 1, network.first - 1, -1):
        layer = network.layers[index]
        by_rows = index == 0 and network.by_rows
        x = block(work.values, layer[INPUT], 0 if by_rows else layer[INPUTS], n)
        y = block(work.values, layer[OUTPUT], layer[OUTPUTS], n)
        g = block(work.slopes, layer[OUTPUT], layer[OUTPUTS], n)
        dx = block(work.slopes, layer[INPUT], 0 if by_rows else layer[INPUTS], n)
        if layer[KIND] == LINEAR:
            if index > network.first:
                linear_back(network, layer, work, g, dx, n)
            linear_gradients(network, layer, work, gradients, by_rows, x, g, n, descent)
        elif index > network.first:
            if layer[KIND] == ACTIVATION:
                a, b = network.settings[index, 0], network.settings[index, 1]
                activations.derivative(layer[CODE], x, y, g, dx, a, b)
            else:
                apply_mask(layer, samples, g, dx, begin, n)


@kernel
def block(numbers: Array, first: int, units: int, samples: int) -> Array:
    """The part of a workspace that holds `units` from the `first`, [units, samples]."""
    place = width(samples)
    view: Array = matrix_of(numbers, first * place, units, place)
    return view


@kernel
def weights(network: Network, layer: Array) -> Array:
    """W [outputs, inputs]."""
    vector = network.parameters if layer[WEIGHT_TRAINED] == 1 else network.frozen
    view: Array = matrix_of(vector, layer[WEIGHT], layer[OUTPUTS], layer[INPUTS])
    return view


@kernel
def bias(network: Network, layer: Array, work: Workspace) -> Array:
    """b [outputs], zeros where there is none."""
    if layer[BIAS] < 0:
        none: Array = vector_of(work.zeros, 0, layer[OUTPUTS])
        return none
    vector = network.parameters if layer[BIAS_TRAINED] == 1 else network.frozen
    view: Array = vector_of(vector, layer[BIAS], layer[OUTPUTS])
    return view


@kernel
def linear(
    network: Network, layer: Array, work: Workspace, by_rows: bool, x: Array, y: Array, n: int
) -> None:
    """y = W x + b."""
    w, b = weights(network, layer), bias(network, layer, work)
    if n < FEW:
        for s in range(n):
            one = vector_of(work.x[s], 0, layer[INPUTS]) if by_rows else column(x, s, work)
            weighted_sums(y, s, w, one, b)
    elif by_rows:
        dots(y, w, work.x[:n], b, layer[INPUTS])
    else:
        sums_of_rows(y, w[:, :], x, b, work.spare)


@kernel
def linear_back(
    network: Network, layer: Array, work: Workspace, g: Array, dx: Array, n: int
) -> None:
    """dL/dx = Wᵀ g: dy/dx = W."""
    w = weights(network, layer)
    if n >= FEW:
        sums_of_rows(dx, w.T[:, :], g, work.zeros[: layer[INPUTS]], work.spare)
        return
    if n == 1:
        sum_of_rows(vector_of(dx, 0, layer[INPUTS]), g, 0, w)
        return
    total = vector_of(work.spare, 0, layer[INPUTS])
    for s in range(n):
        sum_of_rows(total, g, s, w)
        for i in range(len(total)):
            dx[i, s] = total[i]


@kernel
def linear_gradients(
    network: Network,
    layer: Array,
    work: Workspace,
    gradients: Array,
    by_rows: bool,
    x: Array,
    g: Array,
    n: int,
    descent: float,
) -> None:
    """dL/dW = g xᵀ and dL/db = Σ g over the samples: b is added to each."""
    outputs, inputs = layer[OUTPUTS], layer[INPUTS]
    if descent > 0:
        w, b, rate = weights(network, layer), bias(network, layer, work), g.dtype.type(descent)
        one = vector_of(work.x, 0, inputs) if by_rows else column(x, 0, work)
        if layer[WEIGHT_TRAINED] == 1:
            descend_products(w, rate, g, one)
        if layer[BIAS_TRAINED] == 1:
            for u in range(outputs):
                b[u] -= rate * g[u, 0]
        return
    if layer[BIAS_TRAINED] == 1:
        for u in range(outputs):
            total = g.dtype.type(0)
            for s in range(n):
                total += g[u, s]
            gradients[layer[BIAS] + u] = total
    if layer[WEIGHT_TRAINED] == 0:
        return
    begin = layer[WEIGHT]
    dw = matrix_of(gradients, begin, outputs, inputs)
    if n < FEW:
        dw[:] = 0
        for s in range(n):
            one = vector_of(work.x[s], 0, inputs) if by_rows else column(x, s, work)
            add_products(dw, g, s, one)
    elif by_rows:
        sums_of_rows(dw, g[:, :n], work.x, work.zeros[:outputs], work.spare)
    else:
        dots(dw, g, x, work.zeros[:outputs], n)


@kernel
def column(x: Array, s: int, work: Workspace) -> Array:
    """The numbers of sample s, side by side."""
    if x.shape[1] == 1:
        one: Array = vector_of(x, 0, len(x))
        return one
    one = vector_of(work.spare, 0, len(x))
    for i in range(len(x)):
        one[i] = x[i, s]
    return one


@kernel
def apply_mask(layer: Array, samples: Samples, x: Array, y: Array, begin: int, n: int) -> None:
    """y = x·m with m = 0 or 1/(1-p); the same backward, as dy/dx = m."""
    units = layer[INPUTS]
    first = layer[MASK] * len(samples.rows)
    if layer[CODE] == 0:  # not training
        for u in range(units):
            for s in range(n):
                y[u, s] = x[u, s]
        return
    for s in range(n):
        place = first + (begin + s) * units
        mask = samples.masks[place : place + units]
        for u in range(units):
            y[u, s] = x[u, s] * mask[u]
