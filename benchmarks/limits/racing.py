"""Many networks trained at once: the time of each beside a hand-written loop, our own single
training and JAX, and the memory of all.
"""

from __future__ import annotations

import os
import tempfile
import time
from functools import partial
from pathlib import Path
from statistics import median
from typing import Any

from benchmarks.limits.memory import COPIES, MB, REST, peak
from benchmarks.limits.section import Options, Section, mark, measured, table

TITLE = "Races"
BATCH, HIDDEN = 256, 30
AGAINST = {  # (networks in the race, peer) -> at least so many times as long
    (16, "loop"): 5.0,
    (64, "loop"): 6.0,
    (16, "single"): 2.2,
    (64, "single"): 2.2,
    (16, "jax"): 1.0,
}
CALL_EPOCHS = 2  # of the whole calls, which have their fixed costs: short ones, as while trying
WHOLE_CALL = {16: 4.0, 64: 5.0}  # networks -> a loop takes at least so many times as long
PEERS = {
    "loop": "hand-written PyTorch loop, one after another",
    "single": "sevensteps, one network",
    "jax": "JAX, vmap of 16 in one scan",
}


def rates(count: int) -> list[float]:
    return [0.01 * (number + 1) for number in range(count)]


def race(count: int, epochs: int, data_dir: str | None) -> dict[str, Any]:
    """Seconds a network and epoch, without the first epoch; and bytes."""
    import sevensteps as ss

    together, write, load = ss.race, ss.grid, ss.data.load
    imported = peak()
    data = load("mnist", data_dir)
    recipes = write(
        data,
        step=[f"sgd(lr={lr})" for lr in rates(count)],
        predict=f"mlp({HIDDEN})",
        repeat=f"batches({BATCH})",
        stop=f"epochs({epochs})",
        threads=int(os.environ["OMP_NUM_THREADS"]),
    )
    race_result = together(recipes, out=False, watch=0)
    per_epoch = [
        (run.history[-1]["seconds"] - run.history[0]["seconds"]) / (epochs - 1)
        for run in race_result.runs
    ]
    tensors = [tensor for part in (data.train, data.valid) for tensor in (part.x, part.y)]
    return {
        "seconds": sum(per_epoch) / count,
        "peak": peak(),
        "imported": imported,
        "data": sum(tensor.nbytes for tensor in tensors),
        "parameters": sum(p.nbytes for p in race_result.best.network.parameters()),
        "accuracy": race_result.best.metrics["valid"]["accuracy"],
    }


def call(count: int, data_dir: str | None) -> dict[str, Any]:
    """Seconds of `ss.race` as a user calls it, a network and epoch: watched, evaluated, with its
    table and findings, saved to run folders; the first call in a process and the second.
    """
    import sevensteps as ss

    together, seconds = ss.race, []
    recipes = ss.grid(
        ss.data.load("mnist", data_dir),
        step=[f"sgd(lr={lr})" for lr in rates(count)],
        predict=f"mlp({HIDDEN})",
        repeat=f"batches({BATCH})",
        stop=f"epochs({CALL_EPOCHS})",
    )
    with tempfile.TemporaryDirectory(prefix="sevensteps-bench-runs-") as folder:
        for name in ("first", "second"):
            began = time.perf_counter()
            together(recipes, out=Path(folder) / name)
            seconds.append((time.perf_counter() - began) / count / CALL_EPOCHS)
    return {"first": seconds[0], "second": seconds[1]}


def single(epochs: int, data_dir: str | None) -> dict[str, Any]:
    import sevensteps as ss

    run = ss.train(
        ss.data.load("mnist", data_dir),
        predict=f"mlp({HIDDEN})",
        step="sgd(lr=0.1)",
        repeat=f"batches({BATCH})",
        stop=f"epochs({epochs})",
        threads=int(os.environ["OMP_NUM_THREADS"]),
        out=False,
        progress=False,
        watch=0,
    )
    seconds = (run.history[-1]["seconds"] - run.history[0]["seconds"]) / (epochs - 1)
    return {"seconds": seconds, "accuracy": run.metrics["valid"]["accuracy"]}


