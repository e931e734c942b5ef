"""Everything a training needs to go on: the recipe's values at work on the data, the generators, and how far it has come."""

from __future__ import annotations

import copy
from contextlib import nullcontext
from dataclasses import dataclass, field
from types import TracebackType
from typing import Any

import torch
from jaxtyping import Float, Shaped
from torch import Tensor, nn

from sevensteps.data.streamed import Streamed
from sevensteps.engine import kernels
from sevensteps.engine.chain_rule import missing
from sevensteps.engine.engine import Engine
from sevensteps.engine.modules import Dropout
from sevensteps.engine.windows import channels_last
from sevensteps.errors import ArgumentError, DataError, Error
from sevensteps.recipe import PRECISIONS, Recipe, Settled, resolve_device
from sevensteps.seeds import Isolation, generator
from sevensteps.steps.loss import Loss
from sevensteps.steps.repeat import Samples
from sevensteps.steps.step import Stepper
from sevensteps.steps.stop import Progress
from sevensteps.task import Output, accuracy_by_class, metrics

CHUNK = 2048  # samples evaluated at once: no slower than more, and half the memory of 4096


@dataclass
class Checkpoint:
    """A network as it was at the end of an epoch: its tensors by name, and its validation metrics."""

    epoch: int
    valid: dict[str, Any]
    weights: dict[str, Tensor] = field(repr=False)


@dataclass
class Place:
    """How far into an epoch a training is: `taken` steps of it, on `seen` samples whose losses sum to `weighed`.

    `order` is the state that the generator of the order had when the epoch began.
    """

    taken: int = 0
    seen: int = 0
    weighed: float = 0.0
    order: Tensor | None = field(default=None, repr=False)


@dataclass
class Training:
    """A training under way. The loop moves it on; observers read it.

    `samples` are the training samples with targets as the loss takes them, `parts` both parts with targets as stored.
    `total` is the largest number of steps there can be, where the stop rule says so. `best` is the checkpoint of the best
    validation metric so far; `resumed` whether it goes on from a state that was kept.
    """

    recipe: Recipe
    settled: Settled
    network: nn.Module
    engine: Engine
    stepper: Stepper
    samples: Samples
    parts: dict[str, tuple[Tensor | Streamed, Tensor]]
    generators: dict[str, torch.Generator]
    foreign: Any  # a Foreign around a network that is not ours, else a context that does nothing
    per_epoch: int
    total: int | None
    progress: Progress = field(default_factory=Progress)
    place: Place = field(default_factory=Place)
    best: Checkpoint | None = None
    resumed: bool = False

    @property
    def output(self) -> Output:
        """The output layer, its link and how targets are coded."""
        return self.settled.output

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
        weights = {name: tensor.detach().clone() for name, tensor in self.network.state_dict().items()}
        return Checkpoint(self.progress.epoch, row["valid"], weights)


def capture(training: Training) -> tuple[dict[str, Tensor], dict[str, Any]]:
    """All that `restore` needs to go on to the same bits: tensors, and what JSON can hold."""
    progress, place, best = training.progress, training.place, training.best
    tensors = {f"network.{name}": tensor for name, tensor in training.network.state_dict().items()}
    tensors |= {f"step.{name}": held for name, held in training.stepper.memory.items() if isinstance(held, Tensor)}
    tensors |= {f"generator.{name}": held.get_state() for name, held in training.generators.items()}
    if place.taken and place.order is not None:
        tensors["generator.order"] = place.order
    if isinstance(training.foreign, Isolation):
        tensors["generator.foreign"] = training.foreign.inside
    if best is not None:
        tensors |= {f"best.{name}": tensor for name, tensor in best.weights.items()}
    return tensors, {
        "progress": {name: getattr(progress, name) for name in ("epoch", "step", "samples", "seconds", "loss", "lr")},
        "history": progress.history, "place": {"taken": place.taken, "seen": place.seen, "weighed": place.weighed},
        "memory": {name: str(held.device) for name, held in training.stepper.memory.items() if isinstance(held, Tensor)},
        "best": best and {"epoch": best.epoch, "valid": best.valid}, "kernels": kernels.decisions()}


def restore(training: Training, tensors: dict[str, Tensor], held: dict[str, Any]) -> None:
    """Put a training at its beginning where `capture` found it. Raises `ValueError`, `KeyError`, `TypeError` or `RuntimeError`
    where the state is not of this training.
    """
    def part(name: str) -> dict[str, Tensor]:
        return {key.removeprefix(f"{name}."): tensor for key, tensor in tensors.items() if key.startswith(f"{name}.")}

    device = training.engine.parameters.device
    training.network.load_state_dict(part("network"))
    for name, tensor in part("step").items():
        if tensor.ndim and tensor.shape != training.engine.parameters.shape:
            raise ValueError(f"the memory {name} of the step has shape {list(tensor.shape)}")
        training.stepper.memory[name] = tensor.to(held["memory"][name], copy=True)
    states = part("generator")
    if isinstance(training.foreign, Isolation):
        training.foreign.inside = states["foreign"]
    for name, drawing in training.generators.items():
        drawing.set_state(states[name])
    training.progress = Progress(**{name: held["progress"][name] for name in ("epoch", "step", "samples", "seconds", "loss", "lr")},
                                 history=held["history"])
    training.place = Place(**{name: held["place"][name] for name in ("taken", "seen", "weighed")})
    if held["best"] is not None:
        training.best = Checkpoint(held["best"]["epoch"], held["best"]["valid"],
                                   {name: tensor.to(device) for name, tensor in part("best").items()})
    training.resumed = True


