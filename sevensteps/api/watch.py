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
from sevensteps.doctor.samples import Names, pair_of
from sevensteps.observe.any_loop_watcher import AnyLoopWatcher
from sevensteps.view import faces as faces  # enters how a diagnosis becomes a page


class Watch(AnyLoopWatcher):
    """Watches a training loop that you wrote; `sevensteps.watch` makes one."""

    def diagnose(
        self,
        train: Any = None,
        valid: Any = None,
        loss_fn: LossFn | None = None,
        *,
        inputs: Names | None = None,
    ) -> Diagnosis:
        """What is wrong, the most likely cause first.

        The arguments are optional; with each of them, more is asked of the network as it is now.
        `train` and `valid` are pairs of inputs and targets as the network and the loss take them,
        or a `DataLoader` or `Dataset`, of which some thousand samples are used; inputs and targets
        may be tuples and dictionaries of tensors. Of batches that are no pairs, `inputs` says which
        parts the network is given, by name or place. `loss_fn(output, target)` returns the mean
        loss. What the network or the loss does not take is in `not_judged`. Raises `ArgumentError`
        for anything else.
        """
        return diagnose_case(case_of(self, train, valid, loss_fn, inputs))

    def save(
        self,
        folder: Path | str,
        train: Any = None,
        valid: Any = None,
        loss_fn: LossFn | None = None,
        *,
        inputs: Names | None = None,
    ) -> Path:
        """Write what was observed into a new folder, for `sevensteps diagnose FOLDER`, on this
        machine or another one.

        The arguments are those of `diagnose`: the network is questioned now and its answers are
        saved; the network is not. Returns the folder. Raises `RunError` where the folder is not
        empty, or cannot be written.
        """
        return save_case(case_of(self, train, valid, loss_fn, inputs), folder)


def case_of(
    watcher: AnyLoopWatcher,
    train: Any = None,
    valid: Any = None,
    loss_fn: LossFn | None = None,
    inputs: Names | None = None,
) -> Case:
    """What `watcher` saw, with what else there is to judge it by, as `Watch.diagnose` takes it."""
    return Case(
        watcher.observation,
        watcher.network,
        train=pair_of("train", train, inputs),
        valid=pair_of("valid", valid, inputs),
        loss_fn=loss_fn,
        networks={name: watched.module for name, watched in watcher.networks.items()},
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
