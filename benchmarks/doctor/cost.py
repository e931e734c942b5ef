"""`python -m benchmarks.doctor.cost`: how much longer a training takes when it is watched, with our
tool and others.

Each round of a network is a fresh process. In it a training unwatched stands before and after each
watched one, all of as many steps, and a cost is the ratio of the watched to the mean of its two
neighbours: a slow minute of the machine meets them all. The first steps are always looked at, so a
training of milliseconds would say little: the steps are as many as take some seconds unwatched."""

from __future__ import annotations

import argparse
import datetime
import gc
import itertools
import os
import sys
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from statistics import median
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from benchmarks.doctor import data, results
from benchmarks.doctor.cost_loops import LOOPS, Loop
from benchmarks.doctor.loop import Nothing, Setup
from benchmarks.doctor.networks import convolutional, dense, he
from benchmarks.doctor.peers import OURS, tools
from benchmarks.limits.section import Failed, mark, measured, table
from benchmarks.speed.machine import THREADS, busy, describe

TITLE = "What watching costs"
# at most so much longer at the default budget, and with a full look at every step
BUDGET, FULL = (
    0.03,
    0.35,
)
TARGETS = {OURS: BUDGET, f"{OURS}, every step": FULL}
SECONDS, LONG_SECONDS = 2.5, 10.0  # of one training, unwatched: a short one, a longer one
# at the default budget, whose target is about as small as neighbours differ, so many trainings a
# round
OFTEN = 3


class Transformer(nn.Module):
    """The rows of a digit as 8 tokens through two encoder layers of 64: [B, 64] -> [B, 10]"""

    def __init__(self) -> None:
        super().__init__()
        self.embed = nn.Linear(8, 64)
        self.position = nn.Parameter(torch.randn(8, 64) * 0.02)
        self.encoder = nn.TransformerEncoder(
            nn.TransformerEncoderLayer(64, 4, 128, batch_first=True), 2
        )
        self.head = nn.Linear(64, 10)

    def forward(self, x: Tensor) -> Tensor:
        h: Tensor = self.encoder(self.embed(x.view(-1, 8, 8)) + self.position)
        return self.head(h.mean(1))


@dataclass(frozen=True)
class Network:
    """One of the networks that `ss.train` trains, with `steps` as its notation has them."""

    build: Callable[[], nn.Module]
    data: Callable[[], data.Data]
    batch: int
    lr: float
    adam: bool = False
    image: bool = False  # whether `ss.train` is given pictures [1, 28, 28]
    steps: dict[str, Any] = field(default_factory=dict)

    def setup(self) -> Setup:
        torch.manual_seed(0)
        model, (train, valid) = self.build(), self.data()
        optimizer = (torch.optim.Adam if self.adam else torch.optim.SGD)(
            model.parameters(), lr=self.lr
        )
        return Setup(model, optimizer, F.cross_entropy, train, valid, batch=self.batch)


NETWORKS = {
    "784-30-10": Network(
        lambda: dense(784, 30, 10),
        data.mnist,
        256,
        0.1,
        steps={"predict": "mlp(30)", "gradient": "chain_rule()"},
    ),
    "CNN 8-16-32": Network(
        lambda: convolutional(8, 16, 32),
        data.mnist,
        256,
        0.05,
        image=True,
        steps={"predict": "cnn(8, 16, 32)", "gradient": "chain_rule()"},
    ),
    "20 layers of 64": Network(
        lambda: dense(64, *[64] * 19, 10, start=he),
        data.digits,
        128,
        0.01,
        steps={"predict": f"mlp({', '.join(['64'] * 19)})", "gradient": "chain_rule()"},
    ),
    "transformer": Network(
        Transformer, data.digits, 64, 0.001, adam=True, steps={"gradient": "autograd()"}
    ),
}


