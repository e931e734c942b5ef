"""Records the account of a step: what became of each parameter's gradient.

Gradients are measured where PyTorch's AccumulateGrad nodes add them into `.grad`: what `.grad`
holds just before a parameter's own gradient is added is exactly what was left over, whatever other
heads, losses or networks have sent by then. The hooks are put on the parameters: a node lives on
from step to step where the loop still has the loss of the step before, and can only be rid of what
a hook says, not of being asked.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from functools import partial
from typing import Any, cast

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from sevensteps.observe.gradient_history import GradientHistory, Inputs
from sevensteps.observe.later import LazyDict
from sevensteps.observe.look import Look
from sevensteps.observe.modules import parameter_ids
from sevensteps.observe.network_facts import prefix_of
from sevensteps.observe.optimizer_marks import OptimizerMarks
from sevensteps.observe.optimizer_settings import grad_scale, optimizer_settings
from sevensteps.observe.step_account import (
    GroupAccount,
    ParameterAccount,
    StepAccount,
    Stranger,
    joint_norm,
)
from sevensteps.observe.step_recorder import StepRecorder
from sevensteps.observe.tensor_numbers import entries_of, norms_of, sample_entries, sample_size
from sevensteps.observe.unregistered import unregistered_parameters
from sevensteps.observe.used_gradients import Shared, Used, UsedGradients, changes_of_entries

MAX_USES = 8  # of gradients in one step that are kept as copies


class AccountRecorder(StepRecorder):
    """Records the `StepAccount` of a looked-at step of `networks`, whose `optimizers` are known.

    `networks` are modules by name; parameters of a network that has a name are called
    `name.parameter`. `marks.note()` belongs at the end of every step, looked at or not: it says
    whether an optimizer stepped just before a look begins.
    """

    def __init__(
        self,
        networks: Mapping[str, nn.Module],
        optimizers: Sequence[torch.optim.Optimizer] = (),
    ) -> None:
        super().__init__()
        self.networks, self.optimizers = networks, optimizers
        # copies of gradients that others have made at the event that is told of
        self.shared: Callable[[], Sequence[Shared]] = tuple
        self._named = {name: list(module.named_parameters()) for name, module in networks.items()}
        self._gradients: dict[int, GradientHistory] = {}  # by id of the parameter
        self._handles: list[Any] = []
        self._hooked: list[Tensor] = []
        self.marks = OptimizerMarks(optimizers)
        self._looks = 0
        self._sampling = True  # whether entries are compared in this look, which takes longer
        self._forget()

    def _forget(self) -> None:
        self._before: NDArray[Any] | None = None
        self._inputs: Inputs = []  # since the last backward pass
        self._pass_inputs: Inputs = []  # of the backward pass that runs
        self._measuring: dict[int, list[GradientHistory]] = {}  # by number of the backward pass
        self._steps: dict[int, int] = {}  # of each optimizer
        self._stepping: set[int] = set()  # ids of optimizers that are in their step
        self._closures: set[int] = set()  # of those that compute their gradients in it
        self._groups: dict[int, list[dict[str, Any]]] = {}  # settings when it stepped
        self._scales: dict[int, Tensor | float] = {}
        self._uses: list[UsedGradients] = []

    # -- before a step ----------------------------------------------------------------------------

    def arm(self) -> None:
        self._remove_hooks()
        self._forget()
        self._sampling = self._looks < 8 or self._looks % 4 == 0
        self._gradients = {id(g.parameter): g for g in self._read_parameters(self._gradients)}
        for gradient in self._gradients.values():
            gradient.forget_step()
            self.marks.catch_up(gradient)
        with torch.enable_grad():
            for gradient in self._gradients.values():
                p = gradient.parameter
                if p.requires_grad:
                    node: Any = p.view_as(p).grad_fn
                    node = node.next_functions[0][0]
                    hook = self.guarded(partial(self._arrives, gradient, node))
                    self._handles.append(p.register_hook(hook))
                    self._hooked.append(p)

    def _read_parameters(self, earlier: Mapping[int, GradientHistory]) -> list[GradientHistory]:
        """The histories of the parameters that there are now; those that go on are `earlier`
        ones.
        """
        groups: dict[int, int] = {}
        owners: dict[int, tuple[int, ...]] = {}
        number = 0
        for optimizer in self.optimizers:
            for group in optimizer.param_groups:
                for p in group["params"]:
                    groups[id(p)] = number
                    owners[id(p)] = (*owners.get(id(p), ()), id(optimizer))
                number += 1
        gradients = []
        for network, named in self._named.items():
            for name, p in named:
                key = id(p)
                if not (p.requires_grad or key in groups):
                    continue
                if not p.is_floating_point() or not _is_plain(p):
                    continue
                gradient = earlier.get(key)
                if gradient is None or gradient.parameter is not p:
                    gradient = GradientHistory(prefix_of(network) + name, network, p)
                gradient.group, gradient.optimizers = groups.get(key), owners.get(key, ())
                gradients.append(gradient)
        return gradients

    # -- what happens in a step --------------------------------------------------------------------

    def network_enters(
        self, network: str, module: nn.Module, args: tuple[Any, ...], kwargs: dict[str, Any]
    ) -> None:
        self._begin()
        tensors = [x for x in (*args, *kwargs.values()) if isinstance(x, Tensor)]
        if any(x.requires_grad for x in tensors):
            self._inputs.append(None)
        else:
            self._inputs += [entries_of(x).clone() for x in tensors[:1]]

    def _begin(self) -> None:
        """Copy some entries of every parameter, before anything can change them."""
        if self._sampling and self._before is None and self._gradients:
            self._before = sample_entries([g.parameter for g in self._gradients.values()])

    def _arrives(self, gradient: GradientHistory, node: Any, _: Tensor) -> None:
        """A parameter's gradient is about to be added to its `.grad`, by this node."""
        if not is_added(node):
            return
        self._begin()
        task = torch._C._current_graph_task_id()
        arrived = self._measuring.get(task)
        if arrived is None:
            arrived = self._measuring[task] = []
            self._pass_inputs, self._inputs = self._inputs, []
            engine: Any = torch.autograd.Variable._execution_engine
            measure = self.guarded(lambda: self._measure(task))
            # Twice, because what DDP does at the end of a backward pass is queued after ours.
            engine.queue_callback(self.guarded(lambda: engine.queue_callback(measure)))
        arrived.append(gradient)
        g = gradient.parameter.grad
        norm = 0.0 if g is None else norms_of([g])[0]
        stepping = bool(self._stepping.intersection(gradient.optimizers))
        gradient.add_pass(norm, self._pass_inputs, in_step=stepping, pass_id=task)

    def _measure(self, task: int) -> None:
        """A backward pass has ended: measure the gradients that it brought."""
        arrived = [g for g in self._measuring.get(task, ()) if g.parameter.grad is not None]
        norms = norms_of([cast("Tensor", gradient.parameter.grad) for gradient in arrived])
        for gradient, norm in zip(arrived, norms, strict=True):
            gradient.after = norm
        if not self.optimizers:
            self._note_use(UsedGradients([g.parameter for g in arrived], sampling=self._sampling))

    def optimizer_steps(
        self, optimizer: torch.optim.Optimizer | None, *, closure: bool = False
    ) -> None:
        self._begin()
        if optimizer is not None:
            key = id(optimizer)
            self._stepping.add(key)
            self._groups[key] = optimizer_settings(optimizer)
            if (scale := grad_scale()) is not None:
                self._scales[key] = scale
        if closure:
            self._closures.add(id(optimizer))
        else:
            self._use(optimizer)

    def optimizer_stepped(self, optimizer: torch.optim.Optimizer | None) -> None:
        key = id(optimizer)
        self._stepping.discard(key)
        self._steps[key] = self._steps.get(key, 0) + 1
        if key in self._closures:  # it has computed its gradients after it began
            self._use(optimizer)

    def _use(self, optimizer: torch.optim.Optimizer | None) -> None:
        """An optimizer uses the gradients that its parameters have now."""
        gradients = [
            gradient
            for gradient in self._gradients.values()
            if gradient.parameter.grad is not None
            and (optimizer is None or id(optimizer) in gradient.optimizers)
        ]
        # a fused step divides by the scale itself
        divisor = getattr(optimizer, "grad_scale", None)
        divisor = 1.0 if divisor is None else float(divisor)
        self._note_use(
            UsedGradients(
                [g.parameter for g in gradients],
                divisor,
                sampling=self._sampling,
                shared=self.shared(),
            )
        )
        passes = {
            number for gradient in gradients if gradient.pending for number in gradient.pass_ids
        }
        for gradient in gradients:
            gradient.use()
        for gradient in self._gradients.values():
            if gradient.pending and not passes.isdisjoint(gradient.pass_ids):
                gradient.others_stepped = True

    def _note_use(self, use: UsedGradients) -> None:
        self._uses.append(use)
        if len(self._uses) > MAX_USES:
            self._uses[0] = self._uses.pop(0).followed_by(self._uses[0])

    # -- the account -------------------------------------------------------------------------------

    def collect(self, look: Look, loss: Any, target: Any) -> None:
        leftovers = {
            network: joint_norm(
                gradient.leftover()
                for gradient in self._gradients.values()
                if gradient.network == network
            )
            for network in self.networks
        }
        account = self.account(loss)
        if not look.networks:
            look.account, look.leftover_gradient = account, joint_norm(leftovers.values())
        for network, own in look.networks.items():
            own.account, own.leftover_gradient = account.of(network), leftovers[network]

    def account(self, loss: Any = None) -> StepAccount:
        """The account of the step that has just ended with this loss."""
        self._looks += 1
        self.marks.end_look(self._steps, self._gradients.values())
        parameters = self._parameter_accounts()
        for gradient in self._gradients.values():
            gradient.forget_step()
        rootless = isinstance(loss, Tensor) and loss.is_leaf and loss.requires_grad
        strangers = self._strangers() if self._looks <= 2 or self._looks % 4 == 1 else None
        return StepAccount(parameters, self._group_accounts(), strangers, rootless)

    def _group_accounts(self) -> tuple[GroupAccount, ...]:
        groups: list[GroupAccount] = []
        for number, optimizer in enumerate(self.optimizers):
            key = id(optimizer)
            settings = self._groups.get(key) or optimizer_settings(optimizer)
            scale = self._scales.get(key)
            groups += (
                GroupAccount(
                    number,
                    type(optimizer).__name__,
                    **group,
                    steps=self._steps.get(key, 0),
                    scale=None if scale is None else float(scale),
                )
                for group in settings
            )
        return tuple(groups)

    def _parameter_accounts(self) -> Mapping[str, ParameterAccount]:
        """What became of each gradient, from what is known now; computed when somebody asks."""
        gradients = list(self._gradients.values())
        histories = [
            (
                gradient.passes,
                gradient.used_passes if gradient.stepped else gradient.pending,
                gradient.discarded,
                gradient.leftover(),
                gradient.after if gradient.passes else None,
                gradient.stepped,
            )
            for gradient in gradients
        ]
        uses = list(self._uses)
        before = self._before
        after = None
        if before is not None:
            after = sample_entries([gradient.parameter for gradient in gradients])
            if len(before) != len(after):  # a parameter has been given another size
                before = None
            elif not self.optimizers:
                _use_by_hand(gradients, before != after)
        names = [(g.name, g.parameter.numel(), g.parameter.dtype, g.group) for g in gradients]
        keys = [id(gradient.parameter) for gradient in gradients]

        def compute() -> dict[str, ParameterAccount]:
            used: dict[int, Used] = {}
            for use in uses:
                used |= use.measured()
            pushed = [used[key][1] if key in used else None for key in keys]
            changes = changes_of_entries(before, after, [n for _, n, _, _ in names], pushed)
            return {
                name: ParameterAccount(
                    count,
                    str(dtype).removeprefix("torch."),
                    group,
                    *history[:5],
                    used[key][0] if key in used else None,
                    history[5],
                    change[0],
                    change[1],
                    int(change[2]),
                    int(change[3]),
                )
                for (name, count, dtype, group), key, history, change in zip(
                    names, keys, histories, changes, strict=True
                )
            }

        return LazyDict(compute, sum(use.size for use in uses))

    def _strangers(self) -> tuple[Stranger, ...]:
        """The parameters that no module registers and no optimizer has, and that a gradient
        reaches.
        """
        known = {
            id(p) for o in self.optimizers for group in o.param_groups for p in group["params"]
        }
        known = known.union(*map(parameter_ids, self.networks.values()))
        strangers: list[Stranger] = []
        for network, module in self.networks.items():
            for place, tensor in unregistered_parameters(module).items():
                if id(tensor) in known or tensor.grad is None:
                    continue
                known.add(id(tensor))
                name = prefix_of(network) + place
                (length,) = norms_of([tensor.detach()])
                strangers.append(Stranger(name, tuple(tensor.shape), length))
        return tuple(strangers)

    def disarm(self) -> None:
        self._remove_hooks()
        self._forget()

    def _remove_hooks(self) -> None:
        for handle in self._handles:
            handle.remove()
        self._handles.clear()
        for parameter in self._hooked:
            if parameter._backward_hooks is not None and not parameter._backward_hooks:
                parameter._backward_hooks = None  # or its gradients would still be shown to nobody
        self._hooked.clear()


def is_added(node: Any) -> bool:
    """Whether the backward pass that runs adds what `node`, an AccumulateGrad, gets: not where
    `torch.autograd.grad` was asked for it.
    """
    try:
        added: bool = torch._C._will_engine_execute_node(node)
    except RuntimeError:
        return False
    return added


def _is_plain(parameter: nn.Parameter) -> bool:
    """Whether a parameter has numbers that lie here: not one that is to be initialized later, and
    not one of several machines.
    """
    if type(parameter) is not nn.Parameter and (
        isinstance(parameter, nn.parameter.UninitializedParameter)
        or type(parameter.data) is not Tensor
    ):
        return False
    return not parameter.is_meta


def _use_by_hand(gradients: Sequence[GradientHistory], changed: NDArray[Any]) -> None:
    """Note which gradients somebody has used who changes parameters without an optimizer: those
    of the parameters of which a sampled entry has `changed` in this step.
    """
    ends = np.cumsum([sample_size(g.parameter.numel()) for g in gradients])
    for gradient, entries in zip(gradients, np.split(changed, ends[:-1]), strict=True):
        if gradient.passes and bool(entries.any()):
            gradient.pending, gradient.spent = 0, True
