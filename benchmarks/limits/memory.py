"""The most memory that a training ever holds."""

from __future__ import annotations

import os
from pathlib import Path
from statistics import median
from typing import Any

from benchmarks.limits.section import Options, Section, mark, measured, table

TITLE = "Peak memory"
NETWORKS = {"784-30-10": (30,), "784-1024-1024-10": (1024, 1024)}
MB = 1e6
# allowed: the data, so often the parameters, and this for interpreter, libraries and batches
COPIES, REST = (
    10,
    350 * MB,
)


def status(field: str) -> int | None:
    """Bytes that Linux tells of this process under `field`; None elsewhere."""
    try:
        lines = Path("/proc/self/status").read_text().splitlines()
    except OSError:
        return None
    return next(
        (1024 * int(line.split()[1]) for line in lines if line.startswith(f"{field}:")), None
    )


def peak() -> int:
    """The most bytes resident in this process so far.

    `ru_maxrss` is the second choice because Linux hands it on to a process from the one that
    started it."""
    if (kilobytes := status("VmHWM")) is not None:
        return kilobytes
    import resource
    import sys

    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * (
        1 if sys.platform == "darwin" else 1024
    )


def resident() -> int:
    """The bytes resident in this process now; the most so far where the system does not tell."""
    return status("VmRSS") or peak()


def allowed(data: int, parameters: int) -> float:
    """The bytes that a training may hold at most, from the bytes of its data and of its
    parameters.
    """
    return data + COPIES * parameters + REST


def train(widths: list[int], epochs: int, data_dir: str | None) -> dict[str, Any]:
    """Bytes: of the data and the parameters, and the peak after importing, after loading, and at
    the end.
    """
    import tempfile

    import sevensteps as ss

    build, load, fit = ss.mlp, ss.data.load, ss.train  # names are imported when first asked for
    imported = peak()
    data = load("mnist", data_dir)
    loaded = peak()
    with tempfile.TemporaryDirectory() as folder:
        run = fit(
            data,
            predict=build(*widths),
            step=ss.sgd(lr=0.1),
            repeat=ss.batches(256),
            stop=ss.epochs(epochs),
            threads=int(os.environ["OMP_NUM_THREADS"]),
            out=Path(folder) / "run",
            progress=False,
        )
    tensors = [tensor for part in (data.train, data.valid) for tensor in (part.x, part.y)]
    return {
        "imported": imported,
        "loaded": loaded,
        "peak": peak(),
        "data": sum(tensor.nbytes for tensor in tensors),
        "parameters": sum(parameter.nbytes for parameter in run.network.parameters()),
    }


def section(options: Options) -> Section:
    rows, targets = [], {}
    for name, widths in NETWORKS.items():
        measurements = [
            measured(
                __name__,
                "train",
                widths=list(widths),
                epochs=1 if options.quick else 3,
                data_dir=options.data_dir,
            )
            for _ in range(options.rounds)
        ]
        of = {key: median(turn[key] for turn in measurements) for key in measurements[0]}
        limit = allowed(of["data"], of["parameters"])
        targets[f"{name} {of['peak'] / MB:.0f} of {limit / MB:.0f} MB"] = met = of["peak"] <= limit
        rows.append(
            (
                name,
                f"{of['imported'] / MB:.0f}",
                f"{of['loaded'] / MB:.0f}",
                f"**{of['peak'] / MB:.0f}**",
                f"{(of['peak'] - of['imported']) / MB:.0f}",
                f"{of['data'] / MB:.0f}",
                f"{of['parameters'] / MB:.1f}",
                f"{limit / MB:.0f} {mark(met)}",
            )
        )
    return Section(
        TITLE,
        [
            "The most bytes ever resident in a fresh process (10⁶ bytes; VmHWM of Linux, "
            "elsewhere ru_maxrss) that loads MNIST and trains on "
            "it with batch 256 as by default: looking inside, and keeping a run folder. All of "
            "the process counts, interpreter and libraries "
            f"too: at most the data (float32, both parts) + {COPIES} × the parameters + "
            f"{REST / MB:.0f} MB.",
            "",
            *table(
                (
                    "network",
                    "after imports",
                    "after loading",
                    "peak",
                    "above imports",
                    "data",
                    "parameters",
                    "at most",
                ),
                rows,
            ),
        ],
        targets,
    )
