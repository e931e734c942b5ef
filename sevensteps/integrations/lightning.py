"""Lightning: a callback that says at the end what was wrong with the training.

Trainer(callbacks=[sevensteps.integrations.lightning.Watch()])

Lightning runs forward and backward passes inside `optimizer.step(closure)`, and evaluates before it
trains.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import torch
from torch import Tensor, nn

from sevensteps.doctor.diagnosis import Diagnosis
from sevensteps.integrations import library_of
from sevensteps.integrations.watched_training import WatchedTraining, target_of, unscaled

Callback: Any = library_of("lightning").Callback


class Watch(Callback):  # type: ignore[misc]
    """Watches `Trainer.fit`: `Trainer(callbacks=[Watch()])`.

    `budget` is the share of the time that watching may cost; with `show`, the diagnosis is printed
    at the end. Then it is in `diagnosis`, and what was observed in `watch`.
    """

    def __init__(self, *, budget: float = 0.02, show: bool = True) -> None:
        self.watched = WatchedTraining(budget, show)
        self._losses: list[Tensor] = []
        self._unclaimed: list[Tensor] = []  # losses that no optimizer has followed yet
        self._parts: dict[str, Tensor] = {}  # the loss of each network, where there are several
        self._networks: dict[int, str] = {}  # by the id of their optimizer

    @property
    def watch(self) -> Any:
        return self.watched.watch

    @property
    def diagnosis(self) -> Diagnosis | None:
        return self.watched.diagnosis

    def on_train_start(self, trainer: Any, pl_module: nn.Module) -> None:
        with self.watched.unharmed():
            networks = networks_of(pl_module, trainer.optimizers)
            self._networks = {id(o): name for name, (_, o) in networks.items()}
            if len(networks) > 1:
                self.watched.begin(networks, None)
            else:
                self.watched.begin(root_of(pl_module), trainer.optimizers)

    def on_train_batch_start(self, trainer: Any, pl_module: nn.Module, *_: Any) -> None:
        self._forget()

    def on_before_backward(self, trainer: Any, pl_module: nn.Module, loss: Tensor) -> None:
        with self.watched.unharmed():
            scaler = getattr(trainer.precision_plugin, "scaler", None)
            plain = unscaled(loss, scaler)
            assert plain is not None
            # Lightning divides the loss of each of the batches whose gradients it adds up
            batches = trainer.accumulate_grad_batches if pl_module.automatic_optimization else 1
            self._losses.append(plain if batches == 1 else plain * batches)
            self._unclaimed.append(self._losses[-1])

    def on_before_optimizer_step(self, trainer: Any, pl_module: nn.Module, optimizer: Any) -> None:
        name = self._networks.get(id(optimizer))
        if name is not None and self._unclaimed:  # the losses since the optimizer before
            self._parts[name] = torch.stack([loss.detach() for loss in self._unclaimed]).sum()
            self._unclaimed.clear()

    def on_train_batch_end(
        self, trainer: Any, pl_module: nn.Module, outputs: Any, batch: Any, batch_idx: int
    ) -> None:
        if self._losses:
            loss = self._losses[0] if len(self._losses) == 1 else sum(self._losses)
            self.watched.step(loss, target_of(batch), dict(self._parts))
        self._forget()

    def on_validation_end(self, trainer: Any, pl_module: nn.Module) -> None:
        if not trainer.sanity_checking:
            metrics = trainer.callback_metrics
            self.watched.evaluated({name: m for name, m in metrics.items() if "val" in name})

    def on_train_end(self, trainer: Any, pl_module: nn.Module) -> None:
        self.watched.end()

    def on_exception(self, trainer: Any, pl_module: nn.Module, exception: BaseException) -> None:
        self.watched.end()

    def _forget(self) -> None:
        for of_a_batch in (self._losses, self._unclaimed, self._parts):
            of_a_batch.clear()


def networks_of(
    pl_module: nn.Module, optimizers: list[torch.optim.Optimizer]
) -> dict[str, tuple[nn.Module, torch.optim.Optimizer]]:
    """The parts of a module that are trained by an optimizer each, as the two of a GAN, by name;
    nothing where the optimizers share parts, or there is one only.
    """
    children = {name: ids_of(child.parameters()) for name, child in pl_module.named_children()}
    networks = {}
    for optimizer in optimizers:
        trained = ids_of(p for group in optimizer.param_groups for p in group["params"])
        name = next((name for name, ids in children.items() if ids and trained <= ids), None)
        if name is None or name in networks:
            return {}
        networks[name] = (pl_module.get_submodule(name), optimizer)
    return networks if len(networks) > 1 else {}


def root_of(pl_module: nn.Module) -> nn.Module:
    """The network in a module: the only part that has parameters, else the module itself."""
    parts = [child for child in pl_module.children() if any(True for _ in child.parameters())]
    own = any(True for _ in pl_module.parameters(recurse=False))
    return pl_module if own or len(parts) != 1 else parts[0]


def ids_of(parameters: Iterable[Tensor]) -> set[int]:
    """The ids of these parameters."""
    return {id(parameter) for parameter in parameters}
