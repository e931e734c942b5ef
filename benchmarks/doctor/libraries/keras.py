"""Keras: sequential, functional and subclassed models, as its documentation writes them."""

from __future__ import annotations

import os
from collections.abc import Callable
from typing import Any

os.environ["KERAS_BACKEND"] = "torch"

import keras
import numpy as np

from benchmarks.doctor.libraries.tasks import TASKS
from sevensteps.integrations.keras import Watch

layers = keras.layers


def train(
    task: str,
    build: Callable[[], Any],
    loss: Any,
    epochs: int,
    seed: int,
    optimizer: Callable[[], Any] = lambda: keras.optimizers.Adam(3e-3),
    metrics: Any = ("accuracy",),
    callbacks: tuple[Any, ...] = (),
    **options: Any,
) -> Watch:
    """Fit it, and return the callback."""
    keras.utils.set_random_seed(seed)
    chosen = TASKS[task]()
    (x, y), (valid_x, valid_y) = (
        tuple(part.numpy() for part in pair) for pair in (chosen.train, chosen.valid)
    )
    if task in ("images", "fine-tuning"):
        x, valid_x = (np.moveaxis(part, 1, -1) for part in (x, valid_x))
    model = build()
    model.compile(optimizer(), loss, metrics=list(metrics))
    watch = Watch(show=False)
    model.fit(
        x,
        y,
        batch_size=32,
        epochs=epochs,
        verbose=0,
        validation_data=(valid_x, valid_y),
        callbacks=[watch, *callbacks],
        **options,
    )
    return watch


def table() -> Any:
    return keras.Sequential(
        [
            keras.Input((30,)),
            layers.Dense(32, activation="relu"),
            layers.Dropout(0.1),
            layers.Dense(1, activation="sigmoid"),
        ]
    )


def images() -> Any:
    x = inputs = keras.Input((8, 8, 1))
    for channels in (8, 16):
        x = layers.Conv2D(channels, 3, padding="same", use_bias=False)(x)
        x = layers.BatchNormalization()(x)
        x = layers.Activation("relu")(x)
    x = layers.GlobalAveragePooling2D()(layers.MaxPooling2D()(x))
    return keras.Model(inputs, layers.Dense(10, activation="softmax")(x))


def text() -> Any:
    return keras.Sequential(
        [
            keras.Input((12,), dtype="int32"),
            layers.Embedding(61, 16),
            layers.Conv1D(24, 3, activation="relu"),
            layers.GlobalMaxPooling1D(),
            layers.Dense(3),
        ]
    )


class Regressor(keras.Model):
    """A model of one's own."""

    def __init__(self) -> None:
        super().__init__()
        self.hidden = layers.Dense(32, activation="tanh")
        self.last = layers.Dense(1)

    def call(self, x: Any) -> Any:
        return self.last(self.hidden(x))


def labels() -> Any:
    return keras.Sequential(
        [
            keras.Input((20,)),
            layers.Dense(48, activation="gelu"),
            layers.LayerNormalization(),
            layers.Dense(6, activation="sigmoid"),
        ]
    )


def fine_tuned() -> Any:
    """A body that tells the digits below 5 apart, frozen, and a head for those from 5 on."""
    x, y = (part.numpy() for part in TASKS["images"]().train)
    x = np.moveaxis(x, 1, -1)
    body = keras.Sequential(
        [keras.Input((8, 8, 1)), layers.Flatten(), layers.Dense(48, activation="relu")]
    )
    whole = keras.Sequential([body, layers.Dense(5)])
    whole.compile("adam", keras.losses.SparseCategoricalCrossentropy(from_logits=True))
    whole.fit(x[y < 5], y[y < 5], epochs=8, verbose=0)
    body.trainable = False
    return keras.Sequential([keras.Input((8, 8, 1)), body, layers.Dense(5)])


def sparse() -> Any:
    return keras.losses.SparseCategoricalCrossentropy(from_logits=True)


def cosine(steps: int) -> Any:
    return keras.optimizers.AdamW(keras.optimizers.schedules.CosineDecay(1e-2, steps), clipnorm=1.0)


TRAININGS: dict[str, Callable[[int], Watch]] = {
    "table, early stopping": lambda seed: train(
        "table",
        table,
        "binary_crossentropy",
        30,
        seed,
        callbacks=(keras.callbacks.EarlyStopping(patience=5),),
    ),
    "regression, subclassed": lambda seed: train(
        "regression", Regressor, "mse", 40, seed, metrics=("mae",)
    ),
    "images, functional": lambda seed: train(
        "images",
        images,
        "sparse_categorical_crossentropy",
        8,
        seed,
        lambda: keras.optimizers.Adam(1e-2),
    ),
    "labels, plateau": lambda seed: train(
        "labels",
        labels,
        "binary_crossentropy",
        20,
        seed,
        callbacks=(keras.callbacks.ReduceLROnPlateau(patience=4),),
    ),
    "text, cosine, clipped": lambda seed: train(
        "text", text, sparse(), 8, seed, lambda: cosine(240)
    ),
    "fine-tuning, frozen body": lambda seed: train(
        "fine-tuning", fine_tuned, sparse(), 20, seed, lambda: keras.optimizers.Adam(1e-2)
    ),
    "table, class weights, accumulated": lambda seed: train(
        "table",
        table,
        "binary_crossentropy",
        20,
        seed,
        lambda: keras.optimizers.Adam(3e-3, gradient_accumulation_steps=2),
        class_weight={0: 1.3, 1: 0.8},
    ),
}
