"""Step 2, the prediction: what function turns inputs into outputs?

A value here builds a network for inputs of a given shape and the output layer that task and loss
ask for. The networks are plain `torch.nn.Sequential`s with named layers (`layer1`, `activation1`,
…, `output`), so each number in them has a name.
"""

from __future__ import annotations

import copy
import importlib
import math
import os
import sys
from abc import ABC, abstractmethod
from collections import OrderedDict
from dataclasses import KW_ONLY, dataclass
from typing import Any, ClassVar

import torch
from torch import Tensor, nn

from sevensteps.arguments import flag, number, one_of, whole
from sevensteps.data.inputs import Inputs, spread_samples
from sevensteps.engine.activations import activation_module, activation_names
from sevensteps.engine.modules import Bins, Dropout, Neuron, PixelSimilarity, Powers, Step
from sevensteps.errors import ArgumentError, Error
from sevensteps.head import Output
from sevensteps.notation import auto, value

__all__ = [
    "auto",
    "neuron",
    "linear",
    "polynomial",
    "mlp",
    "binned_mlp",
    "cnn",
    "pixel_similarity",
    "module",
]

FEW_VALUES = 4  # different ones of a column, which bins would tell apart no better
TABLE_BINS, TABLE_UNITS, TABLE_DROPOUT = 12, 128, 0.3  # of `auto()` for tables in files


class Predictor(ABC):
    """Builds the network. `foreign` says that its code is not ours: it may draw from PyTorch's
    global generator.
    """

    foreign: ClassVar[bool] = False

    @abstractmethod
    def build(self, shape: tuple[int, ...], output: Output) -> nn.Module:
        """A network from inputs `[B, *shape]` to outputs `[B, output.size]`; its parameters are not
        yet set.
        """


def _sequential(layers: list[tuple[str, nn.Module]], output: Output) -> nn.Sequential:
    if output.layer == "log_softmax":
        layers = [*layers, ("log_softmax", nn.LogSoftmax(-1))]
    return nn.Sequential(OrderedDict(layers))


def _dense(layers: list[tuple[str, nn.Module]], name: str, inputs: int, outputs: int) -> None:
    layers.append((name, _unset(nn.Linear(inputs, outputs, device="meta"))))


def _unset(layer: nn.Module) -> nn.Module:
    """A layer made on the meta device, with room for its parameters and no numbers drawn from
    PyTorch's global generator.

    `torch.nn.utils.skip_init` does the same, and imports a computer algebra system on the way: .2 s
    and 35 MB.
    """
    for name, parameter in list(layer.named_parameters(recurse=False)):
        setattr(layer, name, nn.Parameter(torch.empty(parameter.shape)))
    return layer


def _after(
    layers: list[tuple[str, nn.Module]],
    index: int,
    norm: nn.Module | None,
    activation: str,
    dropout: float,
) -> None:
    if norm is not None:
        layers.append((f"norm{index}", norm))
    layers.append((f"activation{index}", activation_module(activation)))
    if dropout:
        layers.append((f"dropout{index}", Dropout(dropout)))


@value
class neuron(Predictor):
    """activation(w·x + b): one neuron, the perceptron when its activation is "step"

    `bias="w0"` spells the bias as a weight w0 with the input x0 = 1. A "sigmoid" that the loss
    already applies as its output link is not applied twice. Activations: step, identity and those
    of mlp. Source: McCulloch, Pitts 1943; Rosenblatt 1958, The Perceptron.
    """

    activation: str = "identity"
    _: KW_ONLY
    bias: str = "b"

    def __post_init__(self) -> None:
        one_of("activation", self.activation, ["step", *activation_names()])
        one_of("bias", self.bias, ["b", "w0"])

    def build(self, shape: tuple[int, ...], output: Output) -> nn.Module:
        if output.size != 1:
            raise ArgumentError(f"a neuron has one output, but {output.reason}; use linear()")
        layers: list[tuple[str, nn.Module]] = [
            ("flatten", nn.Flatten()),
            ("output", Neuron(math.prod(shape), self.bias)),
        ]
        if self.activation == "step":
            if output.link != "identity" or output.threshold != 0.5:
                raise ArgumentError(
                    "a neuron with the step activation answers 0 or 1, which this loss would read "
                    "as a score; "
                    "use loss=mean_absolute_error(), the share of wrong answers"
                )
            layers.append(("activation", Step()))
        elif self.activation == "sigmoid" and output.threshold == 0 and output.link == "identity":
            raise ArgumentError(
                "a sigmoid is never below 0, but this loss takes scores of both signs; leave the "
                "activation out"
            )
        elif self.activation != output.link and self.activation != "identity":
            layers.append(("activation", activation_module(self.activation)))
        return _sequential(layers, output)


