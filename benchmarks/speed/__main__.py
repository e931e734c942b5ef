"""How fast an epoch is, beside others doing the same work: `make bench`, or `python -m benchmarks.speed --data-dir FOLDER_OF_MNIST`.

Each training is a fresh process with the same number of threads for everyone; the contestants take turns, round after round, so that
a slow minute of the machine meets all of them. A figure is the median over rounds and epochs, without each process's first epoch.
Writes benchmarks/RESULTS.md.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import statistics
import subprocess
import sys
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

THREADS = 2
OURS = "sevensteps"
DENSE = {"pytorch_loop": 2.2, "jax_scan": 1.2, "scikit_learn": 1.7, "lightning": 4.5, "fastai": 4.5, "skorch": 4.5, "keras": 4.5}
CASES: dict[str, dict[str, Any]] = {  # samples of an epoch, batch, hidden widths, and the ratio to ours that each other should reach
    "784-30-10, batch 256": {"samples": 60000, "batch": 256, "hidden": [30], "epochs": 4, "others": DENSE},
    "784-256-10, batch 256": {
        "samples": 60000, "batch": 256, "hidden": [256], "epochs": 4, "others": {"pytorch_loop": 2.0, "jax_scan": 1.1}},
    "784-1024-1024-10, batch 256": {"samples": 60000, "batch": 256, "hidden": [1024, 1024], "epochs": 2, "others": {"pytorch_loop": 1.5}},
    "784-30-10, batch 16": {"samples": 12000, "batch": 16, "hidden": [30], "epochs": 4, "others": {"pytorch_loop": 2.5}},
    "784-30-10, batch 1": {"samples": 3000, "batch": 1, "hidden": [30], "epochs": 4, "others": {"pytorch_loop": 2.5}},
    "CNN 8-16-32, batch 256": {"samples": 20000, "batch": 256, "hidden": "cnn", "epochs": 3, "others": {"pytorch_loop": 1.2}},
    "784-256-10 as an nn.Module by autograd(), batch 256": {
        "samples": 60000, "batch": 256, "hidden": [256], "epochs": 4, "ours": "sevensteps_autograd", "others": {"pytorch_loop": 1.0}},
}
PACKAGES = {"pytorch_loop": "torch", "jax_scan": "jax", "scikit_learn": "scikit-learn", "sevensteps_autograd": OURS}


def one(name: str, contestant: str, data_dir: str | None) -> None:
    """Run one contestant on one case in this process, and print its seconds and accuracy as JSON."""
    import torch

    from benchmarks.speed import contestants
    from sevensteps.data import load

    torch.set_num_threads(THREADS)
    case = CASES[name]
    mnist, count = load("mnist", data_dir), case["samples"]
    data = {"x": mnist.train.x[:count].clone(), "y": mnist.train.y[:count].clone(), "xv": mnist.valid.x, "yv": mnist.valid.y}
    del mnist
    torch.manual_seed(0)
    seconds, accuracy = getattr(contestants, contestant)(case, data)
    print(json.dumps({"seconds": seconds[1:], "accuracy": accuracy}))


def fresh(name: str, contestant: str, data_dir: str | None) -> dict[str, Any]:
    """One contestant on one case, in a process of its own."""
    limits = dict.fromkeys(("OMP_NUM_THREADS", "MKL_NUM_THREADS", "OPENBLAS_NUM_THREADS"), str(THREADS))
    command = [sys.executable, "-m", "benchmarks.speed", "--one", name, contestant, *(["--data-dir", data_dir] if data_dir else [])]
    if hasattr(os, "sched_getaffinity"):  # XLA makes a thread per processor it may use
        processors = ",".join(map(str, sorted(os.sched_getaffinity(0))[:THREADS]))
        command = ["taskset", "-c", processors, *command]
    done = subprocess.run(command, capture_output=True, text=True, env={**os.environ, **limits})
    if done.returncode:
        raise SystemExit(f"{contestant} failed on {name}:\n{done.stderr[-2000:]}")
    found: dict[str, Any] = json.loads(done.stdout.splitlines()[-1])
    return found


def compare(name: str, rounds: int, data_dir: str | None) -> list[str]:
    """Run one case, the contestants in turn, and give its table."""
    case = CASES[name]
    ours = case.get("ours", OURS)
    found: dict[str, list[dict[str, Any]]] = {contestant: [] for contestant in (ours, *case["others"])}
    for number in range(rounds):
        for contestant, runs in found.items():
            print(f"{name}: round {number + 1} of {rounds}, {contestant}", file=sys.stderr, flush=True)
            runs.append(fresh(name, contestant, data_dir))
    return table(name, found)


def table(name: str, found: dict[str, list[dict[str, Any]]]) -> list[str]:
    """The table of one case, as Markdown: `found` holds the runs of each contestant, ours first."""
    case, ours = CASES[name], next(iter(found))
    seconds = {who: statistics.median(s for run in runs for s in run["seconds"]) for who, runs in found.items()}
    share = {who: statistics.median(run["accuracy"] for run in runs) for who, runs in found.items()}
    lines = [f"## {name}", "", f"{case['samples']:,} samples an epoch.", "", "| | seconds an epoch | ratio to ours | wanted | accuracy |",
             "|---|---|---|---|---|", f"| **{ours}** | {seconds[ours]:.4f} | 1 | | {share[ours]:.3f} |"]
    for who, wanted in case["others"].items():
        ratio = seconds[who] / seconds[ours]
        verdict = "" if ratio >= wanted else ", missed"
        alike = "" if abs(share[who] - share[ours]) <= 0.015 else ", not the same"
        lines.append(f"| {who} {_version(who)} | {seconds[who]:.4f} | {ratio:.2f} | {wanted}{verdict} | {share[who]:.3f}{alike} |")
    return [*lines, ""]


def _version(contestant: str) -> str:
    try:
        return version(PACKAGES.get(contestant, contestant))
    except PackageNotFoundError:
        return "?"


def machine() -> str:
    model = platform.processor() or platform.machine()
    information = Path("/proc/cpuinfo")
    if information.exists():
        names = (line.partition(":")[2].strip() for line in information.read_text().splitlines() if line.startswith("model name"))
        model = next(names, model)
    return f"{model}, {os.cpu_count()} processors, Python {platform.python_version()}, torch {version('torch')}"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--data-dir", help="folder with the files of MNIST [default: as sevensteps looks for them]")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--only", help="the cases whose name contains this text; RESULTS.md is then left alone")
    parser.add_argument("--one", nargs=2, metavar=("CASE", "CONTESTANT"), help=argparse.SUPPRESS)
    asked = parser.parse_args()
    if asked.one:
        one(*asked.one, asked.data_dir)
        return
    conditions = (f"{machine()}; at most {THREADS} threads, and {THREADS} processors, for everyone; medians of {asked.rounds} fresh "
                  "processes each, in turn, the first epoch of each not counted. MNIST in memory, SGD, lr .1, shuffled, training loss "
                  "recorded. A ratio above 1 says that the other takes longer. To repeat: `make bench`.")
    lines = ["# Speed", "", conditions, ""]
    for name in CASES:
        if asked.only is None or asked.only in name:
            lines += compare(name, asked.rounds, asked.data_dir)
    print("\n".join(lines))
    if asked.only is None:
        Path("benchmarks/RESULTS.md").write_text("\n".join(lines), encoding="utf-8")


if __name__ == "__main__":
    main()
