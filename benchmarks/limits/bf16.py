"""Products in bfloat16 beside float32, on the widest network of the speed table."""

from __future__ import annotations

import os
from statistics import median
from typing import Any

from benchmarks.limits.section import Options, Section, measured, table

TITLE = "bfloat16 beside float32"


def usable() -> dict[str, Any]:
    """Whether this version takes precision="bf16", and if not, why not; and whether the processor
    multiplies bfloat16 itself.
    """
    import torch

    import sevensteps as ss
    from sevensteps.errors import Error

    try:
        ss.Recipe("digits", precision="bf16")
    except Error as refusal:
        return {"refusal": str(refusal)}
    return {"refusal": "", "native": bool(torch.ops.mkldnn._is_mkldnn_bf16_supported())}


def train(precision: str, epochs: int, seed: int, data_dir: str | None) -> dict[str, Any]:
    """Seconds of each epoch but the first, and the accuracy reached."""
    import sevensteps as ss
    from benchmarks.speed.contestants.sevensteps import Laps

    clock = Laps()
    run = ss.train(
        ss.data.load("mnist", data_dir),
        predict=ss.mlp(1024, 1024),
        loss=ss.cross_entropy(),
        step=ss.sgd(lr=0.1),
        repeat=ss.batches(256),
        stop=ss.epochs(epochs),
        seed=seed,
        precision=precision,
        threads=int(os.environ["OMP_NUM_THREADS"]),
        out=False,
        progress=False,
        watch=0,
        observers=[clock],
    )
    return {"seconds": clock.laps[1:], "accuracy": run.metrics["valid"]["accuracy"]}


def section(options: Options) -> Section:
    can = measured(__name__, "usable")
    if can["refusal"]:
        return Section(TITLE, [f"Skipped: {can['refusal']}"])
    kinds = ("float32", "bf16")
    measurements = [
        {
            kind: measured(
                __name__,
                "train",
                precision=kind,
                epochs=2 if options.quick else 4,
                seed=seed,
                data_dir=options.data_dir,
            )
            for kind in kinds
        }
        for seed in range(options.rounds)
    ]
    seconds = {kind: [median(turn[kind]["seconds"]) for turn in measurements] for kind in kinds}
    ratio = median(full / half for full, half in zip(*seconds.values(), strict=True))
    rows = [
        (
            kind,
            f"{median(seconds[kind]):.3f}",
            f"{median(turn[kind]['accuracy'] for turn in measurements):.4f}",
        )
        for kind in kinds
    ]
    return Section(
        TITLE,
        [
            "784-1024-1024-10 on MNIST, batch 256, without watching; rounds are seeds. The "
            "processor "
            f"{'multiplies' if can['native'] else 'does not multiply'} bfloat16 itself. An epoch "
            f"in bf16 is **{ratio:.2f}** times as fast.",
            "",
            *table(("precision", "seconds an epoch", "test accuracy"), rows),
        ],
    )
