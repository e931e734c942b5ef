"""JAX with a whole epoch in one compiled `lax.scan`: shuffling, batches, gradients and steps. It
compiles in the warm-up epoch.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from itertools import pairwise
from typing import Any

import jax
import jax.numpy as jnp
from jax import Array, lax, random

from benchmarks.speed.trial import Clock, Trial

Parameters = list[tuple[Array, Array]]


def initialize(key: Array, sizes: tuple[int, ...]) -> Parameters:
    """Weights and biases uniform in ±1/√inputs, as PyTorch's linear layer starts."""
    layers = []
    for inputs, outputs in pairwise(sizes):
        key, of_weights, of_bias = random.split(key, 3)
        draw = partial(random.uniform, minval=-(inputs**-0.5), maxval=inputs**-0.5)
        layers.append((draw(of_weights, (inputs, outputs)), draw(of_bias, (outputs,))))
    return layers


def predict(layers: Parameters, x: Array) -> Array:
    *hidden, (weight, bias) = layers
    for inner, shift in hidden:
        x = jax.nn.relu(x @ inner + shift)
    return x @ weight + bias


def cross_entropy(layers: Parameters, x: Array, y: Array) -> Array:
    return -jnp.take_along_axis(jax.nn.log_softmax(predict(layers, x)), y[:, None], axis=1).mean()


@partial(jax.jit, static_argnames=("batch", "lr"), donate_argnums=0)
def epoch(
    layers: Parameters, key: Array, x: Array, y: Array, *, batch: int, lr: float
) -> tuple[Parameters, Array]:
    """One epoch; returns the parameters and the mean training loss."""
    order = random.permutation(key, len(x))
    whole = len(x) // batch * batch

    def step(layers: Parameters, index: Array) -> tuple[Parameters, Array]:
        loss, gradients = jax.value_and_grad(cross_entropy)(layers, x[index], y[index])
        return jax.tree.map(lambda p, g: p - lr * g, layers, gradients), loss * len(index)

    layers, losses = lax.scan(step, layers, order[:whole].reshape(-1, batch))
    total = losses.sum()
    if whole < len(x):  # the shorter last batch has a shape of its own, which a scan cannot hold
        layers, last = step(layers, order[whole:])
        total += last
    return layers, total / len(x)


@jax.jit
def right(layers: Parameters, x: Array, y: Array) -> Array:
    """The share of samples whose highest score is that of their class."""
    return (predict(layers, x).argmax(1) == y).mean()


def train(trial: Trial) -> dict[str, Any]:
    key = random.key(trial.seed)
    x, y = jnp.asarray(trial.x), jnp.asarray(trial.y, dtype=jnp.int32)
    layers = initialize(random.fold_in(key, 0), (784, *trial.case.widths, 10))
    jax.block_until_ready((x, y, layers))
    clock, losses = Clock(), []
    for number in range(1, trial.epochs + 1):
        layers, loss = epoch(
            layers, random.fold_in(key, number), x, y, batch=trial.case.batch, lr=trial.case.lr
        )
        losses.append(float(loss))  # waits for the epoch to end
        clock.lap()
    return {
        "seconds_per_epoch": clock.laps,
        "losses": losses,
        "accuracy": trial.accuracy(predict(layers, jnp.asarray(trial.x_test))),
        "version": jax.__version__,
    }


def whole_call(trial: Trial) -> Callable[[], dict[str, Any]]:
    """With a compiled evaluation of all test samples at once after each epoch."""
    x, x_test = jnp.asarray(trial.x), jnp.asarray(trial.x_test)
    y, y_test = (jnp.asarray(classes, dtype=jnp.int32) for classes in (trial.y, trial.y_test))
    jax.block_until_ready((x, y, x_test, y_test))

    def call() -> dict[str, Any]:
        key = random.key(trial.seed)
        layers = initialize(random.fold_in(key, 0), (784, *trial.case.widths, 10))
        accuracies, losses = [], []
        for number in range(1, trial.epochs + 1):
            layers, loss = epoch(
                layers, random.fold_in(key, number), x, y, batch=trial.case.batch, lr=trial.case.lr
            )
            losses.append(float(loss))
            accuracies.append(float(right(layers, x_test, y_test)))
        return {"accuracies": accuracies, "version": jax.__version__}

    return call
