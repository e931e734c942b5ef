"""A training that is altered from outside while it runs: its networks' calls and answers, its
losses, its optimizers' steps, its data and its end.

An operator gets an `Injection` when the training enters `ss.watch`. What it replaces is put back at
the end. Functions of PyTorch that it replaces are themselves again while they compute, so that
whoever listens hears the original's name.
"""

from __future__ import annotations

import contextlib
import functools
import math
import sys
import types
from collections.abc import Callable, Iterator, Mapping
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn

import sevensteps as ss

Operator = Callable[["Injection"], None]
Alter = Callable[[Tensor], Tensor]
# input, target and keywords of a loss -> what it is called with instead
AlterLoss = Callable[[Tensor, Tensor, dict[str, Any]], tuple[Tensor, Tensor, dict[str, Any]]]
LOSSES = (
    "cross_entropy",
    "nll_loss",
    "mse_loss",
    "l1_loss",
    "smooth_l1_loss",
    "huber_loss",
    "binary_cross_entropy",
    "binary_cross_entropy_with_logits",
)
NO_FORWARD = nn.Module.forward


class Unwatched(contextlib.AbstractContextManager["Unwatched"]):
    """Has the methods of a watch, and only counts the steps."""

    def __init__(self, networks: Any, optimizer: Any = None, **more: Any) -> None:
        self.observation = types.SimpleNamespace(losses=[], steps=0)

    def __exit__(self, *raised: object) -> None:
        return None

    def step(self, loss: Any, target: Any = None, **more: Any) -> None:
        """One more."""
        self.observation.steps += 1

    def valid(self, **more: Any) -> None:
        """Nothing."""

    def diagnose(self, **data: Any) -> None:
        """Nothing."""


