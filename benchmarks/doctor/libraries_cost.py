"""What watching costs in other libraries: the same fit watched and unwatched, in turn.

.venv-integrations/bin/python -m benchmarks.doctor.libraries_cost [LIBRARY …]

A dense network 784-256-10 on 12,800 samples of noise, batches of 128, default budget, one thread.
A row says how much processor time a step takes unwatched, how much more watched, and what the
diagnosis at the end takes: the least of the rounds, which other work on the machine disturbs
least; the first only warms up.
"""

from __future__ import annotations

import logging
import os
import sys
import tempfile
import time
import warnings
from collections.abc import Callable
from typing import Any
from unittest.mock import patch

os.environ["KERAS_BACKEND"] = "torch"

import torch
from torch import Tensor, nn
from torch.utils.data import DataLoader, Dataset, TensorDataset

from sevensteps.integrations.watched_training import WatchedTraining

SAMPLES, BATCH, EPOCHS, ROUNDS = 12_800, 128, 3, 4
STEPS = SAMPLES // BATCH * EPOCHS


def samples() -> tuple[Tensor, Tensor]:
    """Inputs and classes, drawn."""
    generator = torch.Generator().manual_seed(0)
    x = torch.randn(SAMPLES, 784, generator=generator)
    return x, torch.randint(10, (SAMPLES,), generator=generator)


def network() -> nn.Sequential:
    """784-256-10."""
    torch.manual_seed(0)
    return nn.Sequential(nn.Linear(784, 256), nn.ReLU(), nn.Linear(256, 10))


def lightning(watched: bool) -> Callable[[], Any]:
    """Lightning's Trainer."""
    import lightning.pytorch as L

    from sevensteps.integrations.lightning import Watch

    logging.getLogger("lightning.pytorch").setLevel(logging.ERROR)

    class Classifier(L.LightningModule):
        def __init__(self) -> None:
            super().__init__()
            self.model = network()

        def training_step(self, batch: Any, batch_idx: int) -> Tensor:
            return nn.functional.cross_entropy(self.model(batch[0]), batch[1])

        def configure_optimizers(self) -> torch.optim.Optimizer:
            return torch.optim.SGD(self.parameters(), lr=0.01)

    trainer = L.Trainer(
        max_epochs=EPOCHS,
        accelerator="cpu",
        logger=False,
        enable_checkpointing=False,
        enable_progress_bar=False,
        enable_model_summary=False,
        callbacks=[Watch(show=False)] if watched else [],
    )
    return lambda: trainer.fit(Classifier(), DataLoader(TensorDataset(*samples()), BATCH))


def fastai(watched: bool) -> Callable[[], Any]:
    """fastai's Learner."""
    import fastai.callback.progress  # noqa: F401 (adds methods to Learner)
    from fastai.data.core import DataLoaders
    from fastai.learner import Learner
    from fastai.optimizer import SGD

    from sevensteps.integrations.fastai import Watch

    batches = DataLoader(TensorDataset(*samples()), BATCH)
    learn = Learner(
        DataLoaders(batches, DataLoader(TensorDataset(*(p[:BATCH] for p in samples())), BATCH)),
        network(),
        loss_func=nn.functional.cross_entropy,
        opt_func=SGD,
        lr=0.01,
        cbs=[Watch(show=False)] if watched else [],
    )

    def fit() -> None:
        with learn.no_bar(), learn.no_logging():
            learn.fit(EPOCHS)

    return fit


class Rows(Dataset[dict[str, Tensor]]):
    """Samples by name."""

    def __init__(self) -> None:
        self.x, self.y = samples()

    def __len__(self) -> int:
        return len(self.x)

    def __getitem__(self, row: int) -> dict[str, Tensor]:
        return {"pixels": self.x[row], "labels": self.y[row]}


class Classifier(nn.Module):
    """A model that computes its loss itself."""

    def __init__(self) -> None:
        super().__init__()
        self.layers = network()

    def forward(self, pixels: Tensor, labels: Tensor) -> dict[str, Tensor]:
        logits = self.layers(pixels)
        return {"loss": nn.functional.cross_entropy(logits, labels), "logits": logits}


def transformers(watched: bool) -> Callable[[], Any]:
    """Hugging Face's Trainer."""
    import transformers as library

    from sevensteps.integrations.transformers import Watch

    library.logging.set_verbosity_error()
    trainer = library.Trainer(
        Classifier(),
        library.TrainingArguments(
            tempfile.mkdtemp(),
            num_train_epochs=EPOCHS,
            per_device_train_batch_size=BATCH,
            report_to=[],
            use_cpu=True,
            disable_tqdm=True,
            save_strategy="no",
        ),
        train_dataset=Rows(),
        callbacks=[Watch(show=False)] if watched else [],
    )
    trainer.remove_callback(library.PrinterCallback)
    return trainer.train


def keras(watched: bool) -> Callable[[], Any]:
    """Keras on PyTorch."""
    import keras as library

    from sevensteps.integrations.keras import Watch

    layers = [library.layers.Dense(256, activation="relu"), library.layers.Dense(10)]
    model = library.Sequential([library.Input((784,)), *layers])
    loss = library.losses.SparseCategoricalCrossentropy(from_logits=True)
    model.compile(library.optimizers.SGD(0.01), loss)
    x, y = (part.numpy() for part in samples())
    callbacks = [Watch(show=False)] if watched else []
    return lambda: model.fit(x, y, batch_size=BATCH, epochs=EPOCHS, verbose=0, callbacks=callbacks)


def skorch(watched: bool) -> Callable[[], Any]:
    """skorch's NeuralNetClassifier."""
    import skorch as library

    from sevensteps.integrations.skorch import Watch

    net = library.NeuralNetClassifier(
        network(),
        criterion=nn.CrossEntropyLoss,
        max_epochs=EPOCHS,
        batch_size=BATCH,
        train_split=None,
        verbose=0,
        callbacks=[Watch(show=False)] if watched else None,
    )
    x, y = (part.numpy() for part in samples())
    return lambda: net.fit(x, y)


def seconds(fit: Callable[[], Any]) -> tuple[float, float]:
    """The processor time of a fit: of its steps, and of the diagnosis at the end."""
    diagnosing = 0.0
    end = WatchedTraining.end

    def timed(training: WatchedTraining) -> None:
        nonlocal diagnosing
        began = time.process_time()
        end(training)
        diagnosing += time.process_time() - began

    with patch.object(WatchedTraining, "end", timed):
        began = time.process_time()
        fit()
        return time.process_time() - began - diagnosing, diagnosing


def main() -> None:
    """Print the table, in Markdown."""
    warnings.simplefilter("ignore")
    torch.set_num_threads(1)
    print("| library | a step, unwatched | watched | diagnosis |\n|---|---|---|---|")
    libraries = (lightning, fastai, transformers, keras, skorch)
    for library in (one for one in libraries if one.__name__ in (sys.argv[1:] or [one.__name__])):
        plain, watched, diagnoses = [], [], []
        for _ in range(ROUNDS):
            plain.append(seconds(library(False))[0])
            fitting, diagnosing = seconds(library(True))
            watched.append(fitting)
            diagnoses.append(diagnosing)
        one, other = min(plain[1:]), min(watched[1:])
        step, more = 1e3 * one / STEPS, 100 * (other / one - 1)
        last = f"{min(diagnoses[1:]):.2f} s"
        print(f"| {library.__name__} | {step:.2f} ms | {more:+.1f} % | {last} |", flush=True)


if __name__ == "__main__":
    main()
