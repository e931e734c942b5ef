"""How many threads a training takes, and why."""

from __future__ import annotations

import math
import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace

import torch

from sevensteps.engine.distributed.process_group import processes_on_this_machine
from sevensteps.engine.parameters import multiplications, weights
from sevensteps.errors import ArgumentError
from sevensteps.training.processors import busy_processors, usable_cores, usable_processors
from sevensteps.training.resolve import ResolvedRecipe
from sevensteps.training.waiting import considerate

# Multiplications of a step from which two threads are worth it. On two cores (AMD, family 26, model
# 2), time of one thread / time of two: 784-30-10 in batches of 256 (6.1 million) 1.34, of 1,024
# (24 million) 1.57; 784-256-10 in batches of 128 (26 million) 1.59; cnn(8, 16) in batches of 16
# (4.6 million) 1.22, of 64 (19 million) 1.63; races of 784-30-10 in batches of 256, of 4 networks
# (12 million, as counted here) 1.31, of 16 (49 million) 1.56.
FOR_TWO = 5e6


def with_threads(resolved: ResolvedRecipe, networks: int = 1) -> ResolvedRecipe:
    """`resolved` with a number of threads: its own, or the one chosen for a training of it, or of
    `networks` such together; `recipe.reasons["threads"]` says why.
    """
    recipe = resolved.recipe
    count, reason = recipe.threads, recipe.reasons.get("threads", "as asked")
    if count is None:
        count, reason = choose_threads(resolved, networks)
    reasons = {**recipe.reasons, "threads": reason}
    return replace(resolved, recipe=replace(recipe, threads=count, reasons=reasons))


def choose_threads(resolved: ResolvedRecipe, networks: int = 1) -> tuple[int, str]:
    """How many threads to take, and what allows no more: the least of

    - what the work of a step feeds: one below `FOR_TWO` multiplications, and from there on more as
      its square root. Threads wait for each other many times a step; a step of n threads takes
      work / n + cost · n, which is least at n = √(work / cost);
    - the cores that this process may use, shared by the processes of a group on this machine;
    - the threads that PyTorch has been limited to, by `OMP_NUM_THREADS` or `set_num_threads`;
    - the processors that others leave free just now. A thread that waits for another one, which
      waits for a processor, was measured to cost ten times and more.
    """
    work = step_work(resolved, networks)
    cores, processes = usable_cores(), processes_on_this_machine()
    shared = f"the cores of this machine, shared by {processes} processes"
    limits = [
        (
            int(2 * math.sqrt(work / FOR_TWO)) if work >= FOR_TWO else 1,
            f"a step of {_rounded(work)} multiplications",
        ),
        (max(1, cores // processes), "all cores that it may use" if processes == 1 else shared),
        (torch.get_num_threads(), "what PyTorch is limited to"),
    ]
    # processes of a group are no strangers
    if min(limits)[0] > 1 and processes == 1 and (busy := busy_processors()):
        processors = os.cpu_count() or 1
        limits.append((max(1, processors - busy), f"{busy} of {processors} processors busy"))
    return min(limits, key=lambda limit: limit[0])


def step_work(resolved: ResolvedRecipe, networks: int = 1) -> float:
    """Multiplications by weights that the threads share in the forward pass of a step."""
    samples, repeat = len(resolved.data.train), resolved.recipe.repeat
    work: float = (
        multiplications(resolved.network, tuple(resolved.data.train.x.shape[1:]))
        * samples
        / repeat.count(samples)
    )
    if networks > 1:  # then it is products that are many: what counts is the work of one
        work *= networks / max(1, len(weights(resolved.network)))
    return work


def _rounded(work: float) -> str:
    if work < 1e6:
        return f"{work:,.0f}"
    return f"{work / 1e6:.1f} million" if work < 1e7 else f"{work / 1e6:,.0f} million"


def refuse_threads(count: int) -> None:
    """Raise `ArgumentError` where the processes on this machine, with `count` threads each, would
    wait for each other's processors.
    """
    if (
        count > 1
        and (processes := processes_on_this_machine()) > 1
        and processes * count > (processors := usable_processors())
    ):
        raise ArgumentError(
            f"{processes} processes of {count} threads each are more than the {processors} "
            "processors of this machine; use "
            f"threads={max(1, processors // processes)}"
        )


@contextmanager
def threads(count: int) -> Iterator[int]:
    """Let PyTorch compute with `count` threads, and put its setting back."""
    before = torch.get_num_threads()
    torch.set_num_threads(count)
    try:
        with considerate(count):
            yield torch.get_num_threads()
    finally:
        torch.set_num_threads(before)
