"""Accelerate: the loop of its documentation, with `ss.watch`."""

from __future__ import annotations

from collections.abc import Callable
from types import SimpleNamespace
from typing import Any

import accelerate
import torch

import sevensteps as ss
from benchmarks.doctor.libraries.tasks import TASKS


def train(task: str, epochs: int, seed: int, accumulated: int = 1, precision: str = "no") -> Any:
    """Train it, and return watch and diagnosis."""
    accelerate.utils.set_seed(seed)
    accelerate.state.AcceleratorState._reset_state(True)  # a process has one precision
    accelerator = accelerate.Accelerator(
        cpu=True, gradient_accumulation_steps=accumulated, mixed_precision=precision
    )
    chosen = TASKS[task]()
    model, (batches, valid) = chosen.network(), chosen.loaders()
    optimizer = torch.optim.AdamW((p for p in model.parameters() if p.requires_grad), lr=3e-3)
    schedule = torch.optim.lr_scheduler.OneCycleLR(
        optimizer, 1e-2, total_steps=epochs * len(batches)
    )
    model, optimizer, batches, valid, schedule = accelerator.prepare(
        model, optimizer, batches, valid, schedule
    )
    with ss.watch(model, optimizer) as watch:
        for _ in range(epochs):
            model.train()
            for x, y in batches:
                with accelerator.accumulate(model):
                    loss = chosen.loss(model(x), y)
                    accelerator.backward(loss)
                    if accelerator.sync_gradients:
                        accelerator.clip_grad_norm_(model.parameters(), 1.0)
                    optimizer.step()
                    schedule.step()
                    optimizer.zero_grad()
                watch.step(loss, target=y)
            model.eval()
            with torch.no_grad():
                losses = [chosen.loss(model(x), y) for x, y in valid]
            watch.valid(loss=torch.stack(losses).mean())
    return SimpleNamespace(watch=watch, diagnosis=watch.diagnose())


TRAININGS: dict[str, Callable[[int], Any]] = {
    "table": lambda seed: train("table", 30, seed),
    "regression, accumulated": lambda seed: train("regression", 40, seed, 2),
    "images, bf16": lambda seed: train("images", 5, seed, precision="bf16"),
    "labels, accumulated": lambda seed: train("labels", 20, seed, 4),
    "text": lambda seed: train("text", 8, seed),
    "fine-tuning": lambda seed: train("fine-tuning", 20, seed),
}
