"""The building blocks of our networks that PyTorch lacks, as modules that work in any network."""

from __future__ import annotations

import math
import string

import torch
import torch.nn.functional as F
from jaxtyping import Float, Shaped
from torch import Tensor, nn

from sevensteps.arguments import number, one_of, whole
from sevensteps.errors import ArgumentError, ShapeError


class Dropout(nn.Module):
    """Leave out each number with probability `p` while training, and divide the rest by 1 - p
    (inverted dropout).

    The mask comes from `generator`, which the training sets (`use_generator`); `torch.nn.Dropout`
    draws from the global one. Source: Srivastava et al. 2014, Dropout, JMLR 15.
    """

    def __init__(self, p: float = 0.5) -> None:
        super().__init__()
        self.p = number("p", p, at_least=0, below=1)
        self.generator: torch.Generator | None = None
        self.among: tuple[int, int] | None = (
            None  # of how many samples those of the next forward are a part, and the first of them
        )

    def mask(self, x: Tensor) -> Tensor | None:
        """What the next forward multiplies `x` by: 0 where left out, else 1 / (1 - p); None where
        nothing is left out.
        """
        if not self.training or self.p == 0:
            return None
        if self.generator is None:
            raise ArgumentError(
                f"Dropout({self.p:g}) has no generator to draw its mask from; call "
                "use_generator(network, seeds.generator(seed, 'dropout')), or network.eval() to "
                "predict"
            )
        # Always drawn as float32: a float64 copy of a network then leaves out the same numbers.
        samples, first = self.among or (len(x), 0)
        drawn = torch.rand(
            (samples, *x.shape[1:]), generator=self.generator, device=x.device, dtype=torch.float32
        )
        drawn = drawn if self.among is None else drawn[first : first + len(x)]
        return (drawn >= self.p).to(x.dtype).div_(1 - self.p)

    def forward(self, x: Float[Tensor, "..."]) -> Float[Tensor, "..."]:
        mask = self.mask(x)
        return x if mask is None else x * mask

    def extra_repr(self) -> str:
        return f"p={self.p:g}"


def use_generator(network: nn.Module, generator: torch.Generator | None) -> None:
    """Let every `Dropout` in `network` draw its masks from `generator`."""
    for module in network.modules():
        if isinstance(module, Dropout):
            module.generator = generator


class Powers(nn.Module):
    """x -> x^d, …, x², x for each feature, the highest power first: [B, F] -> [B, F·d]

    With a linear layer behind it, it makes the book's curve a t² + b t + c. Source: fastbook ch. 4.
    """

    exponents: Tensor

    def __init__(self, degree: int) -> None:
        super().__init__()
        self.degree = whole("degree", degree, at_least=1)
        self.register_buffer("exponents", torch.arange(self.degree, 0, -1), persistent=False)

    def forward(self, x: Float[Tensor, "B F"]) -> Float[Tensor, "B FD"]:
        return (x[:, :, None] ** self.exponents).flatten(1)

    def extra_repr(self) -> str:
        return f"degree={self.degree}"


def curve_letters(network: nn.Module) -> tuple[str, ...]:
    """What books call the parameters of a curve in one number, a t² + b t + c: a, b, c; nothing for
    any other network.

    >>> curve_letters(nn.Sequential(Powers(2), nn.Linear(2, 1)))
    ('a', 'b', 'c')
    >>> curve_letters(nn.Linear(2, 1))
    ()
    """
    layers = [module for module in network.modules() if not list(module.children())]
    match [layer for layer in layers if not isinstance(layer, nn.Flatten | nn.Identity)]:
        case [Powers() as powers, nn.Linear(out_features=1, bias=Tensor()) as last]:
            if last.in_features == powers.degree:
                return tuple(string.ascii_lowercase[: powers.degree + 1])
    return ()


class Bins(nn.Module):
    """x -> x, and of some columns how far each of its bins is filled, -1 to 1: [B, F] ->
    [B, F + columns·bins]

    A bin [a, b] of a column is filled to the share (x - a) / (b - a), below it to 0, above it to 1;
    a network behind it can bend at every edge. The edges are quantiles of the training samples
    (`fit`), and x is cut off at their range. Source: Gorishniy et al. 2022, On Embeddings for
    Numerical Features in Tabular Deep Learning (piecewise linear encoding).
    """

    places: Tensor
    lower: Tensor
    width: Tensor
    lowest: Tensor
    highest: Tensor

    def __init__(self, features: int, columns: int, bins: int) -> None:
        super().__init__()
        self.features, self.columns, self.bins = features, columns, bins
        self.register_buffer("places", torch.arange(columns))  # of the columns that have bins
        self.register_buffer("lower", torch.zeros(columns, bins))
        self.register_buffer("width", torch.full((columns, bins), math.inf))
        self.register_buffer("lowest", torch.full((features,), -math.inf))
        self.register_buffer("highest", torch.full((features,), math.inf))

    @torch.no_grad()
    def fit(self, x: Float[Tensor, "N F"]) -> None:
        """Lay the edges at quantiles of these samples, in the columns of the most different values;
        a bin that would be empty stays so.
        """
        distinct = torch.tensor([len(column.unique()) for column in x.T])
        order = distinct.argsort(descending=True, stable=True)[: self.columns]
        self.places.copy_(order.sort().values)
        self.lowest.copy_(x.amin(0))
        self.highest.copy_(x.amax(0))
        shares = torch.linspace(0, 1, self.bins + 1, dtype=torch.float64)
        for row, place in enumerate(self.places.tolist()):
            edges = torch.quantile(x[:, place].double(), shares).to(self.lower).unique()
            count = len(edges) - 1
            self.lower[row, :count] = edges[:-1]
            self.width[row, :count] = edges[1:] - edges[:-1]

    def forward(self, x: Float[Tensor, "B F"]) -> Float[Tensor, "B FC"]:
        shares = ((x[:, self.places, None] - self.lower) / self.width).clamp(0, 1)
        return torch.cat([x.clamp(self.lowest, self.highest), (2 * shares - 1).flatten(1)], 1)

    def extra_repr(self) -> str:
        return f"features={self.features}, columns={self.columns}, bins={self.bins}"


