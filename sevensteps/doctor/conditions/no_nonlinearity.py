"""no_nonlinearity: with no activation between them, linear layers add up to one linear layer.

Depth then adds nothing but cost. Measured: the layers, of which all are linear, convolutions, batch
norms or averages, or matrices that are no layers; and by asking: a network whose output at the
middle of two inputs is the middle of its outputs is linear, whatever activations it calls and does
not use. Closed form: W₂(W₁x) = (W₂W₁)x.

Remedies: an activation after each hidden layer, as in `mlp(30)`. Silent on: a layer narrower
than input and output (of classes, than half of them), which is a bottleneck on purpose, as in a
linear autoencoder; networks
that bend by a function called in `forward`, or may do so and cannot be asked; lists of layers,
which the loop itself calls. A remark where it has learned all the
same, as sums of linear layers do that are meant so.
"""

from __future__ import annotations

from itertools import pairwise

import torch
from torch import nn

from sevensteps.doctor.asking import only_tensor
from sevensteps.doctor.case import Case
from sevensteps.doctor.finding import Finding, Measure, Remedy
from sevensteps.doctor.measures import (
    layer_label,
    learned_enough,
    output_activation,
    weight_layers,
)
from sevensteps.observe.network_facts import LayerFacts
from sevensteps.observe.structure import map_tensors, rows, sample_count

STEP = "predict"
EXPLAINS = ("too_small", "underfitting", "stopped_early", "labels_unrelated", "label_noise")
LEARNED = 0.95  # skill of what is linear on purpose: a remark
VARIES = 0.02  # of the largest answer, by which answers differ
SAMPLES = 64  # samples
FAR = 100.0  # times the inputs, so that no unit is on, or off, for all of them by its bias
NECK = 0.5  # of the classes, that a layer before them is narrower than on purpose
LINEAR = {
    "Linear",
    "Neuron",
    "Conv1d",
    "Conv2d",
    "Conv3d",
    "BatchNorm1d",
    "BatchNorm2d",
    "BatchNorm3d",
    "AvgPool1d",
    "AvgPool2d",
    "AdaptiveAvgPool1d",
    "AdaptiveAvgPool2d",
    "ConvTranspose1d",
    "ConvTranspose2d",
    "AdaptiveAvgPool3d",
    "AvgPool3d",
    "LazyLinear",
    "LazyConv1d",
    "LazyConv2d",
    "Upsample",
    "ZeroPad2d",
}


def examine(case: Case) -> Finding | None:
    layers = weight_layers(case)
    closing = output_activation(case)
    if not layers:
        return _by_hand(case)
    if len(layers) < 2:
        return None
    others = [layer for layer in case.layers() if layer.kind not in LINEAR and layer is not closing]
    thrown_away = bool(others) and _changes_nothing(case, others)
    if others and not thrown_away:
        return None
    widths = [case.facts.parameters[name].shape[0] for _, name in layers]
    inputs = int(torch.Size(case.facts.parameters[layers[0][1]].shape[1:]).numel())
    narrow, ends = min(widths[:-1]), min(inputs, widths[-1])
    if narrow < ends and (case.labels is None or narrow <= NECK * ends):
        return None  # a bottleneck, as of a linear autoencoder, is chosen for its rank
    if closing is None and _may_bend(case):
        return None  # something nonlinear is there that is no module
    names = [layer.name for layer, _ in layers]
    return Finding(
        "no_nonlinearity",
        STEP,
        "info" if learned_enough(case, LEARNED) else "warning",
        0.9,
        (
            f"The activations between {layer_label(names[0])} and {layer_label(names[-1])} change "
            "no answer, near the inputs or far from them: what they return is not used. The layers "
            if thrown_away
            else f"Nothing nonlinear stands between {layer_label(names[0])} and "
            f"{layer_label(names[-1])}: together they "
        )
        + "compute what one linear layer "
        f"computes, so the {len(layers) - 1} hidden layer{'s' if len(layers) > 2 else ''} "
        f"add{'' if len(layers) > 2 else 's'} nothing but "
        "cost.",
        [Measure("activations between linear layers", 0, len(layers) - 1, "layers of the network")],
        [
            Remedy(
                {"predict": f"mlp({', '.join(map(str, widths[:-1]))})"}
                if all(layer.kind in ("Linear", "Neuron") for layer, _ in layers)
                else {},
                "a ReLU after each hidden layer lets the network bend",
                "use what the activation returns: h = F.relu(h)"
                if thrown_away
                else "put nn.ReLU() after each hidden layer",
            )
        ],
        {"layers": names},
    )


