"""A network too large for one device: each process of a group keeps a part of every tensor, and of
what the step remembers of it.

PyTorch's FSDP brings a block's parameters together for as long as it is computed, and adds up its
gradients where each part is kept. Source: Rajbhandari et al. 2020, ZeRO, stage 3;
https://docs.pytorch.org/docs/stable/distributed.fsdp.fully_shard.html."""

from __future__ import annotations

import copy
import math
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import torch
from torch import Tensor, nn

from sevensteps.engine.autograd import Autograd
from sevensteps.engine.distributed.data_parallel import Sharded
from sevensteps.engine.distributed.process_group import Group
from sevensteps.engine.flat import SPARE, Slices, Vectors, trained
from sevensteps.errors import ArgumentError

CONTAINERS = (nn.Sequential, nn.ModuleList, nn.ModuleDict)


def whole(tensor: Tensor) -> Tensor:
    """All of a tensor of which the processes hold parts, in main memory; each of them asks. Another
    is what it is.
    """
    gather = getattr(tensor, "full_tensor", None)  # of a DTensor
    return tensor if gather is None else gather().cpu()


def blocks(network: nn.Module) -> Iterator[nn.Module]:
    """What is brought together at a time: the members of containers and of the network itself, so
    far as they have parameters.

    The inner ones come first.
    """
    for parent in reversed(list(network.modules())):
        if parent is network or isinstance(parent, CONTAINERS):
            yield from (
                child
                for child in parent.children()
                if not isinstance(child, CONTAINERS) and next(child.parameters(), None) is not None
            )