class Neuron(nn.Module):
    """w·x + b, the weighted sum of one neuron: [B, F] -> [B, 1]

    bias "b": weight [1, F] and bias [1]. bias "w0": one weight vector [1, F + 1] whose first number
    w0 is the bias, multiplied by an input x0 = 1. All start at 0. Source: Rosenblatt 1958, The
    Perceptron.
    """

    bias: nn.Parameter | None

    def __init__(self, features: int, bias: str = "b") -> None:
        super().__init__()
        self.in_features = whole("features", features, at_least=1)
        separate = one_of("bias", bias, ["b", "w0"]) == "b"
        self.weight = nn.Parameter(torch.zeros(1, features if separate else features + 1))
        self.register_parameter("bias", nn.Parameter(torch.zeros(1)) if separate else None)

    def forward(self, x: Float[Tensor, "B F"]) -> Float[Tensor, "B 1"]:
        if self.bias is None:
            return F.linear(F.pad(x, (1, 0), value=1.0), self.weight)  # w0·1 + w1·x1 + …
        return F.linear(x, self.weight, self.bias)

    def extra_repr(self) -> str:
        return f"in_features={self.in_features}, bias={'w0' if self.bias is None else 'b'}"


class Step(nn.Module):
    """1 where x ≥ 0, else 0: the perceptron's activation. Its derivative is 0 where it has one.
    Source: Rosenblatt 1958.
    """

    def forward(self, x: Float[Tensor, "..."]) -> Float[Tensor, "..."]:
        return (x >= 0).to(x.dtype)


class PixelSimilarity(nn.Module):
    """Minus the distance to the mean image of each class: [B, *shape] -> [B, C]; nothing in it is
    trained.

    "l1": mean |x - mean|; "l2": √ mean (x - mean)². `binary` gives one output [B, 1]: the distance
    to class 0 minus that to class 1. Source: fastbook ch. 4.
    """

    means: Tensor

    def __init__(
        self, shape: tuple[int, ...], classes: int, metric: str = "l1", binary: bool = False
    ) -> None:
        super().__init__()
        self.metric = one_of("metric", metric, ["l1", "l2"])
        if binary and classes != 2:
            raise ArgumentError(
                f"one output tells 2 classes apart, not {classes}; leave out binary=True"
            )
        self.binary = binary
        # nan until fit: unlike zeros, it cannot be taken for an image, and weights that are loaded
        # replace it
        self.register_buffer(
            "means", torch.full((whole("classes", classes, at_least=1), *shape), math.nan)
        )

    @torch.no_grad()
    def fit(self, x: Float[Tensor, "N ..."], y: Shaped[Tensor, "N ..."]) -> None:
        """Take the mean image of each class in `x`; `y` holds class indices, [N] or [N, 1]."""
        if x.shape[1:] != self.means.shape[1:]:
            raise ShapeError(
                f"images {list(x.shape[1:])} for a PixelSimilarity of "
                f"{list(self.means.shape[1:])}; make it with "
                "their shape"
            )
        labels = y.reshape(len(x)).long()
        for index in range(len(self.means)):
            of_class = labels == index
            if not of_class.any():
                raise ArgumentError(
                    f"no image of class {index} to take the mean of; give at least one of each "
                    "class"
                )
            self.means[index] = x[of_class].mean(0)

    def forward(self, x: Float[Tensor, "B ..."]) -> Float[Tensor, "B C"]:
        if not torch.compiler.is_compiling() and self.means.isnan().any():
            raise ArgumentError("PixelSimilarity has no mean images yet; call fit(x, y) first")
        if x[0].numel() != self.means[0].numel():
            raise ShapeError(
                f"images {list(x.shape[1:])} against mean images {list(self.means.shape[1:])}; "
                "give images of "
                "the same size"
            )
        # one class at a time: [B, C, pixels] at once would not fit in memory for large B
        distance = torch.stack(
            [self._distance(x.flatten(1), mean.flatten()) for mean in self.means], 1
        )
        return distance[:, :1] - distance[:, 1:] if self.binary else -distance

    def _distance(self, x: Float[Tensor, "B P"], mean: Float[Tensor, "P"]) -> Float[Tensor, "B"]:
        difference = x - mean
        return (
            difference.abs_().mean(1)
            if self.metric == "l1"
            else difference.square_().mean(1).sqrt_()
        )

    def extra_repr(self) -> str:
        return f"metric={self.metric}, classes={len(self.means)}"
