"""From a network of modules to the tables that the machine code reads, and why not."""

from __future__ import annotations

import importlib.util
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from sevensteps.engine import chain_rule
from sevensteps.engine.activations import activation_of
from sevensteps.engine.compiled import program
from sevensteps.engine.engine import LossFunction
from sevensteps.engine.flat_parameters import Slices
from sevensteps.engine.modules import Dropout, Neuron
from sevensteps.engine.sequence import named_layers

ACTIVATIONS = (
    "identity",
    "relu",
    "leaky_relu",
    "sigmoid",
    "tanh",
    "elu",
    "selu",
    "gelu",
    "gelu by tanh",
    "softplus",
    "softmax",
    "log_softmax",
)
"""By the numbers that `activations.py` here has for them."""
LOSSES = (
    "mean_squared_error",
    "mean_absolute_error",
    "huber",
    "binary_cross_entropy",
    "mnist_loss",
    "hinge",
    "cross_entropy",
    "negative_log_likelihood",
)
"""By the numbers that `losses.py` here has for them. They stand above the engine, which knows them
by name."""
INSTALL = 'pip install "sevensteps[compiled]"'


def missing_compiled(network: nn.Module, loss: LossFunction) -> str | None:
    """Why no machine code can be made for `network` and `loss`, naming the layer; None where it
    can.
    """
    if not numba_installed():
        return f"the compiler, Numba, is not installed: {INSTALL}"
    lacking = chain_rule.missing(network)
    if lacking:
        return lacking
    if loss_number(loss) is None:
        return f"{type(loss).__name__} is not written as machine code"
    trained = [p for p in network.parameters() if p.requires_grad]
    if not trained:
        return "the network has no parameter to train"
    for parameter in network.parameters():
        if parameter.device.type != "cpu":
            return f"the network is on {parameter.device}; machine code is made for processors"
        if parameter.dtype not in (torch.float32, torch.float64):
            return f"the network computes in {parameter.dtype}, not float32 or float64"
        if parameter.dtype != trained[0].dtype:
            return "the network's parameters are of two kinds of number"
    for index, (name, module) in enumerate(named_layers(network)):
        reason = _unfit(module, index)
        if reason:
            return f"{name} ({type(module).__name__}) {reason}"
    return None


def numba_installed() -> bool:
    """Whether the compiler is there; it is not loaded."""
    return importlib.util.find_spec("numba") is not None


def seconds_saved(network: nn.Module, size: int) -> float:
    """About how many seconds a step of `size` samples takes less as machine code than with
    `ChainRule`; 0 where it does not. A rule of shapes.

    Measured on an AMD EPYC (family 26), 2 threads, in µs a step, compiled for chain rule: 784-30-10
    with 1 sample 4 for 47, with 16 samples 21 for 87, with 256 samples 184 for 324; 784-256-10 with
    16 samples 112 for 363, with 256 samples 827 for 856; 784-1024-1024-10 with 256 samples 12,600
    for 8,800: larger weights do not stay in a core's own memory, and PyTorch's products cut them
    into parts that do.
    """
    multiplications = sum(p.numel() for p in network.parameters() if p.ndim == 2)
    if multiplications > 250_000:
        return 0.0
    return 40e-6 + (0.4e-6 * size if multiplications <= 50_000 else 0.0)


def _unfit(module: nn.Module, index: int) -> str | None:
    if type(module) is nn.Flatten:
        if (module.start_dim, module.end_dim) != (1, -1):
            return "flattens only some axes"
        return None if index == 0 else "does not stand first"
    if type(module) in (nn.Linear, Neuron, Dropout):
        return None
    row = activation_of(module)
    if row is None or row.name not in ACTIVATIONS:
        return "is no layer of a dense network"
    if not row.elementwise and getattr(module, "dim", None) not in (1, -1):
        return "is not over the outputs of a sample (dim=-1)"
    return None


def loss_number(loss: LossFunction) -> int | None:
    """The number of a loss of this package; None for any other, whatever its name."""
    kind = type(loss)
    if kind.__module__ != "sevensteps.steps.loss" or kind.__name__ not in LOSSES:
        return None
    return LOSSES.index(kind.__name__)


