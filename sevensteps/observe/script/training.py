"""One training of a script: the networks and optimizers that belong to it, and when its steps
end.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor, nn

from sevensteps.observe.copies import copy_network
from sevensteps.observe.script.loaders import TrainingLoaders
from sevensteps.observe.script.losses import BackwardLoss, TargetReader, add_waiting, sum_of
from sevensteps.observe.script.roots import optimizer_tensors, parameter_ids

if TYPE_CHECKING:  # imported with the first training: a script without one does not pay for it
    from sevensteps.observe.any_loop_watcher import AnyLoopWatcher

MAX_ALONE = 20  # steps of one optimizer in a round, while others of the training wait
# networks by name, each with its optimizers -> what watches them
MakeWatcher = Callable[[Any, Any], "AnyLoopWatcher"]


class ScriptTraining:
    """A training of a script, watched: its steps are reported as they end.

    A step of several optimizers ends when each has stepped. Without an optimizer, a step is a
    backward pass, and ends when the next begins or the network is called again.
    """

    def __init__(
        self,
        make_watcher: MakeWatcher,
        place: str,
        looked: Callable[[ScriptTraining], None] = lambda training: None,
    ) -> None:
        self.make_watcher = make_watcher
        self.looked = looked  # is told of each step that was looked at
        self.loaders = TrainingLoaders()
        # by name, as they were before the script changed them; None where that is not known
        self.final: dict[str, nn.Module | None] | None = None
        self._sampled: list[Tensor] = []  # parameters, of which it is seen that they are rewritten
        self._versions: list[int] = []  # of those, after the last step
        # where the networks have their parts: (modules or parameters of a module, name, part)
        self._places: list[tuple[dict[str, Any], str, Any]] = []
        self.rebuilt = False  # whether its network has others now, that no optimizer updates
        self._stopped = False
        # whether the network was in training mode in the last call of a step
        self.in_training_mode = False
        self.called = False  # whether a network of it was called itself, with gradients
        self.place = place  # where its network was called first
        self.backward_at = ""  # where its backward pass is called, as in `train.py:41`
        self.watcher: AnyLoopWatcher | None = None
        self.networks: dict[str, nn.Module] = {}
        self.optimizers: dict[int, torch.optim.Optimizer] = {}
        self.parameters: set[int] = set()
        self.steps = 0
        self._losses: list[BackwardLoss] = []  # since the last step of an optimizer
        # of the step that goes on: its losses by optimizer, how often each stepped
        self._step_losses: dict[int, Tensor] = {}
        self._target: Tensor | None = None
        self._targets = TargetReader()
        self._counts: dict[int, int] = {}
        self._stepping: set[int] = set()  # optimizers that have ever stepped
        self._in_training_mode = 0  # calls of evaluations

    @property
    def manual(self) -> bool:
        """Whether no optimizer of PyTorch updates it."""
        return not self.optimizers

    @property
    def optimizer_names(self) -> tuple[str, ...]:
        """The kinds of its optimizers, each once."""
        return tuple(dict.fromkeys(type(o).__name__ for o in self.optimizers.values()))

    # -- networks ----------------------------------------------------------------------------------

    def add(
        self, name: str, module: nn.Module, optimizers: list[torch.optim.Optimizer], alone: bool
    ) -> None:
        """Watch one more network; the first may be `alone`, and has no name then."""
        self.networks[name] = module
        self.in_training_mode = module.training
        self.optimizers |= {id(optimizer): optimizer for optimizer in optimizers}
        self.parameters |= parameter_ids(module.parameters())
        trained = [p for p in module.parameters() if p.requires_grad and p.ndim > 1]
        self._sampled += [*trained[:1], *trained[-1:]]
        self._places += _places(module)
        if self.watcher is None:
            networks = module if alone else {name: (module, optimizers)}
            self.watcher = self.make_watcher(networks, optimizers if alone else None)
            self.watcher.start()
        else:
            self.watcher.add_network(name, module, optimizers)

    def adopt(self, optimizer: torch.optim.Optimizer) -> None:
        """An optimizer that updates parameters of networks that are watched already, in the place
        of the one that did so before.
        """
        tensors = parameter_ids(optimizer_tensors(optimizer))
        for key, other in list(self.optimizers.items()):
            if tensors & parameter_ids(optimizer_tensors(other)):
                del self.optimizers[key]
        self.optimizers[id(optimizer)] = optimizer
        self.parameters |= tensors
        for name, module in self.networks.items():
            own = parameter_ids(module.parameters())
            if tensors & own and self.watcher is not None:
                optimizers = self.optimizers.values()
                self.watcher.replace_optimizers(
                    name if name in self.watcher.networks else "",
                    [o for o in optimizers if parameter_ids(optimizer_tensors(o)) & own],
                )

    # -- what becomes of them ----------------------------------------------------------------------

    @property
    def rewritten(self) -> bool:
        """Whether the script has set its parameters anew since the last step."""
        return bool(self._versions) and self._versions != [p._version for p in self._sampled]

    def notice_rebuilding(self) -> None:
        """A step has ended: has the script put other parameters into the network, while the
        optimizers still have those that it had?
        """
        if self.rebuilt or all(place.get(name) is part for place, name, part in self._places):
            return
        modules = self.networks.values()
        self._places = [place for module in modules for place in _places(module)]
        present = {key for module in modules for key in parameter_ids(module.parameters())}
        held = {key for o in self.optimizers.values() for key in map(id, optimizer_tensors(o))}
        left, new = (held & self.parameters) - present, present - self.parameters - held
        self.rebuilt = bool(left and new) and len(self.networks) == 1

    def note_mode(self, calls: int) -> None:
        """An evaluation is over, of which so many `calls` ran in training mode: also one after the
        last step, or where no step was listened to.
        """
        self._in_training_mode += calls
        if self.watcher is not None and len(self.networks) == 1 and self._in_training_mode:
            notes = self.watcher.observation.notes
            counted = notes.get("evaluations_training", 0)
            notes["evaluations_training"] = max(counted, self._in_training_mode)

    def copy_networks(self) -> None:
        """Another training is about to change its parameters: keep what it has come to."""
        if self.final is None:
            self.final = {name: _copy(module) for name, module in self.final_networks().items()}

    def forget_networks(self) -> None:
        """Its parameters were overwritten."""
        self.final = dict.fromkeys(self.networks)

    def final_networks(self) -> dict[str, nn.Module | None]:
        """The networks as the training left them, by name; None where that is not known, as where
        the script has put other parts into one.
        """
        if self.final is not None:
            return self.final
        present = {id(p) for module in self.networks.values() for p in module.parameters()}
        whole = self.parameters <= present
        return {name: module if whole else None for name, module in self.networks.items()}

    # -- steps -------------------------------------------------------------------------------------

    def backward(self, loss: Tensor, inside: bool) -> None:
        """`backward` is called on `loss`, `inside` an optimizer's step or not."""
        if self.manual and self._losses:
            self.end_step()
        watcher = self.watcher
        if watcher is None or watcher.quiet:  # only its value is of interest
            add_waiting(self._losses, BackwardLoss(loss.detach(), inside))
            return
        # Of several passes in a step, a look shows the last; without one, the first is noted.
        if self._target is None or (watcher.looking and not inside):
            target = self._targets.target(loss, search=watcher.looking)
            if target is None:
                target = watcher.compared_target(loss)
            self._target = self._target if target is None else target
        kept = loss if watcher.looking else loss.detach()
        add_waiting(self._losses, BackwardLoss(kept, inside))

    def take_back(self, loss: Tensor) -> None:
        """The last `backward` was another training's."""
        if self._losses and self._losses[-1].loss.data_ptr() == loss.data_ptr():
            self._losses.pop()
            self._target = None

    def cleared(self, optimizer: torch.optim.Optimizer) -> None:
        """An optimizer clears its gradients: what came before it has gone nowhere."""
        if len(self.optimizers) == 1 and id(optimizer) in self.optimizers:
            self._losses.clear()
            self._target = None

    def stepped(self, optimizer: torch.optim.Optimizer) -> None:
        """An optimizer has stepped; the step ends when all have."""
        key = id(optimizer)
        self._versions = [p._version for p in self._sampled]
        if len(self.optimizers) == 1 and len(self._losses) == 1 and not self._step_losses:
            self._report(self._losses.pop().loss, None)  # as of most steps of most trainings
            return
        if self._losses:
            self._step_losses[key] = sum_of(self._losses)
            self._losses.clear()
        count = self._counts[key] = self._counts.get(key, 0) + 1
        waiting = [other for other in self.optimizers if other not in self._counts]
        patient = count < (MAX_ALONE if self._stepping & set(waiting) else 2)
        self._stepping.add(key)
        if not waiting or not patient:
            self._stepping -= set(waiting)
            self.end_step()
        elif not self._stepping & set(waiting) and self.steps:
            self.end_step()  # those that wait have never stepped

    def end_step(self) -> None:
        """Report the step that has come to its end, if one has begun."""
        if self.manual and self._losses:
            self._step_losses[0] = sum_of(self._losses)
            self._losses.clear()
        losses, self._step_losses = self._step_losses, {}
        self._counts.clear()
        if self.watcher is None or not losses:
            self._target = None
            return
        distinct = list({id(loss): loss for loss in losses.values()}.values())
        loss = sum_of([BackwardLoss(one) for one in distinct])
        self._report(loss, self._parts(losses) or None)

    def _report(self, loss: Tensor, parts: dict[str, Tensor] | None) -> None:
        target, self._target = self._target, None
        if self.watcher is not None and not self._stopped:
            self.steps += 1
            looking = self.watcher.looking
            self.watcher.step(loss, target, parts=parts)
            if looking:
                self.looked(self)

    def _parts(self, losses: dict[int, Tensor]) -> dict[str, Tensor]:
        """The loss of each network, where there are several."""
        if len(self.networks) < 2:
            return {}
        parts = {}
        for name, module in self.networks.items():
            own = parameter_ids(module.parameters())
            for key, loss in losses.items():
                optimizer = self.optimizers.get(key)
                tensors = optimizer_tensors(optimizer) if optimizer else []
                if any(id(p) in own for p in tensors):
                    parts[name] = loss.detach()
        return parts

    def end(self) -> None:
        """The script ends: report what is open, and watch no longer."""
        if self.manual or self._step_losses:
            self.end_step()
        self.stop()

    def stop(self) -> None:
        """Watch no longer."""
        self._stopped = True
        self._places.clear()
        if self.watcher is not None:
            self.watcher.stop()


def _places(network: nn.Module) -> list[tuple[dict[str, Any], str, Any]]:
    return [
        (parts, name, part)
        for module in network.modules()
        for parts in (module._modules, module._parameters)
        for name, part in parts.items()
    ]


def _copy(module: nn.Module | None) -> nn.Module | None:
    try:
        return None if module is None else copy_network(module)
    except Exception:  # as of one that keeps tensors with a graph
        return None


def unused_name(name: str, used: Any) -> str:
    """`name`, or with a number behind it where it is used already."""
    if name not in used:
        return name
    return next(f"{name}{n}" for n in itertools.count(2) if f"{name}{n}" not in used)