def loop(
    case: Loop, steps: int, watch: Callable[[Setup], Any] | None
) -> tuple[float, float, float | None]:
    """Seconds of a plain PyTorch loop, seconds of the judgement after it, and the share of steps
    that was looked at, where it is known.
    """
    setup = case.setup()
    training = case.train(setup)
    gc.collect()
    began = time.perf_counter()
    with watch(setup) if watch else Nothing() as watcher:
        for loss, target in itertools.islice(training, steps):
            watcher.step(loss, target=target)
        took = time.perf_counter() - began
    began = time.perf_counter()
    watcher.diagnose(train=setup.train, valid=setup.valid, loss_fn=setup.loss_fn)
    return (
        took,
        time.perf_counter() - began,
        getattr(getattr(watcher, "watch", None), "share", None),
    )


def plain(network: str, seconds: float, turn: int, only: str = "") -> dict[str, Any]:
    """One round in a plain loop: {"alone": seconds of each unwatched training, tool: {"cost",
    "judging", "share"}}.

    Those without a target, which are slow, take part in every second round, and not where there
    are several networks. In trainings longer than `SECONDS`, only ours at the default budget does.
    """
    torch.set_num_threads(int(os.environ["OMP_NUM_THREADS"]))
    case = LOOPS[network]
    several = isinstance(case.setup().optimizer, list)
    taking = {
        label: tool
        for label, tool in tools(only).items()
        if (label in TARGETS or (turn % 2 == 0 and not several))
        and (seconds <= SECONDS or TARGETS.get(label) == BUDGET)
    }
    steps = 20
    while (took := loop(case, steps, None)[0]) < seconds / 5:
        steps *= 2
    steps = max(int(steps * seconds / took), 1)
    labels = list(taking)
    # nobody is always the first
    labels = labels[turn % len(labels) :] + labels[: turn % len(labels)]
    for label in labels:
        loop(case, 5, taking[label].watch)  # imports, and what is set up once
    timings: dict[str, Any] = {"steps": steps, "alone": [loop(case, steps, None)[0]]}
    for label in labels:
        costs = []
        for _ in range(OFTEN if TARGETS.get(label) == BUDGET else 1):
            took, judging, share = loop(case, steps, taking[label].watch)
            timings["alone"].append(loop(case, steps, None)[0])
            costs.append(took / (sum(timings["alone"][-2:]) / 2) - 1)
        timings[label] = {"cost": median(costs), "judging": judging, "share": share}
    return timings


def trained(network: str, seconds: float, turn: int) -> dict[str, Any]:
    """One round of `ss.train`: {"alone": seconds of each unwatched training, watch: {"cost",
    "call", "once"}}.

    "cost" is that of the steps, "call" that of the whole call; "once" are the seconds added before
    the first step and after the last."""
    case = NETWORKS[network]
    train_once(case, 1, 1.0)  # imports, and what is set up once
    steps, _ = train_once(case, 3, 0.0)
    epochs = max(int(3 * seconds / steps), 1)
    timings: dict[str, Any] = {"epochs": epochs, "alone": []}
    before = train_once(case, epochs, 0.0)
    for watch, often in ((0.02, OFTEN), (1.0, 1))[:: 1 if turn % 2 else -1]:
        costs, calls, once = [], [], []
        for _ in range(often):
            watched, after = train_once(case, epochs, watch), train_once(case, epochs, 0.0)
            step, call = ((a + b) / 2 for a, b in zip(before, after, strict=True))
            costs.append(watched[0] / step - 1)
            calls.append(watched[1] / call - 1)
            once.append((watched[1] - watched[0]) - (call - step))
            timings["alone"] += [before[0], after[0]]
            before = after
        timings[str(watch)] = {"cost": median(costs), "call": median(calls), "once": median(once)}
    return timings