class Injection:
    """`operator` alters a training that takes `steps` steps when nothing does.

    `touched` counts how often something has really been altered. `operator=None` trains unwatched
    and as it is.
    """

    def __init__(self, operator: Operator | None, steps: int = 0, seed: int = 0) -> None:
        self.operator, self.steps = operator, steps
        self.networks: list[nn.Module] = []
        self.optimizers: list[torch.optim.Optimizer] = []
        self.touched = 0
        self.generator = torch.Generator().manual_seed(seed)
        self.frame: types.FrameType | None = None  # of the loop
        self.alter_data: Callable[[Any], Any] | None = None  # pairs that the diagnosis is given
        self.altered_parts: tuple[str, ...] = ("train", "valid")  # of them
        self._told: dict[int, tuple[Any, Any]] = {}  # losses and targets, what they became
        self._network_patches = contextlib.ExitStack()  # to the end
        self._training_patches = contextlib.ExitStack()  # until the diagnosis
        self._losses: list[tuple[str, Any]] = []

    @contextlib.contextmanager
    def entered(self) -> Iterator[Injection]:
        """Alter the training that runs inside."""
        original = ss.watch

        def watch(networks: Any, optimizer: Any = None, **more: Any) -> Any:
            if self.operator is None:
                return Unwatched(networks)
            self.frame = sys._getframe(1)
            networks, optimizer = self._take(networks, optimizer)
            self.operator(self)
            return self._wrapped(original(networks, optimizer, **more))

        vars(ss)["watch"] = watch
        try:
            yield self
        finally:
            vars(ss)["watch"] = original
            self._training_patches.close()
            self._network_patches.close()
            self.frame = None

    def _take(self, networks: Any, optimizer: Any) -> tuple[Any, Any]:
        given: list[Any] = [networks]
        if isinstance(networks, Mapping):
            given = [
                part
                for value in networks.values()
                for part in (value if isinstance(value, tuple) else (value,))
            ]
        if not isinstance(optimizer, torch.optim.Optimizer | None):
            optimizer = list(optimizer)
        for part in [*given, optimizer]:
            for one in part if isinstance(part, list | tuple) else [part]:
                if isinstance(one, nn.Module):
                    self.networks.append(one)
                elif isinstance(one, torch.optim.Optimizer):
                    self.optimizers.append(one)
        return networks, optimizer

    def _wrapped(self, watch: Any) -> Any:
        step, diagnose = watch.step, watch.diagnose

        def altered_step(loss: Any, target: Any = None, **more: Any) -> None:
            step(self._now(loss), target=self._now(target), **more)
            self._told.clear()

        def altered_diagnose(**data: Any) -> Any:
            self._training_patches.close()
            if self.alter_data is not None:
                for name in self.altered_parts:
                    if isinstance(data.get(name), tuple):
                        data[name] = self.alter_data(data[name])
            if callable(data.get("loss_fn")):
                data["loss_fn"] = self._with_losses(data["loss_fn"])
            return diagnose(**data)

        watch.step, watch.diagnose = altered_step, altered_diagnose
        return watch

    def _now(self, value: Any) -> Any:
        before, after = self._told.get(id(value), (None, None))
        return after if before is value and value is not None else value

    # -- replacing ---------------------------------------------------------------------------------

    def replace(self, owner: Any, name: str, value: Any, *, lasting: bool = False) -> None:
        """Set an attribute until the diagnosis, or to the end of all."""
        stack = self._network_patches if lasting else self._training_patches
        stack.enter_context(replaced(owner, name, value))

    # -- parts of the networks ---------------------------------------------------------------------

    @property
    def layers(self) -> list[nn.Module]:
        """The modules that have weights of their own, in the order in which they are registered."""
        modules = {id(m): m for network in self.networks for m in network.modules()}.values()
        return [
            m for m in modules if any(p.ndim >= 2 for p in m._parameters.values() if p is not None)
        ]

    @property
    def middle(self) -> nn.Module | None:
        """The layer in the middle; None where there are fewer than two."""
        layers = self.layers
        return layers[len(layers) // 2 - (len(layers) == 2)] if len(layers) >= 2 else None

    @property
    def parameters(self) -> list[nn.Parameter]:
        """Those of all networks, in their order."""
        return list({id(p): p for n in self.networks for p in n.parameters()}.values())

    @property
    def roots(self) -> list[nn.Module]:
        """The modules that the loop calls: networks, or what a list of them has in it."""
        return [
            root
            for network in self.networks
            for root in (network.children() if type(network).forward is NO_FORWARD else (network,))
        ]

    def alter_answers(self, modules: list[nn.Module], alter: Alter, *, by: str = "answers") -> None:
        """Alter the tensor that each of these modules, and copies of them, answers with. `by` is
        the name of the mark that they get.
        """
        for kind in {type(module) for module in modules}:
            original = kind.forward

            @functools.wraps(original)
            def forward(
                module: nn.Module,
                *args: Any,
                original: Callable[..., Any] = original,
                **kwargs: Any,
            ) -> Any:
                answer = original(module, *args, **kwargs)
                if not vars(module).get(f"_altered_{by}") or not isinstance(answer, Tensor):
                    return answer
                self.touched += 1
                return alter(answer)

            self.replace(kind, "forward", forward, lasting=True)
        for module in modules:
            vars(module)[f"_altered_{by}"] = True

    def alter_inputs(
        self, alter: Alter, *, training_only: bool = False, evaluation_only: bool = False
    ) -> None:
        """Alter the first tensor that a network is called with, before anybody sees it."""
        roots = {id(root) for root in self.roots}
        original = nn.Module.__call__
        inside = 0

        def call(module: nn.Module, *args: Any, **kwargs: Any) -> Any:
            nonlocal inside
            training = torch.is_grad_enabled()
            other = (training_only and not training) or (evaluation_only and training)
            if id(module) not in roots or inside or other:
                return original(module, *args, **kwargs)
            if args and isinstance(args[0], Tensor) and args[0].ndim:
                args = (alter(args[0]), *args[1:])
                self.touched += 1
            inside += 1
            try:
                return original(module, *args, **kwargs)
            finally:
                inside -= 1

        self.replace(nn.Module, "__call__", call)

    # -- losses ------------------------------------------------------------------------------------

    def alter_loss_calls(self, names: tuple[str, ...], alter: AlterLoss) -> None:
        """Alter what the losses of these names are called with."""
        for name in names:
            original = getattr(F, name)

            def call(
                input: Tensor,
                target: Tensor,
                *args: Any,
                name: str = name,
                original: Any = original,
                **kwargs: Any,
            ) -> Any:
                with replaced(F, name, original):
                    if args or input.ndim == 0:
                        return original(input, target, *args, **kwargs)
                    before = target
                    input, target, kwargs = alter(input, target, kwargs)
                    if target is not before:
                        self._told[id(before)] = (before, target)
                    self.touched += 1
                    return original(input, target, **kwargs)

            self._losses.append((name, functools.wraps(original)(call)))
            self.replace(F, name, self._losses[-1][1])

    def _with_losses(self, loss_fn: Callable[..., Any]) -> Callable[..., Any]:
        @functools.wraps(loss_fn)
        def call(*args: Any, **kwargs: Any) -> Any:
            with contextlib.ExitStack() as stack:
                for name, function in self._losses:
                    stack.enter_context(replaced(F, name, function))
                return loss_fn(*args, **kwargs)

        return call if self._losses else loss_fn

    def alter_backward(self, alter: Alter) -> None:
        """Alter every loss that backward() is called on, and what the watch is told of it."""
        original = Tensor.backward

        @functools.wraps(original)
        def backward(loss: Tensor, *args: Any, **kwargs: Any) -> None:
            changed = alter(loss)
            self._told[id(loss)] = (loss, changed)
            self.touched += 1
            with replaced(Tensor, "backward", original):
                changed.backward(*args, **kwargs)

        self.replace(Tensor, "backward", backward)

    # -- steps -------------------------------------------------------------------------------------

    def around_steps(
        self,
        before: Callable[[torch.optim.Optimizer], None] | None = None,
        after: Callable[[torch.optim.Optimizer], None] | None = None,
    ) -> None:
        """Do something before or after each step of an optimizer that is given no closure."""
        for one in self.optimizers:
            original = one.step

            def step(
                optimizer: torch.optim.Optimizer,
                *args: Any,
                original: Callable[..., Any] = original,
                **kwargs: Any,
            ) -> Any:
                if args or kwargs:
                    return original(*args, **kwargs)
                self.touched += 1
                if before is not None:
                    before(optimizer)
                result = original()
                if after is not None:
                    after(optimizer)
                return result

            self.replace(one, "step", types.MethodType(step, one))

    def scale_rate(self, factor: float) -> None:
        """Multiply the learning rates of all optimizers, and those that schedules start from."""
        import gc

        from torch.optim.lr_scheduler import LRScheduler

        for optimizer in self.optimizers:
            self.touched += 1
            for group in optimizer.param_groups:
                for name in ("lr", "initial_lr", "max_lr", "min_lr"):
                    if name in group:
                        group[name] *= factor
        for schedule in gc.get_objects():
            if type(schedule).__module__ != LRScheduler.__module__:
                continue
            if any(getattr(schedule, "optimizer", None) is one for one in self.optimizers):
                schedule.base_lrs = [rate * factor for rate in schedule.base_lrs]
                if hasattr(schedule, "eta_min"):
                    schedule.eta_min *= factor

    # -- data and the end --------------------------------------------------------------------------

    def alter_batches(self, alter: Callable[..., Iterator[Tensor]]) -> None:
        """Replace `batches` in the loop's module: `alter(frame, count, size, epochs)` gives the
        indices instead.
        """
        assert self.frame is not None
        names, loop = self.frame.f_globals, self.frame
        if "batches" not in names:
            return

        def batches(count: int, size: int, epochs: int) -> Iterator[Tensor]:
            for batch in alter(loop, count, size, epochs):
                self.touched += 1
                yield batch

        self.replace(_Names(names), "batches", batches)

    def shorten(self, share: float) -> None:
        """End the loops of the function that entered the watch after a share of their rounds."""
        assert self.frame is not None
        loop, names = self.frame, self.frame.f_globals
        batches = names.get("batches")

        outer_loop = iter((True,))  # only the first loop is shortened, with what runs in it

        def fewer(*bounds: int) -> range:
            rounds = range(*bounds)
            if sys._getframe(1) is not loop or not next(outer_loop, False):
                return rounds
            self.touched += 1
            return rounds[: math.ceil(share * len(rounds))]

        def short_batches(count: int, size: int, epochs: int) -> Iterator[Tensor]:
            rounds = epochs * math.ceil(count / size)
            if next(outer_loop, False):
                self.touched += 1
                rounds = math.ceil(share * rounds)
            for _, batch in zip(range(rounds), batches(count, size, epochs), strict=False):
                yield batch

        self.replace(_Names(names), "range", fewer)
        if batches is not None:
            self.replace(_Names(names), "batches", short_batches)


class _Names:
    """The global names of a module, as attributes."""

    def __init__(self, names: dict[str, Any]) -> None:
        object.__setattr__(self, "__dict__", names)


@contextlib.contextmanager
def replaced(owner: Any, name: str, value: Any) -> Iterator[None]:
    """`owner.name` is `value` inside."""
    own = name in vars(owner)
    before = vars(owner).get(name)
    setattr(owner, name, value)
    try:
        yield
    finally:
        if own:
            setattr(owner, name, before)
        else:
            delattr(owner, name)
