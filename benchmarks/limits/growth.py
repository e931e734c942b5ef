"""How the time of an epoch grows with the samples and with the parameters: both should be
linear.
"""

from __future__ import annotations

import os
from collections.abc import Sequence
from statistics import median
from typing import Any

import numpy as np

from benchmarks.limits.section import Options, Section, measured, table

TITLE = "Growth"
# inputs -> samples
SAMPLES = {
    784: (10_000, 30_000, 100_000, 300_000),
    64: (10_000, 30_000, 100_000, 300_000, 1_000_000),
}
WIDTHS, OF_WIDTHS = (16, 64, 256, 512, 1024, 2048), 20_000
HIDDEN, CLASSES, BATCH = 30, 10, 256
QUICK = 20  # with --quick, so many times fewer samples


def exponent(sizes: Sequence[float], seconds: Sequence[float]) -> float:
    """The p of seconds = c · sizeᵖ that fits best, by least squares of the logarithms; 1 is
    linear.
    """
    return float(np.polyfit(np.log(sizes), np.log(seconds), 1)[0])


def line(sizes: Sequence[float], seconds: Sequence[float]) -> tuple[float, float]:
    """(a, b) of seconds = a + b · size, by least squares of the relative errors."""
    slope, start = np.polyfit(sizes, seconds, 1, w=1 / np.asarray(seconds))
    return float(start), float(slope)


def deviation(fitted: Sequence[float], seconds: Sequence[float]) -> float:
    """The largest relative error of `fitted`, with its sign: above 0 where it took longer."""
    errors = np.asarray(seconds) / np.asarray(fitted) - 1
    return float(errors[np.abs(errors).argmax()])


def parameters(inputs: int, hidden: int) -> int:
    return (inputs + 1) * hidden + (hidden + 1) * CLASSES


def train(inputs: int, hidden: int, samples: int, epochs: int) -> dict[str, Any]:
    """Seconds of each epoch but the first, on random inputs and labels."""
    import torch

    import sevensteps as ss
    from benchmarks.speed.contestants.sevensteps import Laps

    draw = torch.Generator().manual_seed(0)
    x, y = (
        torch.rand(samples, inputs, generator=draw),
        torch.randint(CLASSES, (samples,), generator=draw),
    )
    clock = Laps()
    ss.train(
        ss.data.from_arrays(x, y, valid=(x[:1000], y[:1000])),
        predict=ss.mlp(hidden),
        loss=ss.cross_entropy(),
        step=ss.sgd(lr=0.01),
        repeat=ss.batches(BATCH),
        stop=ss.epochs(epochs),
        threads=int(os.environ["OMP_NUM_THREADS"]),
        out=False,
        progress=False,
        watch=0,
        observers=[clock],
    )
    return {"seconds": clock.laps[1:]}


def section(options: Options) -> Section:
    fewer = QUICK if options.quick else 1
    by_samples = [
        (inputs, HIDDEN, count // fewer) for inputs, counts in SAMPLES.items() for count in counts
    ]
    by_width = [(784, hidden, OF_WIDTHS // fewer) for hidden in WIDTHS]
    taken: dict[tuple[int, int, int], list[float]] = {}
    for _ in range(options.rounds):
        for inputs, hidden, samples in dict.fromkeys(by_samples + by_width):
            measurements = measured(
                __name__,
                "train",
                inputs=inputs,
                hidden=hidden,
                samples=samples,
                epochs=3 if options.quick else 5,
            )
            taken.setdefault((inputs, hidden, samples), []).append(median(measurements["seconds"]))
    seconds = {case: median(times) for case, times in taken.items()}

    lines, rows = [], []
    for inputs in SAMPLES:
        cases = [case for case in by_samples if case[0] == inputs]
        counts, times = [case[2] for case in cases], [seconds[case] for case in cases]
        usual = median(time / count for time, count in zip(times, counts, strict=True))
        far = deviation([usual * count for count in counts], times)
        lines.append(
            f"- samples, {inputs}-{HIDDEN}-{CLASSES}: seconds ∝ "
            f"samples^**{exponent(counts, times):.2f}**; "
            f"at most {100 * far:+.0f} % from in proportion (to the median time per sample)."
        )
        rows += [
            row(f"{inputs}-{HIDDEN}-{CLASSES}", count, time)
            for count, time in zip(counts, times, strict=True)
        ]
    sizes, times = (
        [parameters(inputs, hidden) for inputs, hidden, _ in by_width],
        [seconds[case] for case in by_width],
    )
    start, slope = line(sizes, times)
    far, samples = deviation([start + slope * size for size in sizes], times), by_width[0][2]
    lines.append(
        f"- parameters, 784-H-{CLASSES}, {samples:,} samples: {1e6 * start / samples:.2f} µs a "
        "sample + "
        f"{1e12 * slope / samples:.1f} ps a sample and parameter; at most {100 * far:+.0f} % from "
        "this line. "
        f"Between the two widest: seconds ∝ parameters^**{exponent(sizes[-2:], times[-2:]):.2f}**."
    )
    rows += [
        row(f"784-{hidden}-{CLASSES}, {size:,} parameters", samples, time)
        for hidden, size, time in zip(WIDTHS, sizes, times, strict=True)
    ]
    return Section(
        TITLE,
        [
            f"Seconds an epoch (the first not counted) on random inputs, batch {BATCH}, without "
            "watching. Exponent 1 is linear.",
            "",
            *lines,
            "",
            *table(("network", "samples", "seconds an epoch", "µs a sample"), rows),
        ],
    )


def row(network: str, samples: int, seconds: float) -> tuple[str, ...]:
    return network, f"{samples:,}", f"{seconds:.4f}", f"{1e6 * seconds / samples:.2f}"
