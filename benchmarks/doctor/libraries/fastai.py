"""fastai: learners as its documentation writes them."""

from __future__ import annotations

import random
from collections.abc import Callable
from functools import partial
from typing import Any

import fastai.callback.all  # noqa: F401 (adds methods to Learner)
import numpy as np
import torch
from fastai.callback.tracker import EarlyStoppingCallback, ReduceLROnPlateau
from fastai.callback.training import GradientAccumulation, GradientClip
from fastai.data.core import DataLoaders
from fastai.learner import Learner
from fastai.metrics import accuracy, accuracy_multi, mae
from fastai.optimizer import OptimWrapper

from benchmarks.doctor.libraries.tasks import TASKS
from sevensteps.integrations.fastai import Watch


def train(
    task: str,
    fit: Callable[[Learner], None],
    seed: int,
    callbacks: tuple[Any, ...] = (),
    **options: Any,
) -> Watch:
    """Fit it, and return the callback."""
    random.seed(seed)
    np.random.seed(seed)
    torch.manual_seed(seed)
    chosen = TASKS[task]()
    learn = Learner(
        DataLoaders(*chosen.loaders(), device="cpu"),
        chosen.network(),
        loss_func=chosen.loss,
        cbs=[Watch(show=False), *callbacks],
        **options,
    )
    with learn.no_bar(), learn.no_logging():
        fit(learn)
    return learn.watch


def halves(learn: Learner) -> None:
    """Fit twice, as `fine_tune` does."""
    learn.fit_one_cycle(2, 1e-2)
    learn.fit_one_cycle(4, 3e-3)


TRAININGS: dict[str, Callable[[int], Watch]] = {
    "table, early stopping": lambda seed: train(
        "table",
        lambda learn: learn.fit(30, 3e-3),
        seed,
        (EarlyStoppingCallback(patience=5),),
        metrics=accuracy_multi,
    ),
    "regression, plateau": lambda seed: train(
        "regression",
        lambda learn: learn.fit(40, 3e-3),
        seed,
        (ReduceLROnPlateau(patience=4),),
        metrics=mae,
    ),
    "images, one cycle": lambda seed: train(
        "images", lambda learn: learn.fit_one_cycle(4, 1e-2), seed, metrics=accuracy
    ),
    "images, fitted twice": lambda seed: train("images", halves, seed, metrics=accuracy),
    "labels, accumulated": lambda seed: train(
        "labels",
        lambda learn: learn.fit_flat_cos(20, 3e-3),
        seed,
        (GradientAccumulation(64),),
        metrics=accuracy_multi,
    ),
    "text, clipped": lambda seed: train(
        "text",
        lambda learn: learn.fit_one_cycle(8, 1e-2),
        seed,
        (GradientClip(1.0),),
        metrics=accuracy,
    ),
    "fine-tuning, PyTorch's optimizer": lambda seed: train(
        "fine-tuning",
        lambda learn: learn.fit(20, 1e-2),
        seed,
        opt_func=partial(OptimWrapper, opt=torch.optim.AdamW),
        metrics=accuracy,
    ),
}
