"""Are the numbers that a layer reads as neighbours alike, or would they be in another order?"""

from __future__ import annotations

from contextlib import suppress
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn.modules.conv import _ConvNd

from sevensteps.doctor.case import Case
from sevensteps.doctor.questions.asker import Asker, put
from sevensteps.observe.structure import first_tensor

# orders in which neighbours lie next to each other in what is read as one row, too
WITHIN_ROWS = {"batch, features, time", "batch, channels, width, height"}
SAMPLES = 256  # samples
ONE_SCALE = 0.15  # standard deviation of log σ, below which it is the chance of few samples
STEADY = 0.5  # correlation of neighbours' scales, from which on they take a course
BREAK = 0.3  # by which what lies on both sides of an end is less alike
ORDERED = (_ConvNd, nn.RNNBase, nn.TransformerEncoder, nn.TransformerEncoderLayer)


@dataclass(frozen=True)
class ReadingOrder:
    """How alike neighbours are in what `layer` reads: `as_read`, the correlation of the numbers
    next to each other along the axis where it is least; `other`, the same numbers in the `order` of
    axes in which it is largest ("batch, height, width, channels", say). `axes` are those as read.

    `scales_as_read` and `scales_other` are the shares of the differences in scale between places
    that are differences between channels, or features (as read, or of a course along the places,
    such as a sound that ends in silence); 0 where all have about one scale. `chance` is the
    standard error of a correlation of so many numbers.
    """

    layer: str
    axes: str
    order: str
    shape: tuple[int, ...]
    as_read: float
    other: float
    scales_as_read: float
    scales_other: float
    chance: float


def reading_order(case: Case) -> ReadingOrder | None:
    """Ask the first layer that takes neighbours for neighbours, where it reads the inputs
    themselves, in whatever order.
    """
    return put(case, "inputs_scrambled", _ask, SAMPLES)


def _ask(asker: Asker) -> ReadingOrder | None:
    first = first_read(asker)
    return None if first is None else compare(*first)


def first_read(
    asker: Asker, kinds: tuple[type[nn.Module], ...] = ORDERED
) -> tuple[str, Tensor, bool] | None:
    """The first layer of these kinds, the inputs as it reads them, the samples first, and whether
    the channels come next; None where it reads something else.
    """
    x = first_tensor(asker.inputs)
    if x is None or not x.is_floating_point() or x.ndim < 2 or asker.count < 8:
        return None
    layer, module, read = _first_call(asker, kinds)
    if module is None or read is None:
        return None
    if read.ndim == 3 and getattr(module, "batch_first", True) is False:
        read = read.transpose(0, 1)
    if read.ndim < 3 or len(read) != asker.count or read[0].numel() != x[0].numel():
        return None
    if not torch.equal(read[0].flatten().sort()[0], x[0].flatten().sort()[0]):
        return None
    return layer, read, isinstance(module, _ConvNd)


class _Read(Exception):
    """A layer was called: the rest of the network need not answer."""


def _first_call(
    asker: Asker, kinds: tuple[type[nn.Module], ...]
) -> tuple[str, nn.Module | None, Tensor | None]:
    """The first layer of these kinds that is called, and with what."""
    calls: list[tuple[str, nn.Module, Tensor | None]] = []

    def noting(name: str) -> Any:
        def note(module: nn.Module, args: Any, kwargs: Any) -> None:
            calls.append((name, module, first_tensor((args, kwargs))))
            raise _Read

        return note

    handles = [
        module.register_forward_pre_hook(noting(name), with_kwargs=True)
        for name, module in asker.network.named_modules()
        if isinstance(module, kinds)
    ]
    try:
        with suppress(_Read):
            asker.output(asker.inputs)
    finally:
        for handle in handles:
            handle.remove()
    return calls[0] if calls else ("", None, None)


