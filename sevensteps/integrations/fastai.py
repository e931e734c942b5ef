"""fastai: a callback that says at the end what was wrong with the training.

Learner(dls, model, cbs=[sevensteps.integrations.fastai.Watch()])

fastai's optimizers are none of PyTorch's, and have cleared the gradients by `after_batch`.
"""

from __future__ import annotations

import functools
from typing import Any

import torch
from torch import Tensor

from sevensteps.doctor.diagnosis import Diagnosis
from sevensteps.integrations import library_of
from sevensteps.integrations.watched_training import WatchedTraining, foreign_optimizer

learner: Any = library_of("fastai")


class Watch(learner.Callback):  # type: ignore[misc]
    """Watches `Learner.fit`: `Learner(dls, model, cbs=[Watch()])`.

    `budget` is the share of the time that watching may cost; with `show`, the diagnosis is printed
    at the end. Then it is in `diagnosis`, and what was observed in `watch`.
    """

    order, run_valid = 12, False  # after those that scale, skip and clip

    def __init__(self, *, budget: float = 0.02, show: bool = True) -> None:
        super().__init__()
        self.watched = WatchedTraining(budget, show)
        self._loss: Tensor | None = None

    @property
    def watch(self) -> Any:
        return self.watched.watch

    @property
    def diagnosis(self) -> Diagnosis | None:
        return self.watched.diagnosis

    def before_fit(self) -> None:
        self.run = not hasattr(self.learn, "lr_finder")  # a search for a rate, that should diverge
        if self.run:
            with self.watched.unharmed():
                self.watched.begin(self.learn.model, optimizer_of(self.learn))

    def before_batch(self) -> None:
        self._loss = None

    def after_loss(self) -> None:
        self._loss = self.learn.loss  # as it is before it is scaled or divided

    def before_step(self) -> None:
        self.watched.before_update()

    def after_batch(self) -> None:
        if self._loss is not None and self.learn.yb:
            targets = tuple(plain(y) for y in self.learn.yb)
            self.watched.step(plain(self._loss), targets[0] if len(targets) == 1 else targets)
        self._loss = None

    def after_epoch(self) -> None:
        recorder = getattr(self.learn, "recorder", None)
        if recorder is not None and hasattr(self.learn, "opt"):
            metrics = dict(zip(recorder.metric_names, recorder.log, strict=False))
            metrics.pop("train_loss", None)
            self.watched.evaluated(metrics)

    def after_fit(self) -> None:
        self.watched.end()


def optimizer_of(learn: Any) -> torch.optim.Optimizer:
    """The optimizer of a Learner, in PyTorch's form."""
    optimizer = learn.opt
    if isinstance(wrapped := getattr(optimizer, "opt", None), torch.optim.Optimizer):
        return wrapped
    function = learn.opt_func
    while isinstance(function, functools.partial):
        function = function.func
    groups = []
    for group in optimizer.param_groups:
        settings = {
            "params": list(group["params"]),
            "weight_decay": group.get("wd", 0.0),
            "eps": group.get("eps"),
        }
        if "sqr_mom" in group:
            settings["betas"] = (group.get("mom", 0.0), group["sqr_mom"])
        else:
            settings["momentum"] = group.get("mom", 0.0)
        groups.append({name: value for name, value in settings.items() if value is not None})
    name = getattr(function, "__name__", type(optimizer).__name__)
    return foreign_optimizer(name, groups, lambda: [hyper["lr"] for hyper in optimizer.hypers])


def plain(value: Any) -> Any:
    """A tensor of one of fastai's classes as a plain one."""
    return value.as_subclass(Tensor) if isinstance(value, Tensor) else value