@value
class linear(Predictor):
    """W x + b: one weight per input and output, one bias per output; all that a network without
    hidden units can do

    Shapes: x [B, F], W [O, F], b [O]. Source: fastbook ch. 4; torch.nn.Linear.
    """

    def build(self, shape: tuple[int, ...], output: Output) -> nn.Module:
        layers: list[tuple[str, nn.Module]] = [("flatten", nn.Flatten())]
        _dense(layers, "output", math.prod(shape), output.size)
        return _sequential(layers, output)


@value
class polynomial(Predictor):
    """a x^d + … + b x + c: a polynomial of each input, linear in its parameters; degree 2 is the
    book's speed curve

    The weights stand in the order of the formula, highest power first. Source: fastbook ch. 4.
    """

    degree: int = 2

    def __post_init__(self) -> None:
        whole("degree", self.degree, at_least=1)

    def build(self, shape: tuple[int, ...], output: Output) -> nn.Module:
        layers: list[tuple[str, nn.Module]] = [
            ("flatten", nn.Flatten()),
            ("powers", Powers(self.degree)),
        ]
        _dense(layers, "output", math.prod(shape) * self.degree, output.size)
        return _sequential(layers, output)


@value
class mlp(Predictor):
    """a(… a(x W1 + b1) W2 + b2 …): hidden layers of the given widths, each unit a feature of the
    layer before

    activation: relu, leaky_relu, sigmoid, tanh, elu, selu, gelu, softplus or identity; an unknown
    name is answered with all there are.
    dropout: the share of hidden units left out at each training step.
    batch_norm: normalise each unit over the batch before its activation (hidden layers only).
    Source: Rumelhart, Hinton, Williams 1986; dropout: Srivastava et al. 2014; batch norm: Ioffe,
    Szegedy 2015.
    """

    widths: tuple[int, ...]
    activation: str
    dropout: float
    batch_norm: bool

    def __init__(
        self, *widths: int, activation: str = "relu", dropout: float = 0.0, batch_norm: bool = False
    ) -> None:
        if not widths:
            raise ArgumentError(
                "mlp needs the width of at least one hidden layer, as in mlp(30); without any it "
                "is linear()"
            )
        for width in widths:
            whole("a width", width, at_least=1)
        one_of("activation", activation, activation_names())
        number("dropout", dropout, at_least=0, below=1)
        flag("batch_norm", batch_norm)
        vars(self).update(
            widths=tuple(widths), activation=activation, dropout=dropout, batch_norm=batch_norm
        )

    def build(self, shape: tuple[int, ...], output: Output) -> nn.Module:
        layers: list[tuple[str, nn.Module]] = [("flatten", nn.Flatten())]
        inputs = math.prod(shape)
        for index, width in enumerate(self.widths, 1):
            _dense(layers, f"layer{index}", inputs, width)
            _after(
                layers,
                index,
                nn.BatchNorm1d(width) if self.batch_norm else None,
                self.activation,
                self.dropout,
            )
            inputs = width
        _dense(layers, "output", inputs, output.size)
        return _sequential(layers, output)


@value
class binned_mlp(Predictor):
    """an mlp for tables: some columns are also cut into bins, between which it can bend

    columns: how many, those with the most different values; bins: into how many parts, at quantiles
    of the training samples. A bin is an input that goes from -1 to 1 within it. The rest as in mlp.
    Source: Gorishniy et al. 2022, On Embeddings for Numerical Features in Tabular Deep Learning.
    """

    widths: tuple[int, ...]
    columns: int
    bins: int
    activation: str
    dropout: float

    def __init__(
        self,
        *widths: int,
        columns: int = 1,
        bins: int = 12,
        activation: str = "relu",
        dropout: float = 0.0,
    ) -> None:
        mlp(*widths, activation=activation, dropout=dropout)  # checks what it has as well
        whole("columns", columns, at_least=1)
        whole("bins", bins, at_least=2)
        vars(self).update(
            widths=tuple(widths),
            columns=columns,
            bins=bins,
            activation=activation,
            dropout=dropout,
        )

    def build(self, shape: tuple[int, ...], output: Output) -> nn.Module:
        inputs = math.prod(shape)
        if self.columns > inputs:
            raise ArgumentError(
                f"binned_mlp cuts {self.columns} columns into bins, but there are {inputs}; give "
                f"columns={inputs} or fewer"
            )
        layers: list[tuple[str, nn.Module]] = [
            ("flatten", nn.Flatten()),
            ("bins", Bins(inputs, self.columns, self.bins)),
        ]
        inputs += self.columns * self.bins
        for index, width in enumerate(self.widths, 1):
            _dense(layers, f"layer{index}", inputs, width)
            _after(layers, index, None, self.activation, self.dropout)
            inputs = width
        _dense(layers, "output", inputs, output.size)
        return _sequential(layers, output)


