"""What it costs that the state of a training is saved again and again."""

from __future__ import annotations

from statistics import median
from typing import Any

from benchmarks.limits.section import Options, Section, mark, measured, table

TITLE = "Saving the state"
MOST = 0.02  # of the time
NETWORKS = {"784-30-10": (30,), "784-1024-1024-10": (1024, 1024)}


def train(widths: list[int], seconds: float, every: float) -> dict[str, Any]:
    """Share of the time that saving took, in a training that saves every so many seconds: of the
    clock, and as steps fewer.
    """
    import os
    import tempfile
    import time
    from pathlib import Path

    import torch

    import sevensteps as ss
    from sevensteps.record import writer

    spent, sizes, saves = 0.0, 0, 0
    whole = writer.Writer.save

    def timed(self: writer.Writer, training: Any, watched: bool = True) -> None:
        nonlocal spent, sizes, saves
        began = time.perf_counter()
        whole(self, training, watched)
        assert self.folder is not None
        spent, saves = spent + time.perf_counter() - began, saves + 1
        sizes = max(sizes, sum(path.stat().st_size for path in self.folder.glob("state.*")))

    writer.Writer.save = timed  # type: ignore[method-assign]
    draw = torch.Generator().manual_seed(0)
    data = ss.data.from_arrays(
        torch.rand(20_000, 784, generator=draw), torch.randint(0, 10, (20_000,), generator=draw)
    )
    with tempfile.TemporaryDirectory() as folder:
        began = time.perf_counter()
        ss.train(
            data,
            predict=ss.mlp(*widths),
            step=ss.adam(lr=0.001),
            repeat=ss.batches(256),
            stop=ss.seconds(seconds),
            threads=int(os.environ["OMP_NUM_THREADS"]),
            out=Path(folder) / "run",
            progress=False,
            save_every=every,
        )
        wall = time.perf_counter() - began
    return {"share": spent / wall, "saves": saves, "megabytes": sizes / 1e6, "each": spent / saves}


def section(options: Options) -> Section:
    rows, targets = [], {}
    for name, widths in NETWORKS.items():
        for every in (30.0, 0.5):
            seconds = 3.0 if options.quick else 65.0 if every == 30 else 15.0
            turns = [
                measured(__name__, "train", widths=list(widths), seconds=seconds, every=every)
                for _ in range(options.rounds)
            ]
            share, saves, size, each = (
                median(turn[key] for turn in turns)
                for key in ("share", "saves", "megabytes", "each")
            )
            is_default = every == 30  # the default; more often is what it costs then
            rows.append(
                [
                    name,
                    f"{size:.1f}",
                    f"{every:g}",
                    f"{saves:.0f}",
                    f"{1000 * each:.0f}",
                    f"{100 * share:.2f} %",
                    mark(share <= MOST) if is_default else "",
                ]
            )
            if is_default:
                targets[f"{name} every {every:g} s, {100 * share:.2f} % of {100 * MOST:.0f} %"] = (
                    share <= MOST
                )
    return Section(
        TITLE,
        [
            "Adam, batch 256, 20,000 samples, looking inside as by default. Each time both files "
            "are written, flushed to the disk, and the "
            "state before them is kept; between two there is at least sixty times as long as one "
            "takes. Wanted every 30 s: at most "
            f"{100 * MOST:.0f} %.",
            "",
            *table(
                [
                    "network",
                    "state, MB",
                    "asked every, s",
                    "saved, times",
                    "ms each",
                    "share of the time",
                    "",
                ],
                rows,
            ),
        ],
        targets,
    )
