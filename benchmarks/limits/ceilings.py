"""What an epoch cannot take less than on this machine: operations and bytes counted, and the rates
measured at which it multiplies matrices, gathers rows and streams parameters.

A step of a network of linear layers gathers its batch, multiplies for each layer three pairs of
matrices (`benchmarks.limits.products`), and changes every parameter. An epoch therefore takes at
least as long as the slowest of the three alone, if the others were hidden behind it; and as long as
their sum, if they are done one after another. Leaving out work (pixels that are 0) is beyond
this."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from itertools import pairwise
from statistics import median
from typing import Any

from benchmarks.limits.products import best_times, operations
from benchmarks.limits.section import Options, Section, measured, table
from benchmarks.speed.machine import THREADS

TITLE = "Ceilings"
# hidden widths, batch, epochs, and samples: None for all of MNIST
TRAININGS: tuple[tuple[tuple[int, ...], int, int, int | None], ...] = (
    ((30,), 256, 6, None),
    ((30,), 16, 3, None),
    ((30,), 1, 4, 3000),
    ((256,), 256, 4, None),
    ((1024, 1024), 256, 2, None),
)
FLOAT = 4  # bytes
CACHED = 1 << 16  # floats of an array that stays in the second cache beside another


def taken(repeats: int, action: Callable[[], Any]) -> float:
    """Median seconds of `action`, after one that warms up."""
    action()
    seconds = []
    for _ in range(repeats):
        began = time.perf_counter()
        action()
        seconds.append(time.perf_counter() - began)
    return median(seconds)


def parameters(sizes: tuple[int, ...]) -> int:
    """Weights and biases."""
    return sum((inputs + 1) * outputs for inputs, outputs in pairwise(sizes))


def floor(
    sizes: tuple[int, ...], batch: int, samples: int, products: float, rates: Mapping[str, float]
) -> dict[str, float]:
    """Seconds of an epoch that each part takes alone: the products as measured, all samples
    gathered and the parameters of each step read, read again and written, at the measured rates.
    """
    streamed = 3 * FLOAT * parameters(sizes) * samples / batch
    return {
        "products": products,
        "gathering": FLOAT * sizes[0] * samples / rates["gathered"],
        "parameters": streamed / rates["cached"],
    }


def rates(threads: int, data_dir: str | None) -> dict[str, float]:
    """Bytes a second: read from memory in order, gathered from memory in rows at random, and read
    and written in the second cache by one thread.
    """
    import numpy as np
    import torch

    import sevensteps as ss

    torch.set_num_threads(threads)
    x = ss.data.load("mnist", data_dir).train.x.flatten(1)
    order = torch.randperm(len(x), generator=torch.Generator().manual_seed(0))
    batches, row = order.split(256), torch.empty(256, x.shape[1])

    def gather() -> None:
        for index in batches:
            torch.index_select(x, 0, index, out=row[: len(index)])

    into, of = np.ones(CACHED, dtype=np.float32), np.zeros(CACHED, dtype=np.float32)
    return {
        "read": x.nbytes / taken(9, x.sum),
        "gathered": x.nbytes / taken(9, gather),
        # two arrays are read and one written
        "cached": 3 * FLOAT * CACHED / taken(999, lambda: np.add(into, of, out=into)),
    }


def epoch(
    widths: list[int],
    batch: int,
    epochs: int,
    samples: int | None,
    threads: int,
    data_dir: str | None,
) -> dict[str, Any]:
    """Seconds of an epoch of ours, and of its products alone."""
    import torch

    import sevensteps as ss
    from benchmarks.speed.contestants.sevensteps import Laps

    data, laps = ss.data.load("mnist", data_dir), Laps()
    x, y = data.train.x.flatten(1)[:samples], data.train.y[:samples]
    ss.train(
        ss.data.from_arrays(x, y, valid=(x[:100], y[:100])),
        predict=ss.mlp(*widths),
        loss=ss.cross_entropy(),
        step=ss.sgd(lr=0.01),
        repeat=ss.batches(batch),
        stop=ss.epochs(epochs + 1),
        threads=threads,
        out=False,
        progress=False,
        watch=0,
        observers=[laps],
    )
    torch.set_num_threads(threads)
    sizes = (784, *widths, 10)
    step = sum(seconds for seconds, _ in best_times(sizes, batch).values())
    return {
        "ours": median(laps.laps[1:]),
        "products": step * len(x) / batch,
        "samples": len(x),
    }


def section(options: Options) -> Section:
    speeds, rows = {}, []
    for threads in sorted({1, THREADS}):
        more: dict[str, Any] = {"threads": threads, "data_dir": options.data_dir}
        speeds[threads] = measured(__name__, "rates", **more)
        for widths, batch, epochs, samples in TRAININGS[:1] if options.quick else TRAININGS:
            turn = measured(
                __name__,
                "epoch",
                widths=widths,
                batch=batch,
                epochs=epochs,
                samples=samples,
                **more,
            )
            rows.append(_row((784, *widths, 10), batch, threads, turn, speeds[threads]))
    return Section(
        TITLE,
        [
            f"Rates measured on {' and on '.join(map(str, speeds))} threads: "
            + " and ".join(f"{s['read'] / 1e9:.1f}" for s in speeds.values())
            + " GB/s read from memory in order; "
            + " and ".join(f"{s['gathered'] / 1e9:.1f}" for s in speeds.values())
            + " GB/s gathered from it in rows of 784 float32 at random; "
            f"{speeds[1]['cached'] / 1e9:.0f} GB/s read and written in the second cache, one "
            "thread.",
            "",
            "Milliseconds of an epoch of MNIST (batch 1: of 3,000 samples). Products: each alone, "
            "again and again on the same matrices, by the fastest way that PyTorch has; of small "
            "batches much of that is calling it, which machine code does not do. Gathering: the "
            "bytes of all samples at the measured rate. Parameters: read for the products, read "
            "and written by the step, at the cache's rate. An epoch takes at least the largest of "
            "the three if the others are hidden behind it, and their sum if they follow.",
            "",
            *table(
                (
                    "network",
                    "batch",
                    "threads",
                    "10⁹ operations",
                    "products (GFLOP/s)",
                    "gathering",
                    "parameters",
                    "largest – sum",
                    "binds",
                    "ours",
                ),
                rows,
            ),
        ],
    )


def _row(
    sizes: tuple[int, ...],
    batch: int,
    threads: int,
    turn: dict[str, Any],
    speed: dict[str, float],
) -> list[str]:
    work = operations(sizes, turn["samples"])
    parts = floor(sizes, batch, turn["samples"], turn["products"], speed)
    ms = {name: 1e3 * seconds for name, seconds in parts.items()}
    return [
        "-".join(map(str, sizes)),
        str(batch),
        str(threads),
        f"{work / 1e9:.2f}",
        f"{ms['products']:.1f} ({work / parts['products'] / 1e9:.0f})",
        f"{ms['gathering']:.1f}",
        f"{ms['parameters']:.1f}",
        f"{max(ms.values()):.1f} – {sum(ms.values()):.1f}",
        max(parts, key=parts.__getitem__),
        f"{1e3 * turn['ours']:.1f}",
    ]
