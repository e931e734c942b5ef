"""Everything a training needs to go on: the recipe's values at work on the data, the generators,
and how far it has come.
"""

from __future__ import annotations

import copy
from contextlib import nullcontext
from dataclasses import dataclass, field
from types import TracebackType
from typing import Any

import torch
from jaxtyping import Float
from torch import Tensor, nn

from sevensteps.data.inputs import Inputs
from sevensteps.engine.distributed.data_parallel import DataParallel, Partition
from sevensteps.engine.distributed.fsdp import FSDP, ShardedAutograd, full_tensor
from sevensteps.engine.distributed.process_group import ProcessGroup
from sevensteps.engine.engine import Engine
from sevensteps.engine.modules import Dropout
from sevensteps.errors import ArgumentError, DataError, Error
from sevensteps.head import Output
from sevensteps.seeds import Isolation, generator
from sevensteps.steps.loss import Loss
from sevensteps.steps.repeat import Samples
from sevensteps.steps.step import Stepper
from sevensteps.steps.stop import Progress
from sevensteps.training.recipe import PRECISIONS, Recipe, resolve_device
from sevensteps.training.resolve import ResolvedRecipe

ALONE = ProcessGroup.alone()


@dataclass
class Checkpoint:
    """A network at the end of an epoch: its tensors by name, and its validation metrics."""

    epoch: int
    valid: dict[str, Any]
    weights: dict[str, Tensor] = field(repr=False)


@dataclass
class EpochPosition:
    """How far into an epoch a training is: the steps of it that were taken, on so many samples, and
    the sum of their losses. `order` is the state that the generator of the order had when the epoch
    began.
    """

    steps: int = 0
    samples: int = 0
    loss_sum: float = 0.0
    order: Tensor | None = field(default=None, repr=False)


@dataclass
class Training:
    """A training under way. The loop moves it on; observers read it.

    `samples` are the training samples with targets as the loss takes them, `parts` both parts with
    targets as stored. `total` is the largest number of steps there can be, where the stop rule says
    so. `best` is the checkpoint of the best validation metric so far; `train_metrics` those on the
    training part at the end, "last" and "best", where they were measured beforehand;
    `valid_outputs` the step of the last evaluation and the outputs [N, O] in it; `resumed` whether
    it goes on from a saved state; `compile_seconds` went into compiling its steps, where that was
    not done before on this machine; `group` the processes that share it, usually this one alone.
    """

    recipe: Recipe
    resolved: ResolvedRecipe
    network: nn.Module
    engine: Engine
    stepper: Stepper
    samples: Samples
    parts: dict[str, tuple[Inputs, Tensor]]
    generators: dict[str, torch.Generator]
    isolated_randomness: Any  # a NetworkIsolation for a network of the user's code, else nothing
    per_epoch: int
    total: int | None
    progress: Progress = field(default_factory=Progress)
    position: EpochPosition = field(default_factory=EpochPosition)
    best: Checkpoint | None = None
    train_metrics: dict[str, dict[str, Any]] | None = None
    valid_outputs: tuple[int, Tensor] | None = field(default=None, repr=False)
    resumed: bool = False
    compile_seconds: float = 0.0
    group: ProcessGroup = field(default_factory=ProcessGroup.alone)

    @property
    def output(self) -> Output:
        """The output layer, its link and how targets are coded."""
        return self.resolved.output

    @property
    def loss(self) -> Loss:
        """The loss."""
        loss: Loss = self.recipe.loss
        return loss

    def best_network(self) -> nn.Module:
        """A copy of the network with the best weights."""
        network = copy.deepcopy(self.network)
        if self.best is not None:
            network.load_state_dict(self.best.weights)
        return network

    def checkpoint(self, row: dict[str, Any]) -> Checkpoint:
        """The network as it is now, with the metrics of `row`."""
        weights = {name: tensor.detach().clone() for name, tensor in self.engine.weights().items()}
        return Checkpoint(self.progress.epoch, row["valid"], weights)

    def gather(self) -> None:
        """Bring together what each process of a group holds a part of, where that is so; the
        training is over.
        """
        if self.best is not None:
            self.best.weights = {
                name: full_tensor(tensor) for name, tensor in self.best.weights.items()
            }
        for name, state in self.stepper.memory.items():
            if isinstance(state, Tensor) and state.ndim:
                self.stepper.memory[name] = self.engine.gathered(state)
        self.network = self.engine.end()