def _by_hand(case: Case) -> Finding | None:
    """Matrices that are no layers, multiplied one after the other: a network whose answers at the
    middle of two inputs are the middle of its answers, near the inputs and far from them.
    """
    names = [name for name, p in case.facts.parameters.items() if len(p.shape) == 2 and p.trained]
    shapes = [case.facts.parameters[name].shape for name in names]
    if len(names) < 2 or learned_enough(case, LEARNED):
        return None
    upright = all(a[1] == b[0] for a, b in pairwise(shapes))  # x @ W
    lying = all(a[0] == b[1] for a, b in pairwise(shapes))  # W @ x
    if not upright and not lying:
        return None
    axis = 1 if upright else 0
    inner, ends = [shape[axis] for shape in shapes[:-1]], (shapes[0][1 - axis], shapes[-1][axis])
    if min(inner) < min(ends) or not all(_bent(case, times) is False for times in (1.0, FAR)):
        return None
    if _bends_at_zero(case):
        return None
    return Finding(
        "no_nonlinearity",
        STEP,
        "warning",
        0.85,
        f"The {len(names)} matrices {', '.join(names)} are multiplied one after the other: for the "
        "middle of two inputs the network gives the middle of its answers for both. Together they "
        "compute what one matrix computes.",
        [Measure("bends between the matrices", 0, len(names) - 1, "the network's answers")],
        [
            Remedy(
                {},
                "a ReLU after each hidden product lets the network bend",
                "write h = torch.relu(x @ w1 + b1) before h @ w2",
            )
        ],
        {"parameters": names},
    )


def _changes_nothing(case: Case, others: list[LayerFacts]) -> bool:
    """Whether the network has activations, and its answers are those of a linear one all the same,
    near its inputs and far from them: what they compute is not used.
    """
    if any(layer.role != "activation" for layer in others) or learned_enough(case, LEARNED):
        return False
    return all(_bent(case, times) is False for times in (1.0, FAR, -FAR)) and not _bends_at_zero(
        case
    )


def _bends_at_zero(case: Case) -> bool:
    """Whether it bends between inputs and their negatives: with biases of 0 every ReLU has its bend
    at 0, and inputs that are all positive lie on one side of it.
    """
    return _bent(case, mirrored=True) is True


def _may_bend(case: Case) -> bool:
    """Whether something nonlinear may stand between the layers that is no module.

    Where the network cannot be asked, and is no chain of layers: what calls them in a `forward` of
    its own can put any function between two.
    """
    bent = _bent(case)
    if bent is not None:
        return bent
    if case.network is None:
        return case.facts.network != "Sequential"
    holders = [module for module in case.network.modules() if any(module.children())]
    return not all(type(module) is nn.Sequential for module in holders)


def _bent(case: Case, times: float = 1.0, mirrored: bool = False) -> bool | None:
    """Whether the network's output at the middle of two inputs, `times` as large, differs from the
    middle of its outputs; None where it cannot be asked. `mirrored`: the second one is negative.
    """
    inputs = case.sample[0] if case.sample is not None else case.observation.inputs
    if times != 1:
        inputs = map_tensors(lambda x: x * times if x.is_floating_point() else x, inputs)
    x, count = only_tensor(inputs), sample_count(inputs)
    if x is None or count < 8 or not x.is_floating_point():
        return None
    # each with the one before it: samples further on may be the same, fed once more
    a = rows(inputs, slice(min(count, SAMPLES)))
    sign = -1 if mirrored else 1
    b = map_tensors(lambda first: sign * first.roll(1, 0), a)
    middle = map_tensors(lambda first: (first + sign * first.roll(1, 0)) / 2, a)
    outputs = [case.outputs((part, None)) for part in (a, b, middle)]
    if any(o is None for o in outputs):
        return None
    at_a, at_b, between = (o.double() for o in outputs if o is not None)
    spread = torch.cat([at_a, at_b]).std(0).max()
    if not bool(between.isfinite().all() and spread > VARIES * at_a.abs().max()):
        return None  # nearly the same answer for all, as of dead units, is neither
    size = torch.stack([at_a, at_b]).std().clamp_min(1e-9)
    return bool((between - (at_a + at_b) / 2).abs().max() > 1e-3 * size)
