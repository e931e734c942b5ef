"""How near a training comes to the rate at which this machine can multiply matrices.

A step of a network of linear layers of `sizes` multiplies, for each layer, three pairs of matrices:
y = x Wᵀ, the gradient gᵀ x of its weight, and, but for the first layer, the gradient g W of its
input. Each takes 2 · batch · inputs · outputs operations. What is not a product (ReLU, loss, step,
gathering the batch) is the loss of time that the share shows."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from itertools import pairwise
from statistics import median
from typing import Any

from benchmarks.limits.section import Options, Section, mark, measured, table

TITLE = "Rate of the matrix products"
SIZES, BATCH = (784, 1024, 1024, 10), 256
TARGET = 0.80
REPEATS = 15

Product = tuple[str, int, int]  # which of the three, inputs and outputs of the layer


def products(sizes: tuple[int, ...]) -> Iterator[Product]:
    """Every product of a step, in the order of the layers."""
    for layer, (inputs, outputs) in enumerate(pairwise(sizes)):
        yield "forward", inputs, outputs
        yield "weight gradient", inputs, outputs
        if layer:
            yield "input gradient", inputs, outputs


def operations(sizes: tuple[int, ...], samples: int) -> int:
    """Floating-point operations of the products for so many samples: a multiplication and an
    addition are two.
    """
    return sum(2 * samples * inputs * outputs for _, inputs, outputs in products(sizes))


def best_times(
    sizes: tuple[int, ...] = SIZES, batch: int = BATCH
) -> dict[Product, tuple[float, str]]:
    """Median seconds of each product by the fastest way there is, and the name of that way. Runs
    inside a measuring process.
    """
    import torch
    from torch.nn.functional import linear

    onednn: Any = (
        getattr(torch.ops.mkldnn, "_linear_pointwise", None)
        if torch.backends.mkldnn.is_available()
        else None
    )
    draw = torch.Generator().manual_seed(0)
    best = {}
    for kind, inputs, outputs in products(sizes):
        x, g = (
            torch.randn(batch, inputs, generator=draw),
            torch.randn(batch, outputs, generator=draw),
        )
        weight, bias = torch.randn(outputs, inputs, generator=draw), torch.zeros(outputs)
        a, b = {
            "forward": (x, weight.T),
            "weight gradient": (g.T, x),
            "input gradient": (g, weight),
        }[kind]
        into = torch.empty(a.shape[0], b.shape[1])
        ways: dict[str, Callable[[], Any]] = {
            "mm": lambda a=a, b=b, into=into: torch.mm(a, b, out=into)
        }
        if onednn is not None:
            ways["oneDNN"] = lambda a=a, b=b: onednn(a, b.T, None, "none", [], "")
        if kind == "forward":
            ways["linear"] = lambda x=x, weight=weight, bias=bias: linear(x, weight, bias)
        taken: dict[str, list[float]] = {name: [] for name in ways}
        for _ in range(REPEATS):  # in turn, so that a slow moment of the machine meets all
            for name, multiply in ways.items():
                began = time.perf_counter()
                multiply()
                taken[name].append(time.perf_counter() - began)
        best[kind, inputs, outputs] = min(
            (median(times[1:]), name) for name, times in taken.items()
        )
    return best


def train(epochs: int, data_dir: str | None) -> dict[str, Any]:
    """Seconds of each epoch, and the best times of the products between the epochs."""
    import os

    import sevensteps as ss
    from benchmarks.speed.contestants.sevensteps import Laps

    class Between(Laps):
        def __init__(self) -> None:
            super().__init__()
            self.best_times_by_epoch: list[dict[Product, tuple[float, str]]] = []

        def evaluated(self, training: Any, row: dict[str, Any]) -> None:
            self.best_times_by_epoch.append(best_times())
            super().evaluated(training, row)

    between, data = Between(), ss.data.load("mnist", data_dir)
    ss.train(
        data,
        predict=ss.mlp(*SIZES[1:-1]),
        loss=ss.cross_entropy(),
        step=ss.sgd(lr=0.1),
        repeat=ss.batches(BATCH),
        stop=ss.epochs(epochs),
        threads=int(os.environ["OMP_NUM_THREADS"]),
        out=False,
        progress=False,
        watch=0,
        observers=[between],
    )
    best = [
        (
            *product,
            median(epoch_times[product][0] for epoch_times in between.best_times_by_epoch),
            between.best_times_by_epoch[-1][product][1],
        )
        for product in products(SIZES)
    ]
    return {"seconds": between.laps[1:], "samples": len(data.train), "best": best}


def section(options: Options) -> Section:
    measurements = [
        measured(__name__, "train", epochs=2 if options.quick else 6, data_dir=options.data_dir)
        for _ in range(options.rounds)
    ]
    ours, reachable = [], []
    for turn in measurements:
        ours.append(operations(SIZES, turn["samples"]) / median(turn["seconds"]))
        reachable.append(operations(SIZES, BATCH) / sum(seconds for *_, seconds, _ in turn["best"]))
    share = median(a / b for a, b in zip(ours, reachable, strict=True))
    rows = [
        (kind, f"{inputs} → {outputs}", way, f"{2e-9 * BATCH * inputs * outputs / seconds:.0f}")
        for kind, inputs, outputs, seconds, way in measurements[-1]["best"]
    ]
    return Section(
        TITLE,
        [
            f"784-1024-1024-10, batch {BATCH}, float32, without watching. An epoch of "
            f"{measurements[0]['samples']:,} samples needs "
            f"{operations(SIZES, measurements[0]['samples']) / 1e12:.2f}·10¹² operations in its "
            "matrix "
            "products, forward and backward, and is done at "
            f"**{median(ours) / 1e9:.0f} GFLOP/s**, all else that a step does included. The same "
            "products alone, each again and again on the "
            "same matrices by the fastest of PyTorch's `mm`, `linear` and oneDNN, between the "
            "epochs of the same process: "
            f"{median(reachable) / 1e9:.0f} GFLOP/s. "
            f"Share: **{100 * share:.0f} %**, wanted at least {100 * TARGET:.0f} %: "
            f"{mark(share >= TARGET)}.",
            "",
            *table(("product (last round)", "layer", "fastest", "GFLOP/s"), rows),
        ],
        {f"share {100 * share:.0f} % of {100 * TARGET:.0f} %": share >= TARGET},
    )
