"""How many threads a training takes."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager

import torch

from sevensteps.engine.distributed.process_group import processes_on_this_machine
from sevensteps.engine.parameters import multiplications, weights
from sevensteps.errors import ArgumentError
from sevensteps.training.resolve import ResolvedRecipe

# multiplications of a step: 5 million of a small CNN took one thread less time than two, 6 million
# of 784-30-10 more
LITTLE = 6e6


def usual_threads(resolved: ResolvedRecipe, networks: int = 1) -> int:
    """The threads that a training takes unless told, or several of such `networks` together: one
    where a step is little work, else half of the processors, at most 4.

    Several processes that train on this machine take as many together, so far as each has one.

    Where PyTorch has been limited to fewer threads than there are processors, it takes all of those
    instead of a half.

    Threads wait for each other many times a step, which costs a small network more than they save;
    and where the processor is busy with something else too, it was measured to cost a hundred
    times.
    """
    samples, repeat = len(resolved.data.train), resolved.recipe.repeat
    work = (
        multiplications(resolved.network, tuple(resolved.data.train.x.shape[1:]))
        * samples
        / repeat.count(samples)
    )
    if networks > 1:  # then it is products that are many: what counts is the work of one
        work *= networks / max(1, len(weights(resolved.network)))
    had, processors = torch.get_num_threads(), os.cpu_count() or 1
    return (
        1
        if work < LITTLE
        else had
        if had < processors
        else max(1, min(4, had // 2) // processes_on_this_machine())
    )


def refuse_threads(count: int) -> None:
    """Raise `ArgumentError` where the processes on this machine, with `count` threads each, would
    wait for each other's processors.
    """
    if (
        count > 1
        and (processes := processes_on_this_machine()) > 1
        and processes * count > (processors := os.cpu_count() or 1)
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
        yield torch.get_num_threads()
    finally:
        torch.set_num_threads(before)