def start(settled: Settled) -> Training:
    """A training at its beginning: data and network in place, parameters flat, nothing initialised or trained yet."""
    recipe, data, output = settled.recipe, settled.data, settled.output
    device, dtype = resolve_device(recipe.device), PRECISIONS[recipe.precision]
    generators = {name: generator(recipe.seed, name) for name in ("initialize", "order")}
    generators["dropout"] = generator(recipe.seed, "dropout", device)
    network = settled.network.to(device)
    for module in network.modules():
        if isinstance(module, Dropout):
            module.generator = generators["dropout"]

    def place(x: Any) -> Any:
        return x.to(device, dtype) if x.is_floating_point() else x.to(device)

    def encode(x: Any, y: Any) -> tuple[Tensor, Tensor]:
        return place(_as_inputs(x, data.train.x)), place(output.encode(_as_targets(y, data.train.y)))

    parts = {name: (place(part.x), place(part.y)) for name, part in (("train", data.train), ("valid", data.valid))}
    foreign: Any = nullcontext()
    if recipe.predict.foreign:
        foreign = Foreign(generators["dropout"])
        with foreign:
            check_output(network, parts["train"][0][:2], output)
    engine = recipe.gradient.prepare(network, recipe.loss)
    if recipe.precision == "bf16":
        engine.multiply_in(torch.bfloat16)
    per_epoch = -(-recipe.repeat.count(len(data.train)) // recipe.gradient.accumulate)
    return Training(
        recipe=recipe, settled=settled, network=network, engine=engine,
        stepper=recipe.step.prepare(engine.parameters, engine.gradients),
        samples=Samples(parts["train"][0], place(output.encode(parts["train"][1])), encode), parts=parts,
        generators=generators, foreign=foreign, per_epoch=per_epoch, total=recipe.stop.limit(per_epoch))


class Foreign(Isolation):
    """Around a network that is not ours: its random numbers are isolated, and its failures said in one line."""

    def __exit__(self, kind: type[BaseException] | None, raised: BaseException | None, trace: TracebackType | None) -> None:
        super().__exit__(kind, raised, trace)
        if isinstance(raised, Exception) and not isinstance(raised, Error):
            raise ArgumentError(f"the network fails: {type(raised).__name__}: {raised}") from raised


def _as_inputs(x: Any, like: Tensor | Streamed) -> Tensor:
    inputs: Tensor = torch.as_tensor(x)
    if inputs.shape[1:] != like.shape[1:]:
        raise DataError(f"the loader gives inputs {list(inputs.shape)}, but the data have {['B', *like.shape[1:]]}; "
                        "give both the same shape")
    return inputs.to(like.dtype)


def _as_targets(y: Any, like: Tensor) -> Tensor:
    targets: Tensor = torch.as_tensor(y)
    if like.ndim == 2 and targets.ndim == 1 and like.shape[1] == 1:
        targets = targets[:, None]
    if targets.shape[1:] != like.shape[1:]:
        raise DataError(f"the loader gives targets {list(targets.shape)}, but the data have {['B', *like.shape[1:]]}; "
                        "give both the same shape")
    return targets.to(like.dtype)


def check_output(network: nn.Module, x: Float[Tensor, "B ..."], output: Output) -> None:
    """Run a few inputs through `network`; refuse outputs other than `[B, output.size]`, with what was seen and wanted."""
    training = network.training
    network.eval()
    try:
        with torch.no_grad():
            seen = network(x)
    finally:
        network.train(training)
    if not isinstance(seen, Tensor) or list(seen.shape) != [len(x), output.size]:
        got = list(seen.shape) if isinstance(seen, Tensor) else f"a {type(seen).__name__}"
        raise ArgumentError(f"the network gives {got} for {len(x)} inputs, but {output.reason}; "
                            f"its last layer must give [{len(x)}, {output.size}]")


def outputs_of(network: nn.Module, x: Float[Tensor, "N ..."] | Streamed) -> Float[Tensor, "N O"]:
    """What the network gives for all of `x`, in evaluation mode, in chunks; its mode is put back."""
    modes = {module: module.training for module in network.modules()}
    # Only of known layers it is known that they do not mind how their input is stored.
    store = channels_last if any(isinstance(m, nn.Conv2d) for m in modes) and missing(network) is None else nn.Identity()
    network.eval()
    try:
        with torch.inference_mode():
            outputs, start = torch.empty(0), 0
            for piece in x.pieces(min(CHUNK, x.some)) if isinstance(x, Streamed) else x.split(CHUNK):
                found: Tensor = network(store(piece))
                if len(piece) == len(x):
                    return found
                if not start:  # in one piece from the start: small outputs, kept one by one between large activations, would pin these
                    outputs = found.new_empty(len(x), *found.shape[1:])
                outputs[start:start + len(piece)] = found
                start += len(piece)
            return outputs
    finally:
        for module, mode in modes.items():
            module.training = mode


def evaluate(training: Training, part: str, network: nn.Module | None = None) -> dict[str, Any]:
    """Loss and metric over all samples of `part` ("train" or "valid"), each sample with the same weight; no state is touched.

    Of the network as it is now, or of another `network`, such as a copy with the best weights.
    """
    x, y = training.parts[part]
    with training.foreign:
        outputs = outputs_of(network or training.network, x)
    return measure(outputs, y, training.loss, training.output)


def measure(outputs: Float[Tensor, "N O"], y: Shaped[Tensor, "N ..."], loss: Loss, output: Output) -> dict[str, Any]:
    """Loss, metric, and accuracy by class where there are classes, of `outputs` against targets as stored."""
    coded = output.encode(y)
    coded = coded.to(outputs.dtype) if coded.is_floating_point() else coded
    found: dict[str, Any] = {"loss": float(loss(outputs, coded).double().mean()), **metrics(output, outputs, y)}
    if by_class := accuracy_by_class(output, outputs, y):
        found["by_class"] = by_class
    return found