def compare(layer: str, x: Tensor, channels_first: bool) -> ReadingOrder | None:
    """How alike neighbours are in x [B, C, H, W], [B, C, T] or, not `channels_first`, [B, T, F],
    and in the other orders in which the same numbers may be meant.
    """
    axes, orders = _orders(tuple(x.shape), channels_first)
    if not orders:
        return None
    given, x = x, _standardised(x)
    found = {
        name: _alike(x.reshape(shape).permute(axes_of), channels_first)
        for name, (shape, axes_of) in orders.items()
    }
    for name in WITHIN_ROWS & found.keys():
        # what is one row after the other has ends; what only lies close together has none there
        if found[name] - _at_ends(x, orders[name][0][-1]) < BREAK:
            del found[name]
    if not found:
        return None
    best = max(found, key=lambda name: found[name])
    shape, axes_of = orders[best]
    return ReadingOrder(
        layer,
        axes,
        best,
        tuple(x.shape),
        _alike(x, channels_first),
        found[best],
        max(_scales(given, channels_first), _course_of_scales(given, channels_first)),
        _scales(given.reshape(shape).permute(axes_of), channels_first),
        x.numel() ** -0.5,
    )


Order = tuple[tuple[int, ...], tuple[int, ...]]  # a shape, and which of its axes are meant


def _orders(shape: tuple[int, ...], channels_first: bool) -> tuple[str, dict[str, Order]]:
    """The names of the axes, and the other orders in which numbers of this shape may lie."""
    if len(shape) == 4 and channels_first:
        b, c, h, w = shape
        orders: dict[str, Order] = {}
        if c > 1:
            orders["batch, height, width, channels"] = (b, h, w, c), (0, 3, 1, 2)
        if h != w:
            orders["batch, channels, width, height"] = (b, c, w, h), (0, 1, 3, 2)
        return "batch, channels, height, width", orders
    if len(shape) != 3 or min(shape[1:]) < 2:
        return "", {}
    b, rows, columns = shape
    if channels_first:
        channels_last: dict[str, Order] = {"batch, time, channels": ((b, columns, rows), (0, 2, 1))}
        return "batch, channels, time", channels_last if rows <= columns else {}
    return "batch, time, features", {"batch, features, time": ((b, columns, rows), (0, 2, 1))}


def _standardised(x: Tensor) -> Tensor:
    """Each number of a sample, over the samples: what all samples have in common, such as a table's
    columns of different kinds, makes no neighbours alike.
    """
    x = x.double()
    std = x.std(0)
    return (x - x.mean(0)) / torch.where(std > 1e-9 * x.abs().amax().clamp_min(1e-30), std, 1.0)


def _scales(x: Tensor, channels_first: bool) -> float:
    """The share of the variance of log σ of the places that lies between channels."""
    scale = x.double().std(0).clamp_min(1e-12).log()
    scale = scale.flatten(1) if channels_first else scale.T
    if float(scale.std()) < ONE_SCALE:
        return 0.0
    return float(scale.mean(1).var(unbiased=False) / scale.var(unbiased=False))


def _course_of_scales(x: Tensor, channels_first: bool) -> float:
    """The share of the variance of log σ that lies between places or times, where it takes its
    course along them, as of a sound that ends in silence; 0 where it jumps from each to the next.
    """
    scale = x.double().std(0).clamp_min(1e-12).log()
    scale = scale.flatten(1) if channels_first else scale.T
    if float(scale.std()) < ONE_SCALE:
        return 0.0
    course = scale.mean(0)
    apart = course - course.mean()
    steady = float((apart[1:] * apart[:-1]).mean() / apart.square().mean().clamp_min(1e-12))
    if steady < STEADY:
        return 0.0
    return float(course.var(unbiased=False) / scale.var(unbiased=False))


def _at_ends(x: Tensor, length: int) -> float:
    """The correlation between where one row ends and the next begins, in rows of this length."""
    flat = x.flatten(1)
    begins = torch.arange(length, flat.shape[1], length)
    return _correlation(flat[:, begins - 1], flat[:, begins])


def _correlation(a: Tensor, b: Tensor) -> float:
    scale = float((a.square().mean() * b.square().mean()).sqrt())
    return float((a * b).mean()) / scale if scale > 0 else 0.0


def _alike(x: Tensor, channels_first: bool) -> float:
    """The correlation of neighbours, along the axis of place or time where it is least."""
    axes = range(2, x.ndim) if channels_first else range(1, 2)
    least = 1.0
    for axis in axes:
        length = x.shape[axis]
        if length >= 4:
            before, after = x.narrow(axis, 0, length - 1), x.narrow(axis, 1, length - 1)
            least = min(least, _correlation(before, after))
    return least
