"""Lightning's Trainer without logger, checkpoints, progress bar and summary, on a DataLoader."""

from __future__ import annotations

import logging
import tempfile
from collections.abc import Callable, Iterable
from typing import Any

import lightning
import torch
from torch import Tensor
from torch.nn.functional import cross_entropy

from benchmarks.speed.networks import EVALUATED_AT_ONCE, accuracy, data_loader, network
from benchmarks.speed.trial import Clock, Trial


class Classifier(lightning.LightningModule):
    def __init__(self, trial: Trial, clock: Clock) -> None:
        super().__init__()
        self.model, self.lr, self.clock = network(trial.case), trial.case.lr, clock
        self.losses: list[float] = []

    def training_step(self, batch: tuple[Tensor, Tensor]) -> Tensor:
        x, y = batch
        loss = cross_entropy(self.model(x), y)
        self.log("loss", loss, on_step=False, on_epoch=True, batch_size=len(x))
        return loss

    def on_train_epoch_end(self) -> None:
        self.losses.append(self.trainer.callback_metrics["loss"].item())
        self.clock.lap()

    def configure_optimizers(self) -> torch.optim.Optimizer:
        return torch.optim.SGD(self.parameters(), lr=self.lr)


def train(trial: Trial, batches_of: Callable[..., Iterable[Any]] = data_loader) -> dict[str, Any]:
    logging.getLogger("lightning.pytorch").setLevel(logging.ERROR)
    torch.manual_seed(trial.seed)
    batches = batches_of(torch.from_numpy(trial.x), torch.from_numpy(trial.y), trial.case.batch)
    clock = Clock()
    module = Classifier(trial, clock)
    trainer = lightning.Trainer(
        max_epochs=trial.epochs,
        accelerator="cpu",
        devices=1,
        logger=False,
        enable_checkpointing=False,
        enable_progress_bar=False,
        enable_model_summary=False,
    )
    trainer.fit(module, batches)
    return {
        "seconds_per_epoch": clock.laps,
        "losses": module.losses,
        "accuracy": accuracy(trial, module.model),
        "version": lightning.__version__,
    }


class Validated(Classifier):
    """As its documentation has a classifier: it judges the test part after each epoch."""

    def __init__(self, trial: Trial) -> None:
        super().__init__(trial, Clock())
        self.accuracies: list[float] = []

    def validation_step(self, batch: tuple[Tensor, Tensor]) -> None:
        x, y = batch
        right = (self.model(x).argmax(1) == y).float().mean()
        self.log("valid_accuracy", right, batch_size=len(x))

    def on_validation_epoch_end(self) -> None:
        if not self.trainer.sanity_checking:
            self.accuracies.append(self.trainer.callback_metrics["valid_accuracy"].item())


def whole_call(trial: Trial) -> Callable[[], dict[str, Any]]:
    """A Trainer with a validation loop, and its own logger, checkpoints and summary; no bar."""
    logging.getLogger("lightning.pytorch").setLevel(logging.ERROR)
    x, y, x_test, y_test = map(torch.from_numpy, (trial.x, trial.y, trial.x_test, trial.y_test))
    folder = tempfile.TemporaryDirectory(prefix="sevensteps-bench-lightning-")

    def call() -> dict[str, Any]:
        torch.manual_seed(trial.seed)
        module = Validated(trial)
        trainer = lightning.Trainer(
            max_epochs=trial.epochs,
            accelerator="cpu",
            devices=1,
            default_root_dir=folder.name,
            enable_progress_bar=False,
        )
        trainer.fit(
            module,
            data_loader(x, y, trial.case.batch),
            data_loader(x_test, y_test, EVALUATED_AT_ONCE, shuffle=False),
        )
        return {"accuracies": module.accuracies, "version": lightning.__version__}

    return call
