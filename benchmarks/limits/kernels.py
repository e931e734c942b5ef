"""How near the kernels that are chosen for matrix products by a rule come to the better one."""

from __future__ import annotations

import time
from statistics import median
from typing import Any

from benchmarks.limits.section import Options, Section, measured, table
from benchmarks.speed.machine import THREADS

TITLE = "The kernel of each matrix product"
BATCHES = (1, 16, 64, 256, 1024)
LAYERS = (
    (64, 30),
    (784, 30),
    (30, 10),
    (784, 100),
    (128, 128),
    (256, 10),
    (784, 256),
    (784, 1024),
    (1024, 1024),
)
WORK = 2e7  # multiplications of a measurement, by calls in a row


def times(threads: int, repeats: int) -> dict[str, Any]:
    """For each product the least microseconds of a call by each kernel, and the kernel chosen."""
    import torch

    from sevensteps.engine import matmul

    torch.set_num_threads(threads)
    draw = torch.Generator().manual_seed(0)
    products = []
    with torch.inference_mode():
        for batch in BATCHES:
            for inputs, outputs in LAYERS:
                x = torch.rand(batch, inputs, generator=draw)
                g = torch.rand(batch, outputs, generator=draw)
                weight, bias = torch.rand(outputs, inputs, generator=draw), torch.zeros(outputs)
                grad = torch.empty(outputs, inputs)
                operands: dict[str, tuple[Any, ...]] = {
                    matmul.LINEAR: (x, weight, bias, True),
                    matmul.WEIGHT: (g, x, grad, False),
                    matmul.INPUT: (g, weight),
                }
                calls = max(1, min(200, int(WORK / (batch * inputs * outputs))))
                for kind, arguments in operands.items():
                    taken: dict[str, list[float]] = {name: [] for name in matmul.PRODUCTS[kind]}
                    for _ in range(repeats):  # in turn, so that a slow moment meets both
                        for name, multiply in matmul.PRODUCTS[kind].items():
                            began = time.perf_counter()
                            for _ in range(calls):
                                multiply(*arguments)
                            taken[name].append(1e6 * (time.perf_counter() - began) / calls)
                    least = {name: min(every[1:]) for name, every in taken.items()}
                    chosen = matmul.fastest(kind, *arguments[:2])
                    name = next(n for n, way in matmul.PRODUCTS[kind].items() if way is chosen)
                    products.append((kind, batch, inputs, outputs, least, name))
    return {"products": products}


def section(options: Options) -> Section:
    rows = []
    for threads in sorted({1, THREADS}):
        measurement = measured(
            __name__, "times", threads=threads, repeats=2 if options.quick else 7
        )
        products = measurement["products"]
        losses = [least[name] / min(least.values()) - 1 for *_, least, name in products]
        total = {
            way: sum(least[way] for *_, least, _ in products) / 1e3 for way in ("mm", "onednn")
        }
        best = sum(min(least.values()) for *_, least, _ in products) / 1e3
        chosen = sum(least[name] for *_, least, name in products) / 1e3
        worst = max(products, key=lambda p: p[4][p[5]] - min(p[4].values()))
        kind, batch, inputs, outputs, least, name = worst
        rows.append(
            (
                str(threads),
                f"{total['mm']:.1f} ms",
                f"{total['onednn']:.1f} ms",
                f"{best:.1f} ms",
                f"{chosen:.1f} ms, {100 * (chosen / best - 1):+.1f} %",
                f"{100 * median(losses):.0f} %, {100 * sorted(losses)[int(0.9 * len(losses))]:.0f} "
                "%",
                f"{kind} {batch} × {inputs} → {outputs}: {least[name]:.0f} for "
                f"{min(least.values()):.0f} µs",
            )
        )
    return Section(
        TITLE,
        [
            "Layers of 30 to 1,024 units, batches of 1 to 1,024, three products each, by PyTorch's "
            "`mm` and by oneDNN. Which is taken follows from shapes, threads and processor.",
            "",
            *table(
                (
                    "threads",
                    "all by mm",
                    "all by oneDNN",
                    "the better each time",
                    "as chosen",
                    "loss: median, nine of ten below",
                    "the dearest wrong choice",
                ),
                rows,
            ),
        ],
    )
