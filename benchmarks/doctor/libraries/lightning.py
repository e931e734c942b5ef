"""Lightning: modules as its documentation writes them, with its own callbacks and options."""

from __future__ import annotations

import logging
from collections.abc import Callable
from functools import partial
from typing import Any

import lightning.pytorch as L
import torch
from torch import Tensor, nn

from benchmarks.doctor.libraries.tasks import TASKS, Task
from sevensteps.integrations.lightning import Watch


class Module(L.LightningModule):
    """A network for a task."""

    def __init__(self, task: Task, lr: float = 3e-3, schedule: str = "") -> None:
        super().__init__()
        self.task, self.lr, self.schedule = task, lr, schedule
        self.net = task.network()

    def forward(self, x: Tensor) -> Tensor:
        return self.net(x)

    def training_step(self, batch: Any, batch_idx: int) -> Tensor:
        x, y = batch
        loss = self.task.loss(self(x), y)
        self.log("train_loss", loss, prog_bar=True)
        return loss

    def validation_step(self, batch: Any, batch_idx: int) -> None:
        x, y = batch
        output = self(x)
        self.log("val_loss", self.task.loss(output, y), prog_bar=True)
        if self.task.score is not None:
            self.log("val_acc", self.task.score(output, y), prog_bar=True)

    def configure_optimizers(self) -> Any:
        trained = [p for p in self.parameters() if p.requires_grad]
        optimizer = torch.optim.AdamW(trained, lr=self.lr)
        if self.schedule == "one cycle":
            steps = int(self.trainer.estimated_stepping_batches)
            cycle = torch.optim.lr_scheduler.OneCycleLR(optimizer, self.lr, total_steps=steps)
            return [optimizer], [{"scheduler": cycle, "interval": "step"}]
        if self.schedule == "plateau":
            plateau = torch.optim.lr_scheduler.ReduceLROnPlateau(optimizer, patience=3)
            return {
                "optimizer": optimizer,
                "lr_scheduler": {"scheduler": plateau, "monitor": "val_loss"},
            }
        return optimizer


class TwoOptimizers(Module):
    """One for the embedding, one for the rest, by hand."""

    def __init__(self, task: Task) -> None:
        super().__init__(task)
        self.automatic_optimization = False

    def training_step(self, batch: Any, batch_idx: int) -> None:
        x, y = batch
        loss = self.task.loss(self(x), y)
        optimizers = self.optimizers()
        for optimizer in optimizers:
            optimizer.zero_grad()
        self.manual_backward(loss)
        for optimizer in optimizers:
            self.clip_gradients(optimizer, 1.0, "norm")
            optimizer.step()

    def configure_optimizers(self) -> Any:
        rest = [*self.net.lstm.parameters(), *self.net.classify.parameters()]
        return [
            torch.optim.Adam(self.net.embedding.parameters(), lr=1e-2),
            torch.optim.AdamW(rest, lr=3e-3),
        ]


class Autoencoder(L.LightningModule):
    """Learns its inputs; parts that are called one by one, and a loss without targets."""

    def __init__(self, task: Task) -> None:
        super().__init__()
        self.encoder = nn.Sequential(nn.Flatten(), nn.Linear(64, 32), nn.ReLU(), nn.Linear(32, 12))
        self.decoder = nn.Sequential(nn.Linear(12, 32), nn.ReLU(), nn.Linear(32, 64), nn.Sigmoid())

    def training_step(self, batch: Any, batch_idx: int) -> Tensor:
        x, _ = batch
        loss = nn.functional.mse_loss(self.decoder(self.encoder(x)), x.flatten(1))
        self.log("train_loss", loss)
        return loss

    def configure_optimizers(self) -> torch.optim.Optimizer:
        return torch.optim.Adam(self.parameters(), lr=3e-3)


def train(
    task: str,
    module: Callable[[Task], Any],
    epochs: int,
    seed: int,
    callbacks: tuple[Any, ...] = (),
    **options: Any,
) -> Watch:
    """Train it, and return the callback."""
    logging.getLogger("lightning.pytorch").setLevel(logging.ERROR)
    L.seed_everything(seed, verbose=False)
    watch = Watch(show=False)
    chosen = TASKS[task]()
    trainer = L.Trainer(
        max_epochs=epochs,
        accelerator="cpu",
        logger=False,
        enable_checkpointing=False,
        enable_progress_bar=False,
        enable_model_summary=False,
        callbacks=[watch, *callbacks],
        **options,
    )
    trainer.fit(module(chosen), *chosen.loaders())
    return watch


def table(seed: int) -> Watch:
    stopping = L.callbacks.EarlyStopping("val_loss", patience=5)
    return train("table", Module, 30, seed, (stopping,))


TRAININGS: dict[str, Callable[[int], Watch]] = {
    "table, early stopping": table,
    "regression, plateau": lambda seed: train(
        "regression", partial(Module, schedule="plateau"), 40, seed
    ),
    "images, one cycle": lambda seed: train(
        "images", partial(Module, lr=1e-2, schedule="one cycle"), 4, seed
    ),
    "labels, accumulated": lambda seed: train(
        "labels", Module, 20, seed, accumulate_grad_batches=2
    ),
    "text, clipped": lambda seed: train("text", Module, 8, seed, gradient_clip_val=1.0),
    "fine-tuning, bf16": lambda seed: train(
        "fine-tuning", partial(Module, lr=1e-2), 20, seed, precision="bf16-mixed"
    ),
    "text, two optimizers": lambda seed: train("text", TwoOptimizers, 8, seed),
    "images, autoencoder": lambda seed: train("images", Autoencoder, 15, seed, limit_val_batches=0),
}
