"""Seconds until 99 % of MNIST's test images are right: our recipe for it beside PyTorch's usual
example.

Each trains a network of its own choice; alike are the data, the threads, the mark, and that it is
looked for after every epoch. The example: convolutions of 32 and 64 channels 3×3, max pooling,
dropout .25, dense 128, dropout .5; Adadelta lr 1 falling by .7 an epoch, batch 64, inputs
normalised; here with batches by index from memory, which is quicker than its DataLoader."""

from __future__ import annotations

import math
import os
import time
from statistics import median
from typing import Any

from benchmarks.limits.section import Options, Section, mark, measured, table
from benchmarks.speed.machine import ROOT

TITLE = "Until 99 % of MNIST"
RECIPE = ROOT / "examples" / "mnist99.toml"
MARK, TARGET = 0.99, 4.0
MOST = 14  # epochs of the example
MEAN, DEVIATION = 0.1307, 0.3081  # of the pixels of MNIST, as the example has them


def reached(accuracies: list[float], laps: list[float], ends: list[float]) -> dict[str, Any]:
    """Epochs and seconds, of training and in all, until the mark; nan where it was not reached. And
    the accuracy then.
    """
    for epoch, accuracy in enumerate(accuracies, 1):
        if accuracy >= MARK:
            return {
                "epochs": epoch,
                "training": sum(laps[:epoch]),
                "all": ends[epoch - 1],
                "accuracy": accuracy,
            }
    return {
        "epochs": len(accuracies),
        "training": math.nan,
        "all": math.nan,
        "accuracy": max(accuracies),
    }


def sevensteps(seed: int, epochs: int | None, data_dir: str | None) -> dict[str, Any]:
    """Our recipe, as `sevensteps train --recipe` trains it, looking inside."""
    import sevensteps as ss
    from benchmarks.speed.contestants.sevensteps import Laps

    changed = {} if epochs is None else {"stop": ss.epochs(epochs)}
    recipe = ss.Recipe.from_toml(
        RECIPE,
        data=ss.data.load("mnist", data_dir),
        seed=seed,
        threads=int(os.environ["OMP_NUM_THREADS"]),
        **changed,
    )
    clock = Laps()
    run = ss.train(recipe, out=False, progress=False, observers=[clock])
    return reached([row["valid"]["accuracy"] for row in run.history], clock.laps, clock.ends)


def pytorch(seed: int, epochs: int | None, data_dir: str | None) -> dict[str, Any]:
    """The example, by hand."""
    import torch
    from torch import nn
    from torch.nn.functional import cross_entropy

    import sevensteps as ss

    data = ss.data.load("mnist", data_dir)
    x, y, valid_x = (
        (data.train.x - MEAN) / DEVIATION,
        data.train.y,
        (data.valid.x - MEAN) / DEVIATION,
    )
    torch.manual_seed(seed)
    began = time.perf_counter()
    model = nn.Sequential(
        nn.Conv2d(1, 32, 3),
        nn.ReLU(),
        nn.Conv2d(32, 64, 3),
        nn.ReLU(),
        nn.MaxPool2d(2),
        nn.Dropout(0.25),
        nn.Flatten(),
        nn.Linear(9216, 128),
        nn.ReLU(),
        nn.Dropout(0.5),
        nn.Linear(128, 10),
    )
    optimizer = torch.optim.Adadelta(model.parameters(), lr=1.0)
    scheduler = torch.optim.lr_scheduler.StepLR(optimizer, 1, gamma=0.7)
    accuracies: list[float] = []
    laps: list[float] = []
    ends: list[float] = []
    while len(laps) < (epochs or MOST) and max(accuracies, default=0.0) < MARK:
        since = time.perf_counter()
        model.train()
        for index in torch.randperm(len(x)).split(64):
            optimizer.zero_grad()
            cross_entropy(model(x[index]), y[index]).backward()
            optimizer.step()
        laps.append(time.perf_counter() - since)
        model.eval()
        with torch.no_grad():
            answers = torch.cat([model(part).argmax(1) for part in valid_x.split(1000)])
        accuracies.append(float((answers == data.valid.y).double().mean()))
        ends.append(time.perf_counter() - began)
        scheduler.step()
    return reached(accuracies, laps, ends)


def section(options: Options) -> Section:
    if not RECIPE.is_file():
        return Section(TITLE, [f"Skipped: there is no {RECIPE.relative_to(ROOT)}."])
    kinds = ("sevensteps", "pytorch")
    measurements = [
        {
            kind: measured(
                __name__,
                kind,
                seed=seed,
                epochs=1 if options.quick else None,
                data_dir=options.data_dir,
            )
            for kind in kinds
        }
        for seed in range(options.rounds)
    ]
    ratio = {
        key: median(turn["pytorch"][key] / turn["sevensteps"][key] for turn in measurements)
        for key in ("training", "all")
    }
    rows = [
        (
            kind,
            str(seed),
            str(turn[kind]["epochs"]),
            *(seconds(turn[kind][key]) for key in ("training", "all")),
            f"{turn[kind]['accuracy']:.4f}",
        )
        for kind in kinds
        for seed, turn in enumerate(measurements)
    ]
    met = ratio["all"] >= TARGET
    return Section(
        TITLE,
        [
            f"Seconds until the test accuracy is at least {100 * MARK:.0f} %, judged after every "
            "epoch; each trains a network of its own "
            f"choice. Ours is `{RECIPE.relative_to(ROOT)}`, looking inside by default; the other "
            "PyTorch's usual example (two convolutions of "
            "32 and 64, Adadelta) in a plain loop with batches by index. Data are in memory "
            "before the clock starts. Training alone: "
            f"**{ratio['training']:.1f}** times as fast; with set-up and evaluations: "
            f"**{ratio['all']:.1f}** times, wanted {TARGET:.0f}: "
            f"{mark(met)} (medians of the ratios of equal seeds).",
            "",
            *table(
                (
                    "contestant",
                    "seed",
                    "epochs",
                    "seconds of training",
                    "seconds in all",
                    "accuracy then",
                ),
                rows,
            ),
        ],
        {f"{ratio['all']:.1f} times of {TARGET:.0f}": met},
    )


def seconds(value: float) -> str:
    return "not reached" if math.isnan(value) else f"{value:.1f}"
