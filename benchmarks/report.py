"""benchmarks/RESULTS.md from what was measured on each machine: `python -m benchmarks.report`."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from benchmarks.limits.section import Section, in_order
from benchmarks.speed.cases import CASES
from benchmarks.speed.machine import ROOT, THREADS
from benchmarks.speed.table import KINDS, markdown, targets, times, verdict
from benchmarks.stored import FOLDER, load

RESULTS = ROOT / "benchmarks" / "RESULTS.md"
METHOD = """# Ours and its peers, side by side

Written by `make bench` and `make bench-limits` from the figures in `benchmarks/results`, a file for
each machine: a run on another machine adds a section, a run of one case (`python -m
benchmarks.speed --only CASE`) replaces its table.

Same work for all: the same layers, batch size, SGD, float32, shuffled every epoch, MNIST in memory
before the clock starts, in the library's own form. Each measurement is a fresh process, the
contestants in turn; seconds are medians of the rounds, which are seeds (a contestant that is far
off takes part in the first alone). "Times ours" is the median of the ratios within a round: above
1, ours is faster. Accuracy is of the 10,000 test images (median ± half the range over the rounds):
medians that lie apart by more than 1.5 points, and by more than the rounds of any one contestant
do, are called not the same work.

**An epoch**: nothing but the training, with a loss recorded for each epoch, on at most two threads
on two processors for everyone. The first epoch warms up and is not counted: it holds set-up, and
compilation where there is any. Nobody's epoch holds an evaluation. `sevensteps_watched` looks
inside within its default budget; `sevensteps_compiled` takes `gradient=compiled()` where
`sevensteps` leaves the choice to `auto()`. Frameworks are used as their documentation shows for
data in memory; `…_index` is the same with batches cut by index in place of a DataLoader.

**The whole call**: from the call to its return, each library's own `fit` with its usual settings
and as many threads as it takes by default, with one accuracy on the test images after each epoch
(scikit-learn: once at the end, for its `fit` has none on samples of the user's choice). Ours is
`ss.train` with its defaults: examined before and after, watched, evaluated after each epoch, saved
to a run folder; it starts from parameters of its own choice. Lightning logs and saves checkpoints
as by default; nobody draws a progress bar. The first call in a process holds what a library loads,
compiles or measures on first use, as a script sees it (imports of the contestant's file come before
the clock); the second is what the next cell of a notebook takes. A target counts as met if both
calls reach it. What sevensteps compiles it keeps in the user's cache, once for a machine; that is
done before the rounds, and its seconds are said below the table.
"""


def report(machines: Sequence[Mapping[str, Any]]) -> str:
    """The whole page, a section for each of `machines`."""
    return "\n\n".join([METHOD.rstrip(), *map(section, machines)]) + "\n"


def section(machine: Mapping[str, Any]) -> str:
    """What was measured on one machine."""
    about = machine["machine"]
    cases = {
        name: (case, pieces)
        for name, case in CASES.items()
        if (
            pieces := {kind: machine[kind][name] for kind in KINDS if name in machine.get(kind, {})}
        )
    }
    limits = [Section(**piece["section"]) for piece in in_order(machine.get("limits", {}))]
    answers: dict[str, bool] = {}
    for case, pieces in cases.values():
        answers |= targets(case, pieces)
    for part in limits:
        answers |= {f"{part.title}: {what}": met for what, met in part.targets.items()}
    cores = f"{about['cores']} core{'s' * (about['cores'] != 1)}"
    texts = [
        f"## {about['processor']}, {cores}, torch {about['torch']}",
        f"{about['system']}, Python {about['python']}. {verdict(answers)}",
        *(markdown(case, pieces, "###") for case, pieces in cases.values()),
    ]
    if limits:
        texts.append(
            f"### Limits\n\nEach measurement is a fresh process on {THREADS} threads; what is "
            "compared takes turns, and the figures are medians of the rounds."
        )
    for piece, part in zip(in_order(machine.get("limits", {})), limits, strict=True):
        texts.append(f"{part.markdown('####')}\n\n{times(piece['rounds'])} on {piece['date']}.")
    return "\n\n".join(texts)


def write() -> None:
    """RESULTS.md anew from all stored files."""
    RESULTS.write_text(report(load(FOLDER)), encoding="utf-8")
    print(f"written: {RESULTS.relative_to(ROOT)}")


if __name__ == "__main__":
    write()