def _activation(module: Any) -> tuple[int, float, float]:
    """Number and settings (a, b) of an activation."""
    row = activation_of(module)
    name = "" if row is None else row.name
    if name == "gelu" and module.approximate == "tanh":
        name = "gelu by tanh"
    settings: dict[str, tuple[str, ...]] = {"leaky_relu": ("negative_slope",), "elu": ("alpha",)}
    settings["softplus"] = ("beta", "threshold")
    a, b, *_ = *(float(getattr(module, name)) for name in settings.get(name, ())), 0.0, 0.0
    return ACTIVATIONS.index(name), a, b


@dataclass
class Tables:
    """`layers` and `settings` of a `program.Network`; `names` of the modules that each row stands
    for, `units` of the whole workspace, and the modules that draw masks, with their rows.
    """

    names: list[str]
    layers: np.ndarray[Any, np.dtype[np.int64]]
    settings: np.ndarray[Any, np.dtype[np.float64]]
    first: int
    by_rows: bool
    units: int
    widest: int
    inputs: int
    flattens: bool
    multiplications: int
    frozen: list[Tensor] = field(default_factory=list)
    dropouts: list[tuple[int, Dropout]] = field(default_factory=list)


def tables(network: nn.Module, slices: Slices, inputs: int | None = None) -> Tables:
    """The tables of `network`, whose trained parameters lie at `slices`; `inputs` numbers a sample,
    where the network itself does not say.
    """
    chain = [(n, m) for n, m in named_layers(network) if type(m) is not nn.Flatten]
    flattens = len(chain) < len(named_layers(network))
    linear = next(m for _, m in chain if isinstance(m, nn.Linear | Neuron))
    width = int(linear.in_features)
    by_rows = isinstance(chain[0][1], nn.Linear | Neuron)
    start, before = (0, 0) if by_rows else (width, 0)
    places = {name: place.start for name, (place, _) in slices.items()}
    names_of = {id(p): name for name, p in network.named_parameters()}
    rows, settings, frozen, dropouts = [], [], [], []
    first, seen, masks, widest, given = None, 0, 0, width, width

    def place_of(parameter: Tensor, offset: int = 0) -> tuple[int, int]:
        nonlocal seen
        name = names_of[id(parameter)]
        if name in places:
            return places[name] + offset, 1
        frozen.append(parameter)
        seen += parameter.numel()
        return seen - parameter.numel() + offset, 0

    for index, (_, module) in enumerate(chain):
        row, setting = np.zeros(11, np.int64), [0.0, 0.0]
        outputs = width
        if isinstance(module, nn.Linear | Neuron):
            outputs = len(module.weight)
            row[program.KIND] = program.LINEAR
            row[program.BIAS] = -1
            if isinstance(module, Neuron) and module.bias is None:  # w0 comes first
                row[program.BIAS], row[program.BIAS_TRAINED] = place_of(module.weight)
                row[program.WEIGHT] = row[program.BIAS] + 1
                row[program.WEIGHT_TRAINED] = row[program.BIAS_TRAINED]
            else:
                row[program.WEIGHT], row[program.WEIGHT_TRAINED] = place_of(module.weight)
                if module.bias is not None:
                    row[program.BIAS], row[program.BIAS_TRAINED] = place_of(module.bias)
            if first is None and row[program.WEIGHT_TRAINED] + row[program.BIAS_TRAINED]:
                first = index
        elif isinstance(module, Dropout):
            row[program.KIND], row[program.MASK] = program.DROPOUT, masks
            dropouts.append((index, module))
            masks += width
        else:
            row[program.KIND] = program.ACTIVATION
            row[program.CODE], *setting = _activation(module)
        row[program.INPUTS], row[program.OUTPUTS] = width, outputs
        row[program.INPUT], row[program.OUTPUT] = before, start
        before, start, width, widest = start, start + outputs, outputs, max(widest, outputs)
        rows.append(row)
        settings.append(setting)
    return Tables(
        [name for name, _ in chain],
        np.stack(rows),
        np.array(settings, np.float64),
        first or 0,
        by_rows,
        start,
        widest,
        given,
        flattens,
        sum(len(m.weight) * m.in_features for _, m in chain if isinstance(m, nn.Linear | Neuron)),
        frozen,
        dropouts,
    )
