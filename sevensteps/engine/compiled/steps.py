"""Many steps of training as one piece of machine code: predict, loss, gradient and step, in order.

Several threads run it at the same time, each for its part of every batch and its part of the
parameters; they meet where all gradients are there, and where all parameters are changed.
"""

from __future__ import annotations

import math
from typing import NamedTuple

import numpy as np

from sevensteps.engine.compiled import layers, losses, program
from sevensteps.engine.compiled.barrier import wait_for_all
from sevensteps.engine.compiled.machine_code import Array, entry, kernel, unowned
from sevensteps.engine.compiled.program import Network, Samples, Workspace
from sevensteps.engine.compiled.updates import SGD, update

STEPS, PREDICT, LOSS, GRADIENT = range(4)
threads_of = kernel(program.threads_of)
LINE = 16  # numbers in a line of the cache: parts of a vector begin at one


class Step(NamedTuple):
    """Step 5: the kind of optimizer, its options and memory, and how many steps it has taken."""

    kind: int
    options: Array
    first: Array
    second: Array
    taken: int
    clip: float


class Team(NamedTuple):
    """Which thread this is of how many, of which `most` may share a step whose samples take
    `multiplications` each; and what they share: the state of the barrier, the sum of losses and of
    squares of each [threads, 16], and their gradients [threads, P]; the first is that of all.
    """

    thread: int
    threads: int
    most: int
    multiplications: int
    state: Array
    sums: Array
    gradients: Array


@entry
def run(
    part: int,
    network: Network,
    samples: Samples,
    work: Workspace,
    step: Step,
    team: Team,
    size: int,
    rates: Array,
    totals: Array,
) -> int:
    """All of it, so that there is one thing to compile: many steps, or a `part` of one with all
    rows, which leaves the parameters alone: the values of every layer, or then the loss of each row
    and d(mean loss)/d(output), or then dL/d(parameter) into the team's gradients.
    """
    network = Network(
        unowned(network.layers),
        unowned(network.settings),
        network.first,
        network.by_rows,
        network.loss,
        network.loss_setting,
        unowned(network.parameters),
        unowned(network.frozen),
    )
    samples = Samples(
        unowned(samples.x),
        unowned(samples.indices),
        unowned(samples.numbers),
        unowned(samples.rows),
        unowned(samples.masks),
    )
    work = Workspace(
        unowned(work.x),
        unowned(work.values),
        unowned(work.slopes),
        unowned(work.losses),
        unowned(work.spare),
        unowned(work.zeros),
    )
    count = len(samples.rows)
    if part == STEPS:
        return take_steps(network, samples, work, step, team, size, rates, totals)
    if part == PREDICT:
        layers.forward(network, samples, work, 0, count)
    elif part == LOSS:
        judge(network, samples, work, 0, count, 1.0 / count)
    else:
        layers.backward(network, samples, work, team.gradients[0], 0, count, 0.0)
    return 0


@kernel
def take_steps(
    network: Network,
    samples: Samples,
    work: Workspace,
    step: Step,
    team: Team,
    size: int,
    rates: Array,
    totals: Array,
) -> int:
    """A step with each `size` of the rows, the learning rates `rates` [steps]; `totals`
    [steps] gets the sum of the losses of each. Returns how many have been judged: the last has not
    been taken if its total is not finite.
    """
    thread, threads = team.thread, team.threads
    for index in range(len(rates)):
        first, last = index * size, min((index + 1) * size, len(samples.rows))
        # as many as if this step were alone, so that it has the same bits
        sharing = 1
        if threads > 1:
            sharing = threads_of(last - first, team.multiplications, team.most)
        mine = part_of_all(team.gradients.shape[1], thread, sharing)
        begin = first + (last - first) * min(thread, sharing) // sharing
        end = first + (last - first) * min(thread + 1, sharing) // sharing
        layers.forward(network, samples, work, begin, end)  # 2 predict
        share = 1.0 / (last - first)
        total = judge(network, samples, work, begin, end, share)  # 3 loss
        alone = threads == 1 and last - first == 1 and step.clip == 0 and math.isfinite(total)
        if alone and is_descent(step) and index < len(rates) - 1:
            # 4 and 5: nobody will ask for this gradient
            gradients = team.gradients[thread]
            layers.backward(network, samples, work, gradients, begin, end, rates[index])
            totals[index] = total
            continue
        if begin < end:
            layers.backward(network, samples, work, team.gradients[thread], begin, end, 0.0)  # 4
        team.sums[thread, 0] = total
        if not wait_for_all(team.state, threads):
            return index
        total = 0.0
        for other in range(sharing):
            total += team.sums[other, 0]
        if thread == 0:
            totals[index] = total
        add_up(team, mine, sharing)
        if not math.isfinite(total):
            return index + 1
        if step.clip > 0 and not shorten(team, mine, sharing, step.clip):
            return index
        p, g = network.parameters[mine[0] : mine[1]], team.gradients[0, mine[0] : mine[1]]
        m, v = step.first[mine[0] : mine[1]], step.second[mine[0] : mine[1]]
        update(step.kind, step.options, rates[index], step.taken + index + 1, p, g, m, v)  # 5 step
        if not wait_for_all(team.state, threads):
            return index
    return len(rates)


@kernel
def judge(
    network: Network, samples: Samples, work: Workspace, begin: int, end: int, share: float
) -> float:
    """The losses of the samples and dL/d(output), from the values of the last layer."""
    n = end - begin
    last = network.layers[-1]
    output = layers.block(work.values, last[program.OUTPUT], last[program.OUTPUTS], n)
    slope = layers.block(work.slopes, last[program.OUTPUT], last[program.OUTPUTS], n)
    return losses.loss_and_slope(
        network.loss,
        network.loss_setting,
        output,
        samples.indices,
        samples.numbers,
        samples.rows[begin:end],
        work.losses,
        slope,
        share,
    )


@kernel
def is_descent(step: Step) -> bool:
    """Whether a step is p ← p - lr·g and nothing else."""
    return step.kind == SGD and step.options[0] == 0 and step.options[2] == 0


@kernel
def part_of_all(size: int, thread: int, threads: int) -> tuple[int, int]:
    """Which of `size` parameters this thread changes: as many as the others, in whole lines."""
    lines = (size + LINE - 1) // LINE
    if thread >= threads:
        return 0, 0
    begin, end = lines * thread // threads * LINE, lines * (thread + 1) // threads * LINE
    return min(begin, size), min(end, size)


@kernel
def add_up(team: Team, mine: tuple[int, int], sharing: int) -> None:
    """The gradient of the whole batch: the sum of those of its parts."""
    for other in range(1, sharing):
        total, part = team.gradients[0, mine[0] : mine[1]], team.gradients[other, mine[0] : mine[1]]
        for i in range(len(total)):
            total[i] += part[i]


@kernel
def shorten(team: Team, mine: tuple[int, int], sharing: int, clip: float) -> bool:
    """g ← g · min(1, clip / (|g| + 1e-6)), as `torch.nn.utils.clip_grad_norm_` does."""
    g = team.gradients[0, mine[0] : mine[1]]
    square = 0.0
    for i in range(len(g)):
        square += np.float64(g[i]) * np.float64(g[i])
    team.sums[team.thread, 1] = square
    if not wait_for_all(team.state, team.threads):
        return False
    square = 0.0
    for other in range(sharing):
        square += team.sums[other, 1]
    factor = g.dtype.type(min(1.0, clip / (math.sqrt(square) + 1e-6)))
    for i in range(len(g)):
        g[i] *= factor
    return True
