"""Lightning's and fastai's learning-rate finders, on the network, start, samples, batches and loss
of a recipe of ours.
"""

from __future__ import annotations

import logging
import os
import tempfile
import warnings
from collections.abc import Callable
from contextlib import chdir
from typing import Any

import fastai
import lightning
import torch
from fastai.basics import DataLoaders, Learner, OptimWrapper
from fastai.callback.schedule import steep, valley  # which also gives a Learner its lr_find
from lightning.pytorch.tuner import Tuner
from torch import Tensor, nn
from torch.utils.data import DataLoader, TensorDataset

from sevensteps.steps.repeat import batches
from sevensteps.training import state
from sevensteps.training.resolve import ResolvedRecipe


def versions() -> dict[str, str]:
    return {"lightning": lightning.__version__, "fastai": fastai.__version__}


def start(
    resolved: ResolvedRecipe,
) -> tuple[nn.Module, DataLoader[Any], Callable[[Tensor, Tensor], Tensor]]:
    """The initialised network, its batches from a DataLoader, and its mean loss."""
    training = state.start(resolved)
    training.recipe.initialize(
        training.network,
        training.generators["initialize"],
        *training.parts["train"],
        training.output,
    )
    x, y = training.samples.x, training.samples.y
    repeat = resolved.recipe.repeat
    size = repeat.size if isinstance(repeat, batches) else len(x)
    order = torch.Generator().manual_seed(resolved.recipe.seed)
    loader = DataLoader(
        TensorDataset(x, y), batch_size=size, shuffle=size < len(x), generator=order
    )
    return (
        training.network.train(),
        loader,
        lambda outputs, target: training.loss(outputs, target).mean(),
    )


def optimizer(resolved: ResolvedRecipe, parameters: Any, lr: float) -> torch.optim.Optimizer:
    """The optimizer of the recipe."""
    step = resolved.recipe.step
    kind = torch.optim.SGD if type(step).__name__ == "sgd" else torch.optim.Adam
    return kind(parameters, lr=lr, **step.options())


class Module(lightning.LightningModule):
    def __init__(
        self, resolved: ResolvedRecipe, network: nn.Module, loss: Callable[[Tensor, Tensor], Tensor]
    ) -> None:
        super().__init__()
        self.network, self.loss, self.resolved, self.lr = network, loss, resolved, 0.1

    def training_step(self, batch: tuple[Tensor, Tensor]) -> Tensor:
        x, y = batch
        return self.loss(self.network(x), y)

    def configure_optimizers(self) -> torch.optim.Optimizer:
        return optimizer(self.resolved, self.parameters(), self.lr)


def of_lightning(resolved: ResolvedRecipe) -> dict[str, float | None]:
    network, loader, loss = start(resolved)
    logging.getLogger("lightning.pytorch").setLevel(logging.ERROR)
    with tempfile.TemporaryDirectory() as folder, chdir(folder), warnings.catch_warnings():
        warnings.simplefilter("ignore")
        trainer = lightning.Trainer(
            accelerator="cpu",
            devices=1,
            max_epochs=1000,
            logger=False,
            enable_checkpointing=False,
            enable_progress_bar=False,
            enable_model_summary=False,
        )
        finder = Tuner(trainer).lr_find(Module(resolved, network, loss), train_dataloaders=loader)
        return {"Lightning lr_find": finder.suggestion() if finder else None}


def of_fastai(resolved: ResolvedRecipe) -> dict[str, float | None]:
    network, loader, loss = start(resolved)

    def opt(parameters: Any, lr: float) -> Any:
        parameters_of_all = [
            p for group in parameters for p in (group if isinstance(group, list) else [group])
        ]
        return OptimWrapper(opt=optimizer(resolved, parameters_of_all, lr))

    with tempfile.TemporaryDirectory() as folder, chdir(folder), warnings.catch_warnings():
        warnings.simplefilter("ignore")
        os.makedirs("models", exist_ok=True)
        learner = Learner(DataLoaders(loader, loader), network, loss_func=loss, opt_func=opt)
        with learner.no_bar(), learner.no_logging():
            suggestions = learner.lr_find(show_plot=False, suggest_funcs=(valley, steep))
        return {
            "fastai lr_find, valley": suggestions.valley,
            "fastai lr_find, steep": suggestions.steep,
        }


FINDERS: dict[str, Callable[[ResolvedRecipe], dict[str, float | None]]] = {
    "Lightning lr_find": of_lightning,
    "fastai lr_find": of_fastai,
}