@value
class cnn(Predictor):
    """convolutions of the given channels, each with its activation and 2×2 pooling, then one linear
    layer

    kernel: side of the filters (odd); pool: max or average, while the picture is at least 2×2;
    dense: widths of hidden layers after the convolutions. Activations as in mlp. Source: LeCun et
    al. 1998; fastbook ch. 13.
    """

    channels: tuple[int, ...]
    kernel: int
    activation: str
    pool: str
    dense: tuple[int, ...]
    dropout: float
    batch_norm: bool

    def __init__(
        self,
        *channels: int,
        kernel: int = 3,
        activation: str = "relu",
        pool: str = "max",
        dense: tuple[int, ...] = (),
        dropout: float = 0.0,
        batch_norm: bool = False,
    ) -> None:
        if not channels:
            raise ArgumentError(
                "cnn needs the channels of at least one convolution, as in cnn(8, 16)"
            )
        dense = (dense,) if isinstance(dense, int) else tuple(dense)
        for width in (*channels, *dense):
            whole("a width", width, at_least=1)
        if whole("kernel", kernel, at_least=1) % 2 == 0:
            raise ArgumentError(
                f"kernel must be odd, so that the picture keeps its size, not {kernel}"
            )
        one_of("activation", activation, activation_names())
        one_of("pool", pool, ["max", "average"])
        number("dropout", dropout, at_least=0, below=1)
        flag("batch_norm", batch_norm)
        vars(self).update(
            channels=tuple(channels),
            kernel=kernel,
            activation=activation,
            pool=pool,
            dense=dense,
            dropout=dropout,
            batch_norm=batch_norm,
        )

    def build(self, shape: tuple[int, ...], output: Output) -> nn.Module:
        if len(shape) != 3:
            raise ArgumentError(
                "cnn reads pictures [channels, height, width], but an input has shape "
                f"{list(shape)}; use mlp(30)"
            )
        inputs, height, width = shape
        layers: list[tuple[str, nn.Module]] = []
        for index, channels in enumerate(self.channels, 1):
            conv = nn.Conv2d(inputs, channels, self.kernel, padding=self.kernel // 2, device="meta")
            layers.append((f"layer{index}", _unset(conv)))
            _after(
                layers,
                index,
                nn.BatchNorm2d(channels) if self.batch_norm else None,
                self.activation,
                0.0,
            )
            if min(height, width) >= 2:
                layers.append(
                    (f"pool{index}", nn.MaxPool2d(2) if self.pool == "max" else nn.AvgPool2d(2))
                )
                height, width = height // 2, width // 2
            inputs = channels
        layers.append(("flatten", nn.Flatten()))
        inputs *= height * width
        if self.dropout:
            layers.append(("dropout", Dropout(self.dropout)))
        for place, hidden in enumerate(self.dense, len(self.channels) + 1):
            _dense(layers, f"layer{place}", inputs, hidden)
            _after(
                layers,
                place,
                nn.BatchNorm1d(hidden) if self.batch_norm else None,
                self.activation,
                self.dropout,
            )
            inputs = hidden
        _dense(layers, "output", inputs, output.size)
        return _sequential(layers, output)


@value
class pixel_similarity(Predictor):
    """minus the distance to the mean image of each class: the baseline that needs no gradient

    "l1": mean absolute difference of the pixels; "l2": root of the mean squared difference. With
    two classes the output is how much nearer the second class is. Source: fastbook ch. 4.
    """

    metric: str = "l1"

    def __post_init__(self) -> None:
        one_of("metric", self.metric, ["l1", "l2"])

    def build(self, shape: tuple[int, ...], output: Output) -> nn.Module:
        if output.task.kind not in ("binary", "multiclass"):
            raise ArgumentError(
                "pixel_similarity compares with the mean of each class, but "
                f"{output.task.reason}; use linear()"
            )
        if output.link == "identity" and output.threshold:
            raise ArgumentError(
                "pixel_similarity answers with a score, which this loss would compare with 0 and "
                "1; use loss=auto()"
            )
        count = len(output.task.classes)
        return _sequential(
            [("output", PixelSimilarity(shape, count, self.metric, output.size == 1))], output
        )


@value
class module(Predictor):
    """what `package.module:factory` returns when called with the other arguments: a network written
    by you

    The factory returns a `torch.nn.Module` whose output is [B, O]. A recipe or run from somewhere
    else that names code is not followed unless you allow it. Source: torch.nn.Module.
    """

    foreign: ClassVar[bool] = True

    path: str
    arguments: tuple[Any, ...]
    options: dict[str, Any]

    def __init__(self, path: str, *arguments: Any, **options: Any) -> None:
        package, _, factory = path.partition(":") if isinstance(path, str) else ("", "", "")
        if not (all(part.isidentifier() for part in package.split(".")) and factory.isidentifier()):
            raise ArgumentError(f'the network is named as "package.module:factory", not {path!r}')
        vars(self).update(path=path, arguments=arguments, options=options)

    def build(self, shape: tuple[int, ...], output: Output) -> nn.Module:
        package, _, factory = self.path.partition(":")
        here = os.getcwd()
        sys.path.insert(0, here)  # as `python -m` does: a network file beside the recipe is found
        try:
            network = getattr(importlib.import_module(package), factory)(
                *self.arguments, **self.options
            )
        except Error:
            raise
        except Exception as failure:
            raise ArgumentError(f"{self!r}: {type(failure).__name__}: {failure}") from failure
        finally:
            sys.path.remove(here)
        if not isinstance(network, nn.Module):
            raise ArgumentError(
                f"{self!r} returned a {type(network).__name__}, not a torch.nn.Module"
            )
        return network


@dataclass(frozen=True, repr=False, eq=False)
class given(Predictor):
    """a network given as a Python object; trained as a copy, so that the recipe can be run again
    from the same start
    """

    foreign: ClassVar[bool] = True

    network: nn.Module

    def __repr__(self) -> str:
        return f"given(<{type(self.network).__name__}>)"

    def __eq__(self, other: object) -> bool:
        return type(other) is given and other.network is self.network

    def __hash__(self) -> int:
        return hash((given, id(self.network)))

    def __post_init__(self) -> None:
        if any(
            isinstance(p, nn.parameter.UninitializedParameter) for p in self.network.parameters()
        ):
            raise ArgumentError(
                "the network has lazy layers without shapes; call it once on a batch first"
            )

    def build(self, shape: tuple[int, ...], output: Output) -> nn.Module:
        return copy.deepcopy(self.network)


def fit_bins(network: nn.Module, x: Inputs) -> None:
    """Lay the edges of the bins that `network` has at quantiles of these training samples."""
    for layer in network.modules():
        if isinstance(layer, Bins):
            layer.fit(_some(x).flatten(1))


def varied_columns(x: Inputs) -> int:
    """How many columns have more than a few different values."""
    return sum(len(column.unique()) > FEW_VALUES for column in _some(x).flatten(1).T)


def _some(x: Inputs) -> Tensor:
    """All samples, of those on disk some that are evenly spread."""
    return spread_samples(x, torch.arange(len(x)))[0].cpu()


def choose(
    shape: tuple[int, ...], varied: int | None = None, **options: Any
) -> tuple[Predictor, str]:
    """What `auto()` builds for inputs of `shape`, and why; of a table in a file `varied` of its
    columns have many different values.
    """
    if varied is not None:
        options = {"dropout": TABLE_DROPOUT, **options}
        few = "dropout keeps it from learning the rows by heart"
        if varied == 0:
            return mlp(TABLE_UNITS, **options), few
        return (
            binned_mlp(TABLE_UNITS, columns=varied, **{"bins": TABLE_BINS, **options}),
            f"bins let it bend anywhere along a column of numbers, as trees do; {few}",
        )
    if len(shape) == 3 and min(shape[1:]) >= 4:
        return cnn(
            16, 32, **options
        ), "convolutions look at neighbouring pixels together, wherever in the picture they are"
    return mlp(
        100, **options
    ), "one hidden layer of 100 units can bend the boundary that a linear layer cannot"