def train_once(network: Network, epochs: int, watch: float) -> tuple[float, float]:
    """Seconds of all steps of a training by `ss.train`, and of the whole call."""
    import sevensteps as ss
    from benchmarks.speed.contestants.sevensteps import Laps

    setup = network.setup()
    (x, y), (xv, yv) = (
        (x.view(-1, 1, 28, 28) if network.image else x, y) for x, y in (setup.train, setup.valid)
    )
    prepared = ss.data.from_arrays(x, y, valid=(xv, yv))
    gc.collect()
    clock, began = Laps(), time.perf_counter()
    ss.train(
        prepared,
        **{"predict": setup.model, **network.steps},
        loss=ss.cross_entropy(),
        repeat=ss.batches(network.batch),
        step=ss.adam(lr=network.lr) if network.adam else ss.sgd(lr=network.lr),
        stop=ss.epochs(epochs),
        seed=0,
        watch=watch,
        threads=int(os.environ["OMP_NUM_THREADS"]),
        out=False,
        progress=False,
        observers=[clock],
    )
    return sum(clock.laps), time.perf_counter() - began


def main() -> int:
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks.doctor.cost", description=__doc__.splitlines()[0]
    )
    parser.add_argument(
        "--only",
        default="",
        help=f"networks whose name contains this: {', '.join({**LOOPS, **NETWORKS})}",
    )
    parser.add_argument(
        "--kind",
        choices=("plain", "long", "trained"),
        help="only short plain loops, only longer ones, or only `ss.train`",
    )
    parser.add_argument("--tool", default="", help="tools whose name contains this")
    parser.add_argument(
        "--rounds", type=int, help="how often each measurement is made (default 5, with --quick 1)"
    )
    parser.add_argument(
        "--quick",
        action="store_true",
        help="one round of short trainings, to see that all works; figures are noise",
    )
    parser.add_argument(
        "--write", action="store_true", help=f"put the tables into {results.FILE.name}"
    )
    options = parser.parse_args()
    rounds, load = options.rounds or (1 if options.quick else 5), busy()
    # in a quick run the longer ones, too, are longer than `SECONDS`
    short, long = (SECONDS / 10, 1.01 * SECONDS) if options.quick else (SECONDS, LONG_SECONDS)
    try:
        turns = {
            kind: {
                name: [
                    one_round(measure, network=name, seconds=seconds, turn=turn, **more)
                    for turn in range(rounds)
                ]
                for name in networks
                if options.only in name and options.kind in (None, kind)
            }
            for kind, measure, networks, seconds, more in (
                ("plain", "plain", LOOPS, short, {"only": options.tool}),
                ("long", "plain", LOOPS, long, {"only": options.tool}),
                ("trained", "trained", NETWORKS, short, {}),
            )
        }
    except Failed:
        return 1  # why has been said
    lines = report(turns, short, long, "unknown" if load is None else f"{load:.1f}")
    print("\n" + "\n".join(lines))
    if options.write:
        results.put(TITLE, lines)
    return 0


def one_round(kind: str, **arguments: Any) -> dict[str, Any]:
    """What `plain` or `trained` returns in a fresh process, printed in short; raises `Failed`."""
    timings = measured("benchmarks.doctor.cost", kind, **arguments)
    print(
        "  "
        + ", ".join(
            f"{label} {100 * seconds['cost']:+.1f} %"
            for label, seconds in timings.items()
            if isinstance(seconds, dict)
        ),
        flush=True,
    )
    return timings


Rounds = dict[str, list[dict[str, Any]]]  # network -> what each round measured


