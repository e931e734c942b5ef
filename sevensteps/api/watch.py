"""`watch()`: watch any training loop, and diagnose it."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

import torch
from torch import nn

from sevensteps.doctor.case import Case
from sevensteps.doctor.case_folder import save_case
from sevensteps.doctor.diagnosis import Diagnosis
from sevensteps.doctor.diagnosis import diagnose as diagnose_case
from sevensteps.doctor.identify_loss import LossFn
from sevensteps.doctor.samples import pair_of
from sevensteps.observe.any_loop_watcher import AnyLoopWatcher


class Watch(AnyLoopWatcher):
    """Watches a training loop that you wrote; `sevensteps.watch` makes one."""

    def diagnose(
        self, train: Any = None, valid: Any = None, loss_fn: LossFn | None = None
    ) -> Diagnosis:
        """What is wrong, the most likely cause first.

        The arguments are optional; with each of them, more is asked of the network as it is now.
        `train` and `valid` are pairs of inputs and targets as the network and the loss take them,
        or a `DataLoader` or `Dataset`, of which some thousand samples are used; `loss_fn(output,
        target)` returns the mean loss. Raises `ArgumentError` for anything else.
        """
        return diagnose_case(self._case(train, valid, loss_fn))

    def save(
        self,
        folder: Path | str,
        train: Any = None,
        valid: Any = None,
        loss_fn: LossFn | None = None,
    ) -> Path:
        """Write what was observed into a new folder, for `sevensteps diagnose FOLDER`, on this
        machine or another one.

        The arguments are those of `diagnose`: the network is questioned now and its answers are
        saved; the network is not. Returns the folder. Raises `RunError` where the folder is not
        empty, or cannot be written.
        """
        return save_case(self._case(train, valid, loss_fn), folder)

    def _case(self, train: Any, valid: Any, loss_fn: LossFn | None) -> Case:
        return Case(
            self.observation,
            self.network,
            train=pair_of("train", train),
            valid=pair_of("valid", valid),
            loss_fn=loss_fn,
        )


def watch(
    network: nn.Module | Mapping[str, Any],
    optimizer: torch.optim.Optimizer | Iterable[torch.optim.Optimizer] | None = None,
    *,
    budget: float = 0.02,
) -> Watch:
    """Watch a training loop that you wrote: each layer's outputs, the gradients that come back to
    it, and what a step changes.

    Several networks are given by name, each with its optimizer, several, or None: `{"G":
    (generator, g_optimizer), "D": (discriminator, d_optimizer)}`. `budget` is the share of the time
    that watching may cost; fewer steps are looked at where it is
    small. The training itself does not change, to the last bit.

        with ss.watch(model, optimizer) as watch:
            for x, y in batches:
                loss = loss_fn(model(x), y)
                optimizer.zero_grad(); loss.backward(); optimizer.step()
                watch.step(loss, target=y)
        print(watch.diagnose())
    """
    return Watch(network, optimizer, budget)