def start(
    resolved: ResolvedRecipe, beside: Training | None = None, group: ProcessGroup = ALONE
) -> Training:
    """A training at its beginning: data and network in place, parameters flat, nothing initialised
    or trained yet.

    It shares the samples of a training `beside` it, where they are the same. The processes of a
    `group` share the training; raises `ArgumentError` where they cannot.
    """
    recipe, data, output = resolved.recipe, resolved.data, resolved.output
    device, dtype = group.device(resolve_device(recipe.device)), PRECISIONS[recipe.precision]
    order = recipe.repeat.order
    generators = {
        "initialize": generator(recipe.seed, "initialize"),
        "order": generator(recipe.seed if order is None else order, "order"),
    }
    generators["dropout"] = generator(recipe.seed, "dropout", device)
    network = resolved.network.to(device)
    for module in network.modules():
        if isinstance(module, Dropout):
            module.generator = generators["dropout"]

    def moved(x: Any) -> Any:
        return x.to(device, dtype) if x.is_floating_point() else x.to(device)

    def encode(x: Any, y: Any) -> tuple[Tensor, Tensor]:
        return moved(_as_inputs(x, data.train.x)), moved(
            output.encode(_as_targets(y, data.train.y))
        )

    if beside is not None and alike(resolved, beside.resolved):
        parts, samples = beside.parts, beside.samples
    else:
        parts = {
            name: (moved(part.x), moved(part.y))
            for name, part in (("train", data.train), ("valid", data.valid))
        }
        partition = Partition(group.rank, group.size) if group.size > 1 else None
        targets = moved(output.encode(parts["train"][1]))
        samples = Samples(parts["train"][0], targets, encode, partition)
    isolated_randomness: Any = nullcontext()
    if recipe.predict.foreign:
        isolated_randomness = NetworkIsolation(generators["dropout"])
        with isolated_randomness:
            check_output(network, parts["train"][0][:2], output)
    engine = recipe.gradient.prepare(network, recipe.loss)
    if recipe.precision == "bf16":
        engine.multiply_in(torch.bfloat16)
    if isinstance(engine, ShardedAutograd) and group.size == 1:
        raise ArgumentError(
            "autograd(shard=True) shares a network out to several processes, and this is one; "
            "start them with torchrun, or "
            "leave shard out"
        )
    if group.size > 1:
        distributed = FSDP if isinstance(engine, ShardedAutograd) else DataParallel
        engine = distributed(engine, group)
    per_epoch = -(-recipe.repeat.count(len(data.train)) // recipe.gradient.accumulate)
    return Training(
        recipe=recipe,
        resolved=resolved,
        network=network,
        engine=engine,
        stepper=recipe.step.prepare(engine.parameters, engine.gradients),
        samples=samples,
        parts=parts,
        generators=generators,
        isolated_randomness=isolated_randomness,
        per_epoch=per_epoch,
        total=recipe.stop.limit(per_epoch),
        group=group,
    )


def alike(one: ResolvedRecipe, other: ResolvedRecipe) -> bool:
    """Whether two trainings take the same samples, in the same numbers and with targets coded
    alike.
    """

    def facts(resolved: ResolvedRecipe) -> tuple[object, ...]:
        return (
            id(resolved.data),
            resolved.recipe.device,
            resolved.recipe.precision,
            resolved.output.size,
            resolved.output.coding,
        )

    return facts(one) == facts(other)


class NetworkIsolation(Isolation):
    """Around a network of the user's own code: its random numbers are isolated, and its failures
    are raised as an `ArgumentError` of one line.
    """

    def __exit__(
        self,
        kind: type[BaseException] | None,
        raised: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        super().__exit__(kind, raised, trace)
        if isinstance(raised, Exception) and not isinstance(raised, Error):
            raise ArgumentError(f"the network fails: {type(raised).__name__}: {raised}") from raised


def _as_inputs(x: Any, like: Inputs) -> Tensor:
    inputs: Tensor = torch.as_tensor(x)
    if inputs.shape[1:] != like.shape[1:]:
        raise DataError(
            f"the loader gives inputs {list(inputs.shape)}, but the data have "
            f"{['B', *like.shape[1:]]}; "
            "give both the same shape"
        )
    return inputs.to(like.dtype)


def _as_targets(y: Any, like: Tensor) -> Tensor:
    targets: Tensor = torch.as_tensor(y)
    if like.ndim == 2 and targets.ndim == 1 and like.shape[1] == 1:
        targets = targets[:, None]
    if targets.shape[1:] != like.shape[1:]:
        raise DataError(
            f"the loader gives targets {list(targets.shape)}, but the data have "
            f"{['B', *like.shape[1:]]}; "
            "give both the same shape"
        )
    return targets.to(like.dtype)


def check_output(network: nn.Module, x: Float[Tensor, "B ..."], output: Output) -> None:
    """Run a few inputs through `network`; refuse outputs other than `[B, output.size]`, with what
    was seen and wanted.
    """
    training = network.training
    network.eval()
    try:
        with torch.no_grad():
            outputs = network(x)
    finally:
        network.train(training)
    if not isinstance(outputs, Tensor) or list(outputs.shape) != [len(x), output.size]:
        got = list(outputs.shape) if isinstance(outputs, Tensor) else f"a {type(outputs).__name__}"
        raise ArgumentError(
            f"the network gives {got} for {len(x)} inputs, but {output.reason}; "
            f"its last layer must give [{len(x)}, {output.size}]"
        )
