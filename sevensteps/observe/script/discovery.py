"""What a script trains, found from what it does: optimizers, networks, backward passes, steps.

It is told what happens by `hooks.py`, and knows nothing of how.
"""

from __future__ import annotations

import weakref
from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor, nn

from sevensteps.observe.script.evaluated_trainings import EvaluatedTrainings
from sevensteps.observe.script.evaluation import EvaluationReader
from sevensteps.observe.script.left_out import note_left_out
from sevensteps.observe.script.loaders import LoaderReader
from sevensteps.observe.script.roots import (
    WRAPPERS,
    PlainTensors,
    holders,
    is_called_from_outside,
    leaves,
    name_of,
    optimizer_tensors,
    parameter_ids,
    place_of_call,
)
from sevensteps.observe.script.step_order import StepOrder
from sevensteps.observe.script.training import MakeWatcher, ScriptTraining, unused_name
from sevensteps.observe.structure import rows, sample_count

MAX_TRAININGS = 8  # that are watched; later ones are counted
MAX_CALLED = 16  # modules called without an optimizer that are remembered
JOINING_STEPS = 2  # of a training, in which other networks may still join it


class Discovery:
    """The trainings of a script, as they are found.

    `searching(on)` is told whether calls of all modules are of interest, `rooted(module)` which
    module's calls are from now on. `evaluations` reads what is computed without gradients,
    `loaders` what DataLoaders give.
    """

    def __init__(
        self,
        make_watcher: MakeWatcher,
        evaluations: EvaluationReader,
        loaders: LoaderReader,
        searching: Callable[[bool], None],
        rooted: Callable[[nn.Module], None],
    ) -> None:
        self.make_watcher = make_watcher
        self.loaders = loaders
        self.searching, self.rooted = searching, rooted
        self.trainings: list[ScriptTraining] = []
        self.evaluated = EvaluatedTrainings(evaluations, loaders, self.trainings)
        self.unwatched = 0  # trainings beyond those that are
        self.order = StepOrder()  # of the calls before the first step that is completed
        self.backwards = self.optimizers = self.forwards = 0
        self._roots: dict[int, ScriptTraining] = {}  # by id of the module
        self._members: dict[int, ScriptTraining] = {}  # roots and all modules in them
        self._inner: set[int] = set()  # roots that are a part of another training's, too
        self._entries: dict[int, ScriptTraining] = {}  # modules that are called in a root's place
        self._by_optimizer: dict[int, ScriptTraining] = {}
        self._unrooted: dict[int, weakref.ref[torch.optim.Optimizer]] = {}
        self._ignored: weakref.WeakSet[torch.optim.Optimizer] = weakref.WeakSet()
        # where each optimizer is made
        self.construction_lines: weakref.WeakKeyDictionary[torch.optim.Optimizer, str] = (
            weakref.WeakKeyDictionary()
        )
        self._called: list[weakref.ref[nn.Module]] = []
        self._current: ScriptTraining | None = None
        self._stepping: set[int] = set()  # optimizers whose step goes on
        self._stepped = False  # whether one has stepped since the last forward pass
        self._scaled: tuple[weakref.ref[Tensor], Tensor] | None = None
        # the loss of the last backward pass, and the training that it was taken for
        self._last_loss: tuple[Tensor, ScriptTraining | None] | None = None

    # -- what the script does ----------------------------------------------------------------------

    def optimizer_built(self, optimizer: torch.optim.Optimizer) -> None:
        """An optimizer is made; its parameters are not known yet."""
        self.optimizers += 1
        if len(self.trainings) >= MAX_TRAININGS:
            return
        self.construction_lines[optimizer] = place_of_call()
        self._unrooted[id(optimizer)] = weakref.ref(optimizer)
        self.searching(True)

    def module_called(self, module: nn.Module) -> Callable[..., Any] | None:
        """A module is called; what is to be called in its place, if anything."""
        if id(module) in self._inner and not is_called_from_outside():
            return None  # by the network that it is a part of
        training = self._roots.get(id(module)) or self._entry(module)
        root, gradients = id(module) in self._roots, torch.is_grad_enabled()
        # a network that was trained in training mode and is in evaluation mode now is evaluated
        trained_in_mode = training is not None and training.in_training_mode
        if not gradients or (root and trained_in_mode and not module.training):
            if training is None:
                return None
            return self.evaluated.call(training, module, root=root, gradients=gradients)
        if training is not None:
            if not self.order.completed and id(module) in self._roots:
                self.order.note("forward")
            training.in_training_mode = module.training
            training.called = training.called or id(module) in self._roots
            if self._unrooted:
                training = self._adopt(training, module)
            elif training.rebuilt:
                training = self._begin_again(training)
            self._enter(training)
        elif id(module) not in self._members:
            self._consider(module)
        return None

    def evaluation_mode(self, module: nn.Module) -> None:
        """`eval()` is called on a module."""
        if id(module) in self._roots:
            self.evaluated.reader.prepare()

    def backward(self, loss: Any) -> None:
        """`backward` is called on a tensor."""
        if not isinstance(loss, Tensor) or loss.numel() != 1 or not loss.requires_grad:
            return
        self.backwards += 1
        self.order.note("backward", loss)
        if self._scaled is not None:
            scaled, original = self._scaled
            loss, self._scaled = (original if scaled() is loss else loss), None
        self.evaluated.forget_with_gradients()
        self.evaluated.finish()
        if self._current is None:
            self._find_without_optimizer(loss)
        if self._current is not None:
            if not self._current.steps:  # up to the first step: no later one pays for it
                self._current.backward_at = place_of_call()
            self._current.backward(loss, bool(self._stepping))
        if self._unrooted:
            self._last_loss = loss.detach(), self._current

    def updates_by_hand(self) -> ScriptTraining | None:
        """The training that goes on, where no optimizer updates it."""
        training = self._current
        return training if training is not None and training.manual else None

    def scaled(self, scaled: Any, loss: Any) -> None:
        """A loss was multiplied, for the gradients' sake."""
        self.order.note("scale")
        if isinstance(loss, Tensor) and isinstance(scaled, Tensor) and scaled is not loss:
            self._scaled = (weakref.ref(scaled), loss)

    def gradients_cleared(self, optimizer: torch.optim.Optimizer) -> None:
        """An optimizer clears the gradients of its parameters."""
        self.order.note("clear", optimizer)
        training = self._by_optimizer.get(id(optimizer))
        if training is not None and not self._stepping:
            training.cleared(optimizer)

    def optimizer_steps(self, optimizer: torch.optim.Optimizer) -> None:
        """An optimizer is about to step."""
        self.order.note("step", optimizer)
        if id(optimizer) not in self._by_optimizer and optimizer not in self._ignored:
            self._root_by_memory(optimizer)
            if (training := self._by_optimizer.get(id(optimizer))) is not None:
                self._move_last_loss(training)
        self._stepping.add(id(optimizer))

    def optimizer_stepped(self, optimizer: torch.optim.Optimizer) -> None:
        """An optimizer has stepped."""
        self._stepped = True
        self._stepping.discard(id(optimizer))
        training = self._by_optimizer.get(id(optimizer))
        if training is not None:
            training.stepped(optimizer)
            if training.steps and not self.order.completed:
                self.order.close()
            if 0 < training.steps <= JOINING_STEPS:
                called = [m for ref in self._called if (m := ref()) is not None]
                note_left_out(training, called, self._members)
            if not self._unrooted:
                self.searching(False)
                if training.steps > JOINING_STEPS and not _in_a_group():
                    training.notice_rebuilding()

    def end(self) -> None:
        """The script has come to its end."""
        self.evaluated.finish()
        for training in self.trainings:
            training.end()

    @property
    def stepped_at(self) -> str:
        """Where an optimizer has stepped since the last forward pass; "" where none has."""
        return self.order.places.get("step", "") if self._stepped else ""

    def nothing(self) -> str:
        """What was looked for, where no training was found."""
        for training in self.trainings:
            name, module = next(iter(training.networks.items()))
            return (
                f"{name} ({type(module).__name__}) was called at {training.place}, and no step of "
                "its training was completed."
            )
        return (
            "There is no training to be seen: no optimizer stepped, and no backward pass reached a "
            f"network's parameters (optimizers made: {self.optimizers:,}, backward passes: "
            f"{self.backwards:,}). What other processes train is seen with: sevensteps watch -- "
            "python SCRIPT.py"
        )

    # -- networks ----------------------------------------------------------------------------------

    def _consider(self, module: nn.Module) -> None:
        """A module that nobody knows is called, with gradients: is it a network that is trained?"""
        if type(module).__name__ in WRAPPERS:
            return
        self.forwards += 1
        own = parameter_ids(module.parameters())
        if not own:
            return
        optimizers = [o for o in self._waiting() if own & parameter_ids(optimizer_tensors(o))]
        known = [
            t.optimizers[key]
            for t in self.trainings
            for key in t.optimizers
            # a new optimizer for parts of a network that has been trained is another training's
            if (not optimizers or t.steps <= JOINING_STEPS)
            and own & parameter_ids(optimizer_tensors(t.optimizers[key]))
        ]
        if optimizers or known:
            if len(self.trainings) < MAX_TRAININGS or known:
                self._root(module, [*optimizers, *known])
            return
        known_ids = {id(part) for ref in self._called if (m := ref()) for part in m.modules()}
        if id(module) not in known_ids and len(self._called) < MAX_CALLED:
            self._called.append(weakref.ref(module))

    def _entry(self, module: nn.Module) -> ScriptTraining | None:
        """The training that a module is called for in place of its network, which itself is not:
        `model.loss(x, y)`, `model.encode(x)`. None where there is no such training, or the module
        is called by another.
        """
        training = self._entries.get(id(module)) or self._members.get(id(module))
        if training is None or training.called or not is_called_from_outside():
            return None
        if id(module) not in self._entries:
            self._entries[id(module)] = training
            self.rooted(module)
        return training

    def _waiting(self) -> list[torch.optim.Optimizer]:
        """The optimizers whose networks are not known yet."""
        alive = [(key, ref()) for key, ref in self._unrooted.items()]
        for key, optimizer in alive:
            if optimizer is None:
                del self._unrooted[key]
        return [o for _, o in alive if o is not None and hasattr(o, "param_groups")]

    def _root(
        self, module: nn.Module, optimizers: list[torch.optim.Optimizer], alone: bool = False
    ) -> None:
        """`module` is a network that these optimizers train, or a part of it; `alone` where it is
        known to be all of it.
        """
        called = module
        others = [o for o in self._waiting() if all(o is not own for own in optimizers)]
        own = parameter_ids(module.parameters())
        whole = alone or all(parameter_ids(optimizer_tensors(o)) <= own for o in optimizers)
        if not whole and not isinstance(module, PlainTensors):
            module = self._container(module, optimizers) or module
            own = parameter_ids(module.parameters())
            whole = all(parameter_ids(optimizer_tensors(o)) <= own for o in optimizers)
        training = self._training_for(optimizers)
        if training is None:
            return
        name = name_of(module) or type(module).__name__
        name = unused_name(name.replace(".", "_"), training.networks)
        training.add(name, module, optimizers, alone=whole and not others)
        for optimizer in optimizers:
            self._by_optimizer[id(optimizer)] = training
            self._unrooted.pop(id(optimizer), None)
        parts = {id(part) for part in module.modules()}
        self._inner |= {
            part for part in parts - {id(module)} if self._roots.get(part, training) is not training
        }
        self._roots[id(module)] = training
        self._members |= dict.fromkeys(parts, training)
        self.rooted(module)
        if called is not module:
            self._entries[id(called)] = training
            self.rooted(called)
        self._enter(training)

    def _training_for(self, optimizers: list[torch.optim.Optimizer]) -> ScriptTraining | None:
        """The training that a network belongs to: that of its optimizers, one that has only begun,
        or a new one; None where there are too many.
        """
        for optimizer in optimizers:
            if (training := self._by_optimizer.get(id(optimizer))) is not None:
                return training
        last = self.trainings[-1] if self.trainings else None
        if last is not None and last.steps <= JOINING_STEPS and not last.manual:
            return last
        if len(self.trainings) >= MAX_TRAININGS:
            self.unwatched += 1
            for optimizer in optimizers:
                self._unrooted.pop(id(optimizer), None)
                self._ignored.add(optimizer)
            return None
        training = ScriptTraining(self.make_watcher, place_of_call(), self._looked)
        own = {key for o in optimizers for key in parameter_ids(optimizer_tensors(o))}
        for earlier in self.trainings:
            earlier.loaders.let_go()
            if own & earlier.parameters:
                earlier.copy_networks()
        self.trainings.append(training)
        self.loaders.decided = False
        return training

    def _container(
        self, module: nn.Module, optimizers: list[torch.optim.Optimizer]
    ) -> nn.Module | None:
        """The module that holds `module` and all that its optimizers train; None where there is
        none, as of an actor and a critic.
        """
        wanted = set().union(*(parameter_ids(optimizer_tensors(o)) for o in optimizers))
        for holder in holders(module.parameters()):
            if wanted <= parameter_ids(holder.parameters()) and holder is not module:
                return holder
        return None

    def _root_by_memory(self, optimizer: torch.optim.Optimizer) -> None:
        """An optimizer steps whose network was never called: search the memory for it."""
        tensors = optimizer_tensors(optimizer)
        own = parameter_ids(tensors)
        for training in self.trainings:
            if own & training.parameters:
                self._take(training, optimizer)
                return
        self._unrooted.setdefault(id(optimizer), weakref.ref(optimizer))
        modules = holders(tensors) if len(self.trainings) < MAX_TRAININGS else []
        if modules:
            for module in modules[:4]:
                self._root(module, [optimizer])
        else:
            self._root(plain_tensors(tensors), [optimizer])

    def _move_last_loss(self, training: ScriptTraining) -> None:
        """The first step of a training whose network was not known at its backward pass: its loss
        is no other training's.
        """
        if self._last_loss is None or training.steps:
            return
        loss, other = self._last_loss
        self._last_loss = None
        if other is not training:
            if other is not None:
                other.take_back(loss)
            training.backward(loss, inside=False)

    def _adopt(self, training: ScriptTraining, module: nn.Module) -> ScriptTraining:
        """Optimizers that were made later, for parameters that are watched already: the training
        goes on, or where they train more than before, another one begins.
        """
        own = parameter_ids(module.parameters())
        for optimizer in self._waiting():
            tensors = parameter_ids(optimizer_tensors(optimizer))
            ours = tensors & training.parameters and tensors <= training.parameters
            if ours and training.steps > JOINING_STEPS and training.rewritten:
                # another fold, or another seed, of the same module
                training.stop()
                training.forget_networks()
                self._root(module, [optimizer])
            elif ours:
                self._take(training, optimizer)
            elif tensors & own and training.steps > JOINING_STEPS:
                training.stop()
                self._root(module, [optimizer])
        return self._roots.get(id(module), training)

    def _begin_again(self, training: ScriptTraining) -> ScriptTraining:
        """The network of a training has other parameters now, as of layers that were replaced, and
        its optimizers do not: what they do for it is another training.
        """
        training.rebuilt = False
        if len(self.trainings) >= MAX_TRAININGS:
            return training
        training.stop()
        if training.watcher is not None:
            training.watcher.observation.notes["goes_on"] = True
        [network] = training.networks.values()
        optimizers = list(training.optimizers.values())
        for optimizer in optimizers:
            del self._by_optimizer[id(optimizer)]
        self._root(network, optimizers, alone=True)
        following = self._roots[id(network)]
        for part, other in self._entries.items():
            if other is training:
                self._entries[part] = following
        return following

    def _take(self, training: ScriptTraining, optimizer: torch.optim.Optimizer) -> None:
        training.adopt(optimizer)
        self._by_optimizer[id(optimizer)] = training
        self._unrooted.pop(id(optimizer), None)

    def _find_without_optimizer(self, loss: Tensor) -> None:
        """A backward pass, and no network is known: one that is updated by hand?"""
        if self._waiting():
            return
        tensors = leaves(loss)
        reached = parameter_ids(tensors)
        modules = [m for ref in self._called if (m := ref()) is not None]
        modules = [m for m in modules if reached & parameter_ids(m.parameters())]
        self._called.clear()
        if not modules and reached:
            modules = [plain_tensors(tensors)]
        if modules and (training := self._training_for([])) is not None:
            for module in modules:
                name = unused_name(name_of(module) or type(module).__name__, training.networks)
                training.add(name, module, [], alone=len(modules) == 1)
                self._roots[id(module)] = training
                self._members |= {id(part): training for part in module.modules()}
                self.rooted(module)
            self._current = training
            self.searching(False)

    # -- steps ---------------------------------------------------------------------

    def _enter(self, training: ScriptTraining) -> None:
        """A network of a training is called, with gradients."""
        self._stepped = False
        self.evaluated.finish()
        if training.manual:
            training.end_step()
        self._current = training
        if self.loaders.decided:
            self.loaders.forget()

    def _looked(self, training: ScriptTraining) -> None:
        """A step of a training was looked at: from which data set did its batch come?"""
        loaders, watcher = training.loaders, training.watcher
        if watcher is None or not loaders.undecided:
            return
        if watcher.network is None:  # of several it is not known whose input to compare
            loaders.tries += 1
        else:
            observation = watcher.observation
            inputs, targets = observation.inputs, observation.targets
            latest = slice(loaders.rows, None)
            same = sample_count(targets) == sample_count(inputs)
            loaders.rows = sample_count(inputs)
            first = rows(inputs, latest), rows(targets, latest) if same else None
            self.loaders.looked(loaders, *first)
            if loaders.train is not None:
                observation.notes["loader"] = loaders.train.describe()
        self.loaders.decided = not any(t.loaders.undecided for t in self.trainings[-1:])
        self.loaders.forget()


def _in_a_group() -> bool:
    """Whether several processes train together: there, other tensors take the place of parameters
    while a step goes on.
    """
    return torch.distributed.is_available() and torch.distributed.is_initialized()


def plain_tensors(tensors: list[Tensor]) -> PlainTensors:
    """Tensors that are trained without a module, by the names that the script has for them."""
    names: dict[str, Tensor] = {}
    for index, tensor in enumerate(tensors):
        names[unused_name(name_of(tensor) or f"tensor{index}", names)] = tensor
    return PlainTensors(names)
