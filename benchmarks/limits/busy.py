"""What a training loses beside other processes that keep processors busy.

The training chooses its threads when it begins: beside processes that are already at work ("came
before"), or on a quiet machine, where they come a moment later ("came after"). Waiting is as
PyTorch's threads do by themselves, by spinning, or as `OMP_WAIT_POLICY=PASSIVE` has it."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from statistics import median
from typing import Any

from benchmarks.limits.section import Options, Section, mark, measured, table

TITLE = "Beside processes that keep processors busy"
# a network, its batch, and samples of an epoch
NETWORKS = {
    "784-30-10": ("mlp(30)", 256, 12_800),
    "784-256-10": ("mlp(256)", 256, 12_800),
    "cnn(8, 16)": ("cnn(8, 16)", 64, 1_280),
    "784-1024-1024-10": ("mlp(1024, 1024)", 256, 2_560),
}
WAITING = {"as it is": {}, "passive": {"OMP_WAIT_POLICY": "PASSIVE"}}
LIMIT = 2.5  # times the quiet time, beside one busy process
NEVER = 10
SECONDS = 0.7


@contextmanager
def busy_processes(count: int) -> Iterator[None]:
    """So many processes that count and do nothing else."""
    import subprocess
    import sys
    import time

    others = [
        subprocess.Popen([sys.executable, "-c", "while True: pass"], stdin=subprocess.DEVNULL)
        for _ in range(count)
    ]
    time.sleep(0.1 * bool(count))
    try:
        yield
    finally:
        for other in others:
            other.kill()
            other.wait()


def train(network: str, data_dir: str | None, seconds: float) -> dict[str, Any]:
    """Microseconds a step, and the threads taken: quiet, beside one and two processes that came
    before, and beside those that came after; one thread alone too.
    """
    import torch

    import sevensteps as ss
    from benchmarks.speed.contestants.sevensteps import Laps

    predict, batch, samples = NETWORKS[network]
    mnist = ss.data.load("mnist", data_dir)
    x, y = mnist.train.x[:samples].float() / 255, mnist.train.y[:samples]
    data = ss.data.from_arrays(x, y, valid=(x[:100], y[:100]), name="mnist")

    def step(threads: int | None = None) -> tuple[float, int]:
        laps = Laps()
        run = ss.train(
            data,
            predict=predict,
            step="sgd(lr=0.05)",
            repeat=ss.batches(batch),
            stop=ss.epochs(1_000_000) | ss.seconds(seconds),
            threads=threads,
            out=False,
            progress=False,
            watch=0,
            observers=[laps],
        )
        # of whole epochs; the first one sets kernels up, the last one is cut off
        whole = laps.laps[1:-1] or laps.laps
        steps = len(whole) * -(-samples // batch)
        return 1e6 * sum(whole) / steps, run.recipe.threads or 1

    torch.set_num_threads(int(os.environ["OMP_NUM_THREADS"]))
    quiet, threads = step()
    alone, _ = step(1)
    answer: dict[str, Any] = {"quiet": quiet, "threads": threads, "one thread": alone}
    for count in (1, 2):
        with busy_processes(count):
            answer[f"before {count}"], answer[f"threads before {count}"] = step()
            answer[f"after {count}"], _ = step(threads)
    return answer


def section(options: Options) -> Section:
    rows, targets = [], {}
    seconds = 0.1 if options.quick else SECONDS
    for waiting, variables in WAITING.items():
        for network in NETWORKS:
            turns = []
            for _ in range(options.rounds):
                with environment(variables):
                    turns.append(
                        measured(
                            __name__,
                            "train",
                            network=network,
                            data_dir=options.data_dir,
                            seconds=seconds,
                        )
                    )
            middle = {name: median(turn[name] for turn in turns) for name in turns[0]}
            quiet = middle["quiet"]
            times = {
                f"{when} {count}": middle[f"{when} {count}"] / quiet
                for when in ("before", "after")
                for count in (1, 2)
            }
            rows.append(
                (
                    network,
                    waiting,
                    f"{quiet:,.0f} µs, {middle['threads']:.0f}",
                    f"{middle['one thread']:,.0f} µs",
                    *(
                        f"{times[f'before {count}']:.2f} ×, {middle[f'threads before {count}']:.0f}"
                        for count in (1, 2)
                    ),
                    *(f"{times[f'after {count}']:.2f} ×" for count in (1, 2)),
                )
            )
            if not variables:
                targets[f"{network}: {times['before 1']:.1f} of at most {LIMIT} times"] = (
                    times["before 1"] <= LIMIT
                )
                targets[f"{network}, came after: {times['after 1']:.1f} of below {NEVER} times"] = (
                    times["after 1"] < NEVER
                )
    return Section(
        TITLE,
        [
            "Time of a step without watching, and the threads taken; then how many times as long "
            "it takes beside one and two processes of Python that do nothing but count. Those that "
            "came before are seen when threads are chosen; those that came after are not, and the "
            f"number stays. Wanted beside one that came before: at most {LIMIT} times, "
            f"{mark(all(met for what, met in targets.items() if 'came' not in what))}; beside one "
            f"that came after: below {NEVER} times, "
            f"{mark(all(met for what, met in targets.items() if 'came' in what))}. “Passive” is "
            "`OMP_WAIT_POLICY=PASSIVE`: threads that wait sleep at once.",
            "",
            *table(
                (
                    "network",
                    "waiting",
                    "quiet, threads",
                    "one thread",
                    "1 before, threads",
                    "2 before, threads",
                    "1 after",
                    "2 after",
                ),
                rows,
            ),
        ],
        targets,
    )


@contextmanager
def environment(variables: dict[str, str]) -> Iterator[None]:
    """These variables, for the processes that are started inside."""
    before = {name: os.environ.get(name) for name in variables}
    os.environ.update(variables)
    try:
        yield
    finally:
        for name, value in before.items():
            os.environ.pop(name, None)
            if value is not None:
                os.environ[name] = value
