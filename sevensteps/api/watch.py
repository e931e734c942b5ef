"""`ss.watch`: watching any training loop, with the doctor at hand."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import Any

import torch
from torch import nn

from sevensteps.doctor import diagnose
from sevensteps.doctor.case import Case
from sevensteps.doctor.case_folder import save
from sevensteps.doctor.diagnosis import Diagnosis
from sevensteps.doctor.identify_loss import LossFn
from sevensteps.doctor.samples import pair_of
from sevensteps.observe.watcher import Watcher


class Watch(Watcher):
    """Watches a training loop of yours; see `watch`."""

    def diagnose(
        self, train: Any = None, valid: Any = None, loss_fn: LossFn | None = None
    ) -> Diagnosis:
        """What is wrong, most likely cause first. Each argument is optional, and lets more be asked
        of the network as it is now.

        `train` and `valid` are pairs of inputs and targets as the network and the loss take them,
        or a `DataLoader` or `Dataset`, of which some thousand samples are taken; `loss_fn(output,
        target)` is the mean. Raises `ArgumentError` for anything else."""
        return diagnose(
            self.observed,
            self.network,
            train=pair_of("train", train),
            valid=pair_of("valid", valid),
            loss_fn=loss_fn,
        )

    def save(
        self,
        folder: Path | str,
        train: Any = None,
        valid: Any = None,
        loss_fn: LossFn | None = None,
    ) -> Path:
        """Write what was seen into a new folder, for `sevensteps diagnose FOLDER`, here or on
        another machine.

        What can be asked of the network is asked now, with the arguments of `diagnose`, and its
        answers are kept; the network is not. Raises `RunError` where the folder holds something
        already, or cannot be written."""
        case = Case(
            self.observed,
            self.network,
            train=pair_of("train", train),
            valid=pair_of("valid", valid),
            loss_fn=loss_fn,
        )
        return save(case, folder)


def watch(
    network: nn.Module,
    optimizer: torch.optim.Optimizer | Iterable[torch.optim.Optimizer] | None = None,
    *,
    budget: float = 0.02,
) -> Watch:
    """Look into a training loop of your own: which layer gives what, what comes back to it, what a
    step changes.

    `budget` is the share of time that it may cost; the looks are spaced so. Nothing in the training
    changes, to the last bit.

        with ss.watch(model, optimizer) as watch:
            for x, y in batches:
                loss = loss_fn(model(x), y)
                optimizer.zero_grad(); loss.backward(); optimizer.step()
                watch.step(loss, target=y)
        print(watch.diagnose())
    """
    return Watch(network, optimizer, budget)