def report(turns: dict[str, Rounds], short: float, long: float, load: str) -> list[str]:
    """The tables, as Markdown."""
    in_train = turns["trained"]
    measured_turns = [turn for kind in turns.values() for own in kind.values() for turn in own]
    rounds = max(len(own) for kind in turns.values() for own in kind.values())
    rows = loop_rows(turns["plain"]) + loop_rows(turns["long"])
    train_rows = []
    for watch, label, target in (("0.02", "watch=0.02", BUDGET), ("1.0", "watch=1", FULL)):
        for what, key, aim in ((label, "cost", target), (f"{label}, the whole call", "call", None)):
            train_rows.append(
                [
                    what,
                    *(
                        cost([turn[watch][key] for turn in turns], aim)
                        for turns in in_train.values()
                    ),
                    ", ".join(
                        f"{median(turn[watch]['once'] for turn in turns):.2f}"
                        for turns in in_train.values()
                    )
                    if key == "call"
                    else "",
                ]
            )
    apart = [
        abs(a / b - 1)
        for turn in measured_turns
        for a, b in zip(turn["alone"], turn["alone"][1:], strict=False)
    ]
    met = [
        text
        for row in (*rows, *train_rows)
        for text in row
        if text.endswith((mark(True), mark(False)))
    ]
    return [
        f"# {TITLE}",
        "",
        f"Measured on {datetime.date.today()}. {describe()}. Load average before: {load}.",
        "",
        f"{sum(text.endswith(mark(True)) for text in met)} of {len(met)} targets met: at most "
        f"{100 * BUDGET:.0f} % longer at the default "
        f"budget, at most {100 * FULL:.0f} % with a full look at every step.",
        "",
        f"By how much longer a training takes than unwatched: median of {rounds} "
        f"{'round' if rounds == 1 else 'rounds'} (lowest to "
        f"highest), {THREADS} threads; at the default budget a round is the median of {OFTEN} "
        "trainings. Each training is of as many steps "
        f"as take {short:g} or {long:g} s unwatched, and is compared with the unwatched ones "
        "right before and after it, in the same process; every "
        "round is a fresh process. Two unwatched trainings next "
        f"to each other differ by {100 * median(apart):.1f} % (median). A training of "
        "milliseconds costs more: its first steps are "
        "looked at whatever they cost.",
        "",
        "What a tool does after the last step is not in the cost. Tools without a target take part "
        "in every second round, and not in the longer trainings.",
        *section(f"In a plain PyTorch loop of {short:g} seconds", *loop_table(turns["plain"])),
        *section(f"In a plain PyTorch loop of {long:g} seconds", *loop_table(turns["long"])),
        *section(
            "In `ss.train`: the steps, and the whole call with an examination before the "
            "first step and the diagnosis after the last",
            ("", *in_train, "seconds added once"),
            train_rows if in_train else [],
        ),
    ]


def section(title: str, columns: Sequence[str], rows: list[list[str]]) -> list[str]:
    """A table under its title; nothing without rows."""
    return ["", f"## {title}", "", *table(columns, rows)] if rows else []


def loop_table(in_loop: Rounds) -> tuple[list[str], list[list[str]]]:
    """Columns and rows of the table of plain loops."""
    return ["tool", *in_loop, "seconds to judge afterwards", "steps looked at"], loop_rows(in_loop)


def loop_rows(in_loop: Rounds) -> list[list[str]]:
    """A row for each tool: its cost on each network, what judging took, what it looked at."""
    labels = {
        label for turns in in_loop.values() for label in turns[0] if label not in ("steps", "alone")
    }
    rows = []
    for label in sorted(labels, key=lambda label: (not label.startswith(OURS), label)):
        timings = [[turn[label] for turn in turns if label in turn] for turns in in_loop.values()]
        shares = [turns[0]["share"] for turns in timings if turns]
        rows.append(
            [
                label,
                *(
                    cost([turn["cost"] for turn in turns], TARGETS.get(label)) if turns else ""
                    for turns in timings
                ),
                ", ".join(
                    f"{median(turn['judging'] for turn in turns):.2f}" for turns in timings if turns
                ),
                ", ".join(f"{100 * share:.1f} %" for share in shares) if None not in shares else "",
            ]
        )
    return rows


def cost(shares: list[float], target: float | None) -> str:
    text = f"{100 * median(shares):+.1f} %" + (
        f" ({100 * min(shares):+.1f} to {100 * max(shares):+.1f})" if len(shares) > 1 else ""
    )
    return text if target is None else f"{text} {mark(median(shares) <= target)}"


if __name__ == "__main__":
    sys.exit(main())
