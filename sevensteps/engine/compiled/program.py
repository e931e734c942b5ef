"""A dense network as tables of numbers, which one piece of machine code reads: no network needs a
compilation of its own.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np

Array = np.ndarray[Any, np.dtype[Any]]

LINEAR, ACTIVATION, DROPOUT = range(3)
# Columns of `Network.layers`. Of a linear layer, WEIGHT and BIAS are where its numbers begin in the
# vector of what is trained, or of what is not (-1: it has no bias). INPUT and OUTPUT count the
# units before a layer's input and its output in the workspace.
KIND, CODE, INPUTS, OUTPUTS, INPUT, OUTPUT, MASK = range(7)
WEIGHT, WEIGHT_TRAINED, BIAS, BIAS_TRAINED = range(7, 11)


class Network(NamedTuple):
    """`layers` [layers, 11] by the columns above, `settings` [layers, 2] of the activations.

    `first` is the first layer that is trained; `by_rows`: the first layer is linear and takes the
    samples as rows, as they lie in the data. Units of every other layer are rows, samples columns.
    """

    layers: Array
    settings: Array
    first: int
    by_rows: bool
    loss: int
    loss_setting: float
    parameters: Array
    frozen: Array


class Samples(NamedTuple):
    """All samples `x` [N, F], their targets as `indices` [N] or `numbers` [N, O], which `rows` [M]
    of them the steps take, and what dropout multiplies by: `masks` [M · units], layer by layer.
    """

    x: Array
    indices: Array
    numbers: Array
    rows: Array
    masks: Array


class Workspace(NamedTuple):
    """What one thread computes: its samples as rows, `values` and `slopes` = dL/d(value) of every
    unit, a loss for each sample, and room to round up.
    """

    x: Array
    values: Array
    slopes: Array
    losses: Array
    spare: Array
    zeros: Array


FEW = 8
"""Fewer samples than these go through the layers one by one."""
LANES = 16
"""Numbers in the widest vector register: more samples are rounded up to a multiple of them."""


def columns(samples: int) -> int:
    """How many columns the workspace has for so many samples."""
    return samples if samples < FEW else -(-samples // LANES) * LANES


# Where in the state of a barrier each number is, a line of the cache apart: how many threads have
# arrived, how often all have, and whether one of them gave up.
ARRIVED, ROUND, GIVEN_UP = 0, 16, 32

# What is worth a second thread. Each writes a gradient of its own and all add them up, so with
# fewer samples two take longer than one: 253 µs for 112 with 16 samples through 784-256-10 (AMD
# EPYC, family 26, 2 cores); with 64 samples they take 211 for 342, and 40 for 59 through 784-30-10.
WORK_OF_A_THREAD = 400_000
SAMPLES_OF_A_THREAD = 32


def threads_of(samples: int, multiplications: int, most: int) -> int:
    """How many threads share a step of so many samples, each so many multiplications: at most
    `most`, so far as each has work that is worth meeting for. A function of shapes, so that it does
    not change the bits from one call to the next.
    """
    worth = min(samples * multiplications // WORK_OF_A_THREAD, samples // SAMPLES_OF_A_THREAD)
    return max(1, min(most, worth))