def loop(epochs: int, data_dir: str | None) -> dict[str, Any]:
    """Two networks one after another; `evaluated` is with an evaluation after each epoch."""
    import torch
    from torch import nn
    from torch.nn.functional import cross_entropy

    import sevensteps as ss

    data, seconds, evaluated = ss.data.load("mnist", data_dir), [], []
    x, y = data.train.x, data.train.y
    for seed in range(2):
        torch.manual_seed(seed)
        model = nn.Sequential(
            nn.Flatten(), nn.Linear(784, HIDDEN), nn.ReLU(), nn.Linear(HIDDEN, 10)
        )
        optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
        laps = []
        for _ in range(epochs):
            began, total = time.perf_counter(), 0.0
            for index in torch.randperm(len(x)).split(BATCH):
                loss = cross_entropy(model(x[index]), y[index])
                optimizer.zero_grad()
                loss.backward()
                optimizer.step()
                total += loss.item() * len(index)
            laps.append(time.perf_counter() - began)
            with torch.no_grad():
                right = float((model(data.valid.x).argmax(1) == data.valid.y).float().mean())
            evaluated.append(time.perf_counter() - began)
        seconds += laps[1:]
    return {
        "seconds": sum(seconds) / len(seconds),
        "evaluated": sum(evaluated) / len(evaluated),
        "accuracy": right,
    }


def jax(count: int, epochs: int, data_dir: str | None) -> dict[str, Any]:
    """`vmap` over networks and rates, `scan` over the batches that they share."""
    import jax as jx
    import jax.numpy as jnp

    import sevensteps as ss
    from benchmarks.speed.contestants.jax_scan import cross_entropy, initialize, predict

    data = ss.data.load("mnist", data_dir)
    x, y = (
        jnp.asarray(data.train.x.flatten(1).numpy()),
        jnp.asarray(data.train.y.numpy(), dtype=jnp.int32),
    )
    key, lr = jx.random.key(0), jnp.asarray(rates(count))
    layers = jx.vmap(partial(initialize, sizes=(784, HIDDEN, 10)))(jx.random.split(key, count))

    def step(layers: Any, index: Any) -> Any:
        def one(layers: Any, lr: Any) -> Any:
            loss, gradients = jx.value_and_grad(cross_entropy)(layers, x[index], y[index])
            return jx.tree.map(lambda p, g: p - lr * g, layers, gradients), loss * len(index)

        return jx.vmap(one)(layers, lr)

    @partial(jx.jit, donate_argnums=0)
    def epoch(layers: Any, key: Any) -> Any:
        order, whole = jx.random.permutation(key, len(x)), len(x) // BATCH * BATCH
        layers, losses = jx.lax.scan(step, layers, order[:whole].reshape(-1, BATCH))
        layers, last = step(layers, order[whole:])
        return layers, losses.sum(0) + last

    laps = []
    for number in range(epochs):
        began = time.perf_counter()
        layers, losses = epoch(layers, jx.random.fold_in(key, number))
        jx.block_until_ready(losses)
        laps.append(time.perf_counter() - began)
    test = jnp.asarray(data.valid.x.flatten(1).numpy())
    right = jx.vmap(
        lambda layers: (predict(layers, test).argmax(1) == jnp.asarray(data.valid.y.numpy())).mean()
    )(layers)
    return {"seconds": sum(laps[1:]) / len(laps[1:]) / count, "accuracy": float(right.max())}