class Spread(Autograd):
    """Autograd over a network in parts. `divide` says which part is kept: until then there are no vectors."""

    def _flatten(self, into: Vectors | None) -> tuple[Tensor, Tensor, Slices]:
        named, once = (
            trained(self.network),
            {id(parameter): name for name, parameter in self.network.named_parameters()},
        )
        for name, parameter in self.network.named_parameters(remove_duplicate=False):
            if not parameter.ndim:
                raise ArgumentError(
                    f"{name} is a single number, which cannot be shared out; give it the shape "
                    "[1], or leave shard out"
                )
            if name != (first := once[id(parameter)]):
                raise ArgumentError(
                    f"{first} and {name} are one parameter, which cannot be shared out; leave "
                    "shard out"
                )
        self.shapes = {name: parameter.shape for name, parameter in named.items()}
        none = next(iter(named.values()), torch.zeros(0)).new_empty(0)
        return none, none, {}

    def divide(self, group: Group) -> None:
        """Make the vectors of this process: of each parameter its part of the first dimension, as
        many numbers in every process.
        """
        self.group, start = group, 0
        for name, shape in self.shapes.items():
            part = torch.Size((-(-shape[0] // group.size), *shape[1:]))
            self.slices[name] = slice(start, start + part.numel()), part
            start += part.numel()
        self.parameters = self.parameters.new_zeros(start)
        self.gradients = self.parameters.new_zeros(start + SPARE)[:start]

    def rows(self, name: str) -> slice:
        """Which rows of a parameter this process keeps; the last ones may have fewer, or none."""
        rows, each = self.shapes[name][0], self.slices[name][1][0]
        return slice(min(self.group.rank * each, rows), min((self.group.rank + 1) * each, rows))

    def piece(self, vector: Tensor, name: str) -> Tensor:
        """The part of a parameter that `vector` holds, without what fills it up."""
        (place, shape), rows = self.slices[name], self.rows(name)
        return vector[place].view(shape)[: rows.stop - rows.start]

    def tensor(self, vector: Tensor, name: str) -> Any:
        """The same, for what PyTorch takes for all of it."""
        from torch.distributed.tensor import DTensor, Shard

        stride = torch.empty(self.shapes[name], device="meta").stride()
        return DTensor.from_local(
            self.piece(vector, name),
            self.mesh,
            [Shard(0)],
            run_check=False,
            shape=self.shapes[name],
            stride=stride,
        )

    def begin(self) -> None:
        """Leave no more of the network here than the part of this process."""
        from torch.distributed.device_mesh import DeviceMesh
        from torch.distributed.fsdp import FSDPModule, fully_shard

        network: Any = self.network
        c10d: Any = torch.distributed  # whose types are not told
        # PyTorch does not let go of it, and its threads, before Python ends; of the other it does
        own = c10d.new_group()
        self.mesh = DeviceMesh.from_group(own, self.parameters.device.type)
        for block in [*blocks(network), network]:
            fully_shard(block, mesh=self.mesh, reshard_after_forward=True)
        for module in network.modules():
            if isinstance(
                module, FSDPModule
            ):  # add up, by what every backend can: it is the loss that is weighted
                module.set_gradient_divide_factor(1.0)
                module.set_force_sum_reduction_for_comms(True)
        named = dict(network.named_parameters())
        with torch.no_grad():
            for name in self.slices:
                self.piece(self.parameters, name).copy_(named[name].to_local())
            network.load_state_dict(
                {name: self.tensor(self.parameters, name) for name in self.slices},
                strict=False,
                assign=True,
            )
            network.unshard()  # takes these over, but for those that it has to fill up with zeros
            network.reshard()
        named = dict(network.named_parameters())
        self._views = [(named[name], self.tensor(self.gradients, name)) for name in self.slices]
        pairs = [
            (named[name].to_local().detach(), self.piece(self.parameters, name))
            for name in self.slices
        ]
        self._apart = [
            (local, piece) for local, piece in pairs if local.data_ptr() != piece.data_ptr()
        ]
        network.register_forward_pre_hook(lambda module, x: self.follow(), prepend=True)

    @torch.no_grad()
    def follow(self) -> None:
        """Put the parameters into those tensors of the network that are no views of them."""
        for local, piece in self._apart:
            local.copy_(piece)

    def _forward(self, x: Tensor) -> Tensor:
        with talking(self.group):
            return super()._forward(x)

    def _backward(
        self, output: Tensor, target: Tensor, losses: Tensor, share: float, add: bool
    ) -> None:
        with talking(self.group):
            super()._backward(output, target, losses, share, add)


class FullySharded(Sharded):
    """The engine of one process of a group that keeps its part of the network, from `begin` to `end`.

    `parameters`, `gradients` and with them the memory of the step are those of this part; `size` is
    that of the network."""

    engine: Spread

    def __init__(self, engine: Spread, group: Group) -> None:
        engine.divide(group)
        super().__init__(engine, group)
        self.size = sum(shape.numel() for shape in engine.shapes.values())
        self._plain: nn.Module | None = None
        self._wish = self._now = False
        self._length = 0.0

    def begin(self) -> None:
        super().begin()
        memo: dict[int, Any] = {
            id(p): nn.Parameter(torch.empty_like(p, device="meta"), p.requires_grad)
            for p in self.network.parameters()
        }
        self._plain = copy.deepcopy(
            self.network, memo
        )  # as PyTorch has no way back, and refuses to copy the other
        with talking(self.group):
            self.engine.begin()

    def weights(self) -> dict[str, Tensor]:
        if self._plain is not None:
            self.engine.follow()
        return super().weights()

    def end(self) -> nn.Module:
        if self._plain is not None:
            with talking(self.group):
                self._plain.load_state_dict(
                    {name: whole(tensor) for name, tensor in self.weights().items()}, assign=True
                )
            self.network, self._plain = self._plain.to(self.parameters.device), None
        return self.network

    def gathered(self, vector: Tensor) -> Tensor:
        if self._plain is None:
            return vector
        parts = [torch.empty(0, dtype=vector.dtype)]
        for name in self.slices:
            with talking(self.group):
                found = whole(self.engine.tensor(vector, name))
            if not self.group.rank:
                parts.append(found.flatten())
        return vector if self.group.rank else torch.cat(parts)

    def part(self, vector: Tensor) -> Tensor:
        found = torch.zeros_like(self.parameters)
        start = 0
        for name, shape in self.engine.shapes.items():
            self.engine.piece(found, name).copy_(
                vector[start : start + shape.numel()].view(shape)[self.engine.rows(name)]
            )
            start += shape.numel()
        return found

    def length(self) -> Tensor:
        return torch.tensor(self._length, dtype=self.gradients.dtype, device=self.gradients.device)

    def agreed(self, wish: bool) -> bool:
        self._wish = wish and not self._now
        return self._now

    def _added(self, numbers: list[float]) -> list[float]:
        """Each has the gradient of its part already; left are the numbers, with the squares of the
        gradient and the wish of process 0.
        """
        squares = float(torch.linalg.vector_norm(self.gradients, dtype=torch.float64)) ** 2
        told = torch.tensor(
            [*numbers, squares, self._wish], dtype=torch.float64, device=self.gradients.device
        )
        self.group.add(told)
        *added, squares, wish = told.tolist()
        self._length, self._now = math.sqrt(squares), wish > 0
        return added


@contextmanager
def talking(group: Group) -> Iterator[None]:
    """PyTorch talks to the other processes in here; where they are gone, that is said as the group
    says it.
    """
    try:
        yield
    except RuntimeError as failure:
        if isinstance(failure, torch.distributed.DistError) or "gloo" in str(failure):
            with group.reached():
                raise
        raise
