"""What watches from inside: a recorder for each thing that is seen, made for the networks."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from contextlib import suppress
from typing import Any

import torch
from torch import Tensor

from sevensteps.observe.account_recorder import AccountRecorder
from sevensteps.observe.calls import CallRecorder
from sevensteps.observe.compiled import CompiledCode
from sevensteps.observe.data_recorder import DataRecorder
from sevensteps.observe.evaluation_recorder import EvaluationListener, EvaluationRecorder
from sevensteps.observe.layer_recorder import LayerRecorder
from sevensteps.observe.look import Look
from sevensteps.observe.look_schedule import StepSize, step_size
from sevensteps.observe.loss_graph import read_loss_graph
from sevensteps.observe.modules import parameter_ids
from sevensteps.observe.network_facts import facts_of_networks, prefix_of
from sevensteps.observe.observation import Observation
from sevensteps.observe.replay_recorder import ReplayRecorder
from sevensteps.observe.step_hooks import StepHooks
from sevensteps.observe.step_log import plain_number
from sevensteps.observe.step_recorder import StepRecorder
from sevensteps.observe.structure import tensors_of
from sevensteps.observe.used_gradients import Shared
from sevensteps.observe.watched_networks import WatchedNetwork


class Recorders:
    """The recorders of `networks`, whose looks go into `observation`.

    `budget` is the share of the time that watching may cost. What goes wrong in a hook goes to
    `failed`. Before the first `examine()` nothing is recorded.
    """

    def __init__(
        self, observation: Observation, budget: float, failed: Callable[[Exception], None]
    ) -> None:
        self.observation, self.budget, self.failed = observation, budget, failed
        self.networks: dict[str, WatchedNetwork] = {}
        self.layers: dict[str, LayerRecorder] = {}
        self.compiled = CompiledCode()
        self.calls = CallRecorder(self.compiled)
        self.account = AccountRecorder({})
        self.data = DataRecorder(observation.sketch, {}, 0.0)
        self.replay = ReplayRecorder({}, 0.0)
        self.hooks = StepHooks({}, [], [])
        self.evaluations: EvaluationListener | None = None
        self._names: dict[int, str] = {}  # of the parameters, by id

    @property
    def optimizers(self) -> list[torch.optim.Optimizer]:
        """The optimizers of all networks."""
        every = {id(o): o for network in self.networks.values() for o in network.optimizers}
        return list(every.values())

    @property
    def called(self) -> dict[str, torch.nn.Module]:
        """What the loop calls, by name."""
        return {name: network.called for name, network in self.networks.items()}

    def examine(self, networks: Mapping[str, WatchedNetwork]) -> None:
        """Take the facts of the networks as they are now, and make the recorders for them."""
        self.networks = dict(networks)
        observation, optimizers, called = self.observation, self.optimizers, self.called
        modules = {name: network.module for name, network in networks.items()}
        before, functions = observation.facts, {n: r.functions for n, r in self.layers.items()}
        observation.facts = facts_of_networks(modules, optimizers).after(before)
        observation.networks = tuple(modules) or ("",)
        self._names = {
            id(p): prefix_of(network) + name
            for network, module in modules.items()
            for name, p in module.named_parameters()
        }
        self.calls.part_gradients.names = self.calls.tape.names = self._names
        alone = list(modules) == [""]
        facts = {
            name: observation.facts if alone else observation.facts.of(name) for name in modules
        }
        self.layers = {
            name: LayerRecorder(network.module, network.optimizers, facts[name].layers, name)
            for name, network in networks.items()
        }
        for name, layers in self.layers.items():
            for preceding, function in functions.get(name, {}).items():
                if not function or preceding in layers.layers:
                    layers.functions[preceding] = function
        evaluations = EvaluationRecorder(facts, observation.notes)
        self.account = AccountRecorder(modules, optimizers)
        self.account.shared = self._copied_gradients
        self.data = DataRecorder(observation.sketch, called, self.budget, self.compiled)
        self.replay.silence()
        earlier, self.replay = self.replay, ReplayRecorder(called, self.budget)
        self.replay.take_over(earlier)
        self.data.failed = self.replay.failed = self.failed
        recorders: list[StepRecorder] = [*self.layers.values(), evaluations, self.data]
        recorders += [self.replay, self.account, self.calls]
        self.hooks = StepHooks(called, optimizers, recorders, self.failed, self.compiled)
        self.evaluations = EvaluationListener(evaluations, called, self.compiled, self.failed)
        kinds = {type(p.data).__name__ for m in modules.values() for p in m.parameters()}
        if others := sorted(kinds - {"Tensor"}):
            # such as those of FSDP, of which each process has a part
            observation.note_unseen(
                f"gradients of parameters that are no plain tensors ({', '.join(others)})"
            )

    def _copied_gradients(self) -> list[Shared]:
        """The copies of gradients that are made already."""
        return [
            (layers.gradients, layers.parameter_names)
            for layers in self.layers.values()
            if layers.copied_now
        ]

    def arm(self, *, full: bool) -> None:
        """The step to come is looked at; in `full`, with what takes longer."""
        modules = [network.module for network in self.networks.values()]
        if set().union(*map(parameter_ids, modules)) != self._names.keys():
            self.examine(self.networks)  # some parameters are new
        self.compiled.look_around(self.called)
        self.calls.full = full
        for recorder in self.hooks.recorders:
            recorder.arm()
        self.hooks.register()
        if self.hooks.not_seen:
            self.observation.note_unseen(self.hooks.not_seen)

    def disarm(self) -> None:
        """Remove every hook, and let go of all tensors. May be called at any time."""
        self.hooks.remove()
        self.replay.silence()
        if self.evaluations is not None:
            self.evaluations.stop()
        self.compiled.look_away()
        for recorder in self.hooks.recorders:
            with suppress(Exception):
                recorder.disarm()

    @property
    def saw_a_network(self) -> bool:
        """Whether a network has run in the step that is looked at, or was changed by it."""
        return any(layers.ran for layers in self.layers.values())

    def take_cost(self) -> float:
        """The seconds spent in hooks since the last call."""
        cost = self.hooks.cost + sum(recorder.cost for recorder in self.hooks.recorders)
        self.hooks.cost = 0.0
        for recorder in self.hooks.recorders:
            recorder.cost = 0.0
        return cost

    def size(self) -> StepSize:
        """How much the step that is looked at computes."""
        shapes = {
            prefix_of(network) + name: own
            for network, layers in self.layers.items()
            if layers.ran
            for name, own in layers.output_shapes().items()
        }
        size = step_size(self.observation.facts, shapes)
        self.data.set_step_seconds(size.step_seconds())
        self.replay.set_step_seconds(size.step_seconds())
        return size

    def look(self, step: int, loss: Tensor | float, target: Any, *, full: bool) -> Look:
        """The step that is looked at has ended with this loss and target: what was seen in it, as
        the observation gets it.
        """
        observation, look = self.observation, Look(step, plain_number(loss), full=full)
        seen = {name: layers for name, layers in self.layers.items() if layers.ran}
        compared = self.calls.networks_of(target) if len(seen) > 1 else {}
        # the network whose answer the loss has from its own hands
        last = next(
            (name for name in compared.values() if name in seen),
            max(seen, key=lambda name: seen[name].shown_at),
        )
        shown = seen[last].shown
        if observation.graph is None:
            observation.graph = read_loss_graph(loss, shown and shown.node, self._names)
        for name, layers in seen.items():
            own = look if not name else Look(step, look.loss, full=full)
            own_target = target_of(target, name, name == last, compared)
            layers.measure(own, own_target)
            if name:
                look.networks[name] = own
                observation.facts.add_functions(name, layers.layers)
            if (one := layers.shown) is not None:
                self._keep_samples(one.args, one.kwargs, own_target, name)
                self.data.show(name, one.args, one.kwargs)
        if look.networks:
            look.merge_signals()
            look.show(last)
            groups = [group for o in self.optimizers for group in o.param_groups]
            look.lr = tuple(float(group.get("lr", 0.0)) for group in groups)
            look.stepped = any(own.stepped for own in look.networks.values())
        for recorder in (self.data, self.account, self.calls):
            recorder.collect(look, loss, target)
        self.replay.keep_tape(self.calls.last_tape)
        if self.calls.answers.bootstrapped:
            observation.notes["bootstrapped"] = True
        for unseen in (self.calls.not_seen, self.calls.part_gradients.not_seen):
            if unseen:
                observation.note_unseen(unseen)
        observation.add_look(look)
        return look

    def _keep_samples(
        self, args: tuple[Any, ...], kwargs: dict[str, Any], target: Any, network: str
    ) -> None:
        """Keep some of the samples; where they have a form that cannot be kept, the rest is seen
        all the same.
        """
        try:
            self.observation.add_batch(args, kwargs, target, network)
        except Exception as failure:
            words = " ".join(str(failure).split())[:120]
            self.observation.note_unseen(
                f"none of its samples could be kept: {type(failure).__name__}: {words}"
            )


def target_of(target: Any, network: str, last: bool, compared: Mapping[str, str]) -> Any:
    """The part of the targets that belongs to a network: that with its name; without names, those
    that were `compared` with its output (path -> network) where that is known of all of them; else
    all to the `last` network, whose output the loss compared.
    """
    if isinstance(target, Mapping) and network and network in target:
        return target[network]
    parts = tensors_of(target)
    if len(parts) > 1 and parts.keys() == compared.keys():
        own = {path: part for path, part in parts.items() if compared[path] == network}
        return next(iter(own.values())) if len(own) == 1 else own or None
    return target if last else None