def section(options: Options) -> Section:
    epochs, turns = 2 if options.quick else 6, list[dict[str, dict[str, Any]]]()
    for _ in range(options.rounds):
        one: dict[str, Any] = {"epochs": epochs, "data_dir": options.data_dir}
        turns.append(
            {
                "16": measured(__name__, "race", count=16, **one),
                "loop": measured(__name__, "loop", **one),
                "64": measured(__name__, "race", count=64, **one),
                "single": measured(__name__, "single", **one),
                "jax": measured(__name__, "jax", count=16, **one),
                "call 16": measured(__name__, "call", count=16, data_dir=options.data_dir),
                "call 64": measured(__name__, "call", count=64, data_dir=options.data_dir),
            }
        )
    targets, rows = {}, []
    for count in (16, 64):
        of = [turn[str(count)] for turn in turns]
        rows.append(
            (
                f"race of {count}",
                *_times([turn["seconds"] for turn in of]),
                "1",
                "",
                f"{median(t['accuracy'] for t in of):.4f}",
            )
        )
        for peer, what in PEERS.items():
            ratio = median(turn[peer]["seconds"] / turn[str(count)]["seconds"] for turn in turns)
            least = AGAINST.get((count, peer))
            if least is not None:
                targets[f"race of {count} against {peer} {ratio:.2f} of {least:.1f}"] = (
                    ratio >= least
                )
            rows.append(
                (
                    what,
                    *_times([turn[peer]["seconds"] for turn in turns]),
                    f"{ratio:.2f}",
                    "" if least is None else f"{least:.1f} {mark(ratio >= least)}",
                    f"{median(turn[peer]['accuracy'] for turn in turns):.4f}",
                )
            )
    large = {key: median(turn["64"][key] for turn in turns) for key in turns[0]["64"]}
    allowed = large["data"] + 64 * COPIES * large["parameters"] + REST
    targets[f"memory of 64: {large['peak'] / MB:.0f} of {allowed / MB:.0f} MB"] = (
        large["peak"] <= allowed
    )
    small = median(turn["16"]["peak"] for turn in turns)
    calls, more = _whole_calls(turns)
    targets |= more
    return Section(
        TITLE,
        [
            f"784-{HIDDEN}-10 on MNIST, batch {BATCH}, SGD, a learning rate for each; {epochs} "
            "epochs, the first not counted; seconds a "
            "network and epoch, without evaluations. The networks of a race share their batches.",
            "",
            *table(
                (
                    "",
                    "seconds a network and epoch",
                    "lowest–highest",
                    "times the race",
                    "at least",
                    "best accuracy",
                ),
                rows,
            ),
            "",
            "The whole call of `ss.race` as a user calls it, watched, evaluated after each epoch, "
            f"with its table and findings, in run folders; {CALL_EPOCHS} epochs, default threads. "
            "The loop evaluates after each epoch too.",
            "",
            *table(
                (
                    "",
                    "seconds a network and epoch: first call",
                    "second call",
                    "loop",
                    "times the race",
                    "at least",
                ),
                calls,
            ),
            "",
            f"Peak memory of the process: {large['peak'] / MB:.0f} MB for 64, {small / MB:.0f} MB "
            f"for 16 ({large['imported'] / MB:.0f} MB "
            f"after imports); at most {allowed / MB:.0f} MB, which is the data "
            f"({large['data'] / MB:.0f} MB) + 64 × {COPIES} × the parameters "
            f"({64 * COPIES * large['parameters'] / MB:.0f} MB) + {REST / MB:.0f} MB: "
            f"{mark(large['peak'] <= allowed)}.",
        ],
        targets,
    )


def _whole_calls(
    turns: list[dict[str, dict[str, Any]]],
) -> tuple[list[tuple[str, ...]], dict[str, bool]]:
    """The rows of whole calls beside loops, and whether each target is met, by both calls."""
    rows: list[tuple[str, ...]] = []
    targets = {}
    for count, least in WHOLE_CALL.items():
        ratios = {
            which: median(
                turn["loop"]["evaluated"] / turn[f"call {count}"][which] for turn in turns
            )
            for which in ("first", "second")
        }
        met = min(ratios.values()) >= least
        first, second = (f"{ratio:.2f}" for ratio in ratios.values())
        targets[f"whole call of {count} against loop {first} · {second} of {least:.1f}"] = met
        rows.append(
            (
                f"race of {count}",
                f"{median(turn[f'call {count}']['first'] for turn in turns):.4f}",
                f"{median(turn[f'call {count}']['second'] for turn in turns):.4f}",
                f"{median(turn['loop']['evaluated'] for turn in turns):.4f}",
                f"{first} · {second}",
                f"{least:.1f} {mark(met)}",
            )
        )
    return rows, targets


def _times(seconds: list[float]) -> tuple[str, str]:
    return f"{median(seconds):.4f}", f"{min(seconds):.4f}–{max(seconds):.4f}"
