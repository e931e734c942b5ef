"""What is noted of a script's run in a trial: steps, losses, evaluations, some samples."""

from __future__ import annotations

import math
from collections import deque
from collections.abc import Callable
from types import SimpleNamespace
from typing import Any

import torch
from torch import Tensor, nn

from sevensteps.doctor.asking import ask, main_target, set_mode
from sevensteps.doctor.trials.script.base import AlteredTraining
from sevensteps.doctor.trials.script.measure import (
    COMPARED,
    PADDING,
    answer_quality,
    other_qualities,
)
from sevensteps.observe.samples import Inputs, Samples
from sevensteps.observe.structure import map_tensors

GRAPH_STEPS = 3  # first steps whose losses still have their graph
MAX_COMPARED = 32  # last comparisons whose r2 is noted
MAX_LOSSES = 256  # last losses that are noted


def unexpanded(target: Tensor) -> Tensor:
    """A target as it was before PyTorch repeated it, to compare it with outputs of another shape.

    >>> unexpanded(torch.arange(3).expand(4, 3))
    tensor([0, 1, 2])
    """
    for axis in reversed(range(target.ndim)):
        if target.stride(axis) == 0 and target.shape[axis] > 1:
            target = target.select(axis, 0)
    return target


class LastCall:
    """A hook before a network's forward pass that remembers its arguments; a copy does nothing."""

    def __init__(self, recorder: RunRecorder | None) -> None:
        self.recorder = recorder

    def __call__(self, module: nn.Module, args: tuple[Any, ...], kwargs: dict[str, Any]) -> None:
        if self.recorder is not None and self.recorder.looking and torch.is_grad_enabled():
            self.recorder.arguments = args, kwargs

    def __reduce__(self) -> Any:
        return LastCall, (None,)


class RunRecorder:
    """Stands in the place of a watcher of a script's training, and notes what trials compare.

    `network_known()`, `step_ended(loss)` and `evaluated()` are called at these moments. Samples are
    kept of the steps 0, 1, 2, 4, 8, …, where `keeps_samples`.
    """

    def __init__(
        self,
        networks: Any,
        optimizers: Any,
        network_known: Callable[[], None],
        step_ended: Callable[[Tensor], None],
        evaluated: Callable[[], None],
        keeps_samples: bool,
    ) -> None:
        named = networks if isinstance(networks, dict) else {"": (networks, optimizers)}
        self.networks: dict[str, Any] = {}
        self.training = AlteredTraining()
        self.steps = 0
        self.losses: deque[float] = deque(maxlen=MAX_LOSSES)
        self.evaluations: list[tuple[int, float | None, float | None]] = []
        self.samples = Samples()
        self.arguments: Any = None
        self.keeps_samples = keeps_samples
        self._network_known, self._step_ended, self._evaluated = (
            network_known,
            step_ended,
            evaluated,
        )
        self._first = named
        self.ignored = PADDING  # class that does not count among the answers
        self.compared: deque[float] = deque(maxlen=MAX_COMPARED)  # r2 of last comparisons

    # -- as of a watcher ---------------------------------------------------------------------------

    @property
    def looking(self) -> bool:
        """Whether a loss is wanted with its graph, and the target that it was measured against."""
        step = self.steps
        return step < GRAPH_STEPS or (self.keeps_samples and step & (step - 1) == 0)

    @property
    def quiet(self) -> bool:
        return not self.looking

    @property
    def network(self) -> nn.Module | None:
        """The network; None where there are several."""
        modules = list(self.networks.values())
        return modules[0] if len(modules) == 1 else None

    @property
    def observation(self) -> Any:
        """What is asked of a watcher's observation: some samples, and a place for notes."""
        return SimpleNamespace(inputs=self.samples.inputs, targets=self.samples.targets, notes={})

    def start(self) -> None:
        for name, (module, optimizers) in self._first.items():
            self.add_network(name, module, optimizers)

    def stop(self) -> None:
        self.keeps_samples = False

    def add_network(self, name: str, module: nn.Module, optimizers: Any) -> None:
        self.networks[name] = module
        module.register_forward_pre_hook(LastCall(self), with_kwargs=True)
        self.training.networks[name] = module
        self.replace_optimizers(name, optimizers)
        self._network_known()

    def replace_optimizers(self, name: str, optimizers: Any) -> None:
        self.training.optimizers |= {id(o): o for o in optimizers or ()}

    def compared_target(self, loss: Tensor) -> Tensor | None:
        return None

    def before_update(self) -> None:
        return None

    def step(self, loss: Any, target: Any = None, parts: Any = None) -> None:
        arguments, self.arguments = self.arguments, None
        if self.looking and arguments is not None and target is not None:
            with torch.no_grad():
                self.samples.add(arguments[0], arguments[1], map_tensors(unexpanded, target))
        if isinstance(loss, Tensor):
            self.losses.append(float(loss.detach()))
            self.steps += 1
            self._step_ended(loss)

    def valid(self, loss: float | None = None, score: float | None = None) -> None:
        self.evaluations.append((self.steps, loss, score))
        self._evaluated()

    # -- what a run came to ------------------------------------------------------------------------

    def result(self, samples: tuple[Any, Any] | None) -> dict[str, Any]:
        """The numbers of this run, as JSON can hold them; `samples` are (arguments, targets)."""
        last = list(self.losses)[-max(1, min(len(self.losses), self.steps // 10)) :]
        scores = [score for _, _, score in self.evaluations if score is not None]
        losses = [loss for _, loss, _ in self.evaluations if loss is not None]
        quality, others = self.quality(samples) if samples is not None else (None, {})
        if self.compared:
            others[COMPARED] = sum(self.compared) / len(self.compared)
        return {
            "steps": self.steps,
            "loss": sum(last) / len(last) if last else math.nan,
            "valid_score": scores[-1] if scores else None,
            "valid_loss": losses[-1] if losses else None,
            "kept": None if quality is None else list(quality),
            "others": others,
        }

    def quality(
        self, samples: tuple[Any, Any]
    ) -> tuple[tuple[str, float] | None, dict[str, float]]:
        """How well the network answers on `samples` now, in evaluation mode, by the usual measure
        and by others.
        """
        (args, kwargs), target = samples
        network = next(iter(self.training.networks.values()))
        modes = {module: module.training for module in network.modules()}
        try:
            with torch.no_grad():
                set_mode(network, False)
                output = _first(ask(network, Inputs(args, kwargs)))
                x = args[0] if len(args) == 1 and not kwargs else None
                others = other_qualities(
                    output, main_target(target), lambda x: _first(network(x)), x
                )
        finally:
            for module, mode in modes.items():
                module.training = mode
        return answer_quality(output, main_target(target), self.ignored), others


def _first(output: Any) -> Any:
    """The first of several outputs."""
    return output[0] if isinstance(output, tuple | list) and output else output
