"""Fully sharded data parallelism (FSDP), for a network too large for one device.

Each process of a group keeps a shard of every parameter, and of what the step remembers of it.
PyTorch's FSDP gathers a block's parameters for as long as the block is computed, and reduces its
gradients to the shards. Source: Rajbhandari et al. 2020, ZeRO, stage 3;
https://docs.pytorch.org/docs/stable/distributed.fsdp.fully_shard.html.
"""

from __future__ import annotations

import copy
import math
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import torch
from torch import Tensor, nn

from sevensteps.engine.autograd import Autograd
from sevensteps.engine.distributed.data_parallel import DataParallel
from sevensteps.engine.distributed.process_group import ProcessGroup
from sevensteps.engine.flat_parameters import SPARE, Slices, Vectors, trainable_parameters
from sevensteps.errors import ArgumentError

CONTAINERS = (nn.Sequential, nn.ModuleList, nn.ModuleDict)


def full_tensor(tensor: Tensor) -> Tensor:
    """The whole of a tensor that is sharded over the processes, in main memory; all of them must
    call this. Any other tensor is returned as it is.
    """
    gather = getattr(tensor, "full_tensor", None)  # of a DTensor
    return tensor if gather is None else gather().cpu()


def blocks(network: nn.Module) -> Iterator[nn.Module]:
    """The modules whose parameters are gathered at one time: the members of containers and of the
    network itself that have parameters, inner ones first.
    """
    for parent in reversed(list(network.modules())):
        if parent is network or isinstance(parent, CONTAINERS):
            yield from (
                child
                for child in parent.children()
                if not isinstance(child, CONTAINERS) and next(child.parameters(), None) is not None
            )


class ShardedAutograd(Autograd):
    """Autograd over a sharded network. It has no vectors before `shard` sets the shards of this
    process.
    """

    def _flatten(self, into: Vectors | None) -> tuple[Tensor, Tensor, Slices]:
        named, once = (
            trainable_parameters(self.network),
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

    def shard(self, group: ProcessGroup) -> None:
        """Make the vectors of this process: they have its shard of each parameter's first
        dimension, of the same size in every process.
        """
        self.group, start = group, 0
        for name, shape in self.shapes.items():
            shard = torch.Size((-(-shape[0] // group.size), *shape[1:]))
            self.slices[name] = slice(start, start + shard.numel()), shard
            start += shard.numel()
        self.parameters = self.parameters.new_zeros(start)
        self.gradients = self.parameters.new_zeros(start + SPARE)[:start]

    def local_rows(self, name: str) -> slice:
        """The rows of a parameter that this process keeps; the last processes may have fewer, or
        none.
        """
        rows, each = self.shapes[name][0], self.slices[name][1][0]
        return slice(min(self.group.rank * each, rows), min((self.group.rank + 1) * each, rows))

    def local_shard(self, vector: Tensor, name: str) -> Tensor:
        """This process's shard of a parameter in `vector`, a view without the padding."""
        (span, shape), rows = self.slices[name], self.local_rows(name)
        return vector[span].view(shape)[: rows.stop - rows.start]

    def dtensor(self, vector: Tensor, name: str) -> Any:
        """A parameter in `vector` as a DTensor: it has the shape of the whole parameter and this
        process's shard of the numbers.
        """
        from torch.distributed.tensor import DTensor, Shard

        stride = torch.empty(self.shapes[name], device="meta").stride()
        return DTensor.from_local(
            self.local_shard(vector, name),
            self.mesh,
            [Shard(0)],
            run_check=False,
            shape=self.shapes[name],
            stride=stride,
        )

    def begin(self) -> None:
        """Shard the network: keep no more of it in this process than its shards."""
        from torch.distributed.device_mesh import DeviceMesh
        from torch.distributed.fsdp import FSDPModule, fully_shard

        network: Any = self.network
        c10d: Any = torch.distributed  # which has no types
        # A group of its own: PyTorch keeps it, and its threads, until Python ends; the default
        # group must remain one that can be destroyed.
        mesh_group = c10d.new_group()
        self.mesh = DeviceMesh.from_group(mesh_group, self.parameters.device.type)
        for block in [*blocks(network), network]:
            fully_shard(block, mesh=self.mesh, reshard_after_forward=True)
        for module in network.modules():
            # sum, in the way that every backend can: the weights are in the loss
            if isinstance(module, FSDPModule):
                module.set_gradient_divide_factor(1.0)
                module.set_force_sum_reduction_for_comms(True)
        named = dict(network.named_parameters())
        with torch.no_grad():
            for name in self.slices:
                self.local_shard(self.parameters, name).copy_(named[name].to_local())
            network.load_state_dict(
                {name: self.dtensor(self.parameters, name) for name in self.slices},
                strict=False,
                assign=True,
            )
            network.unshard()  # adopts these tensors, except those that it has to pad with zeros
            network.reshard()
        named = dict(network.named_parameters())
        self._views = [(named[name], self.dtensor(self.gradients, name)) for name in self.slices]
        pairs = [
            (named[name].to_local().detach(), self.local_shard(self.parameters, name))
            for name in self.slices
        ]
        self.padded_copies = [
            (local, shard) for local, shard in pairs if local.data_ptr() != shard.data_ptr()
        ]
        network.register_forward_pre_hook(
            lambda module, x: self.update_padded_copies(), prepend=True
        )

    @torch.no_grad()
    def update_padded_copies(self) -> None:
        """Write the parameters into the tensors of the network that are no views of them."""
        for local, shard in self.padded_copies:
            local.copy_(shard)

    def _forward(self, x: Tensor) -> Tensor:
        with _lost_peers_reported(self.group):
            return super()._forward(x)

    def _backward(
        self, output: Tensor, target: Tensor, losses: Tensor, share: float, add: bool
    ) -> None:
        with _lost_peers_reported(self.group):
            super()._backward(output, target, losses, share, add)


class FSDP(DataParallel):
    """The engine of one process of a group that keeps its shard of the network, from `begin` to
    `end`.

    `parameters`, `gradients` and with them the memory of the step are those of this shard; `size`
    is that of the network.
    """

    engine: ShardedAutograd

    def __init__(self, engine: ShardedAutograd, group: ProcessGroup) -> None:
        engine.shard(group)
        super().__init__(engine, group)
        self.size = sum(shape.numel() for shape in engine.shapes.values())
        self._unsharded: nn.Module | None = None
        self._wish = self._agreed = False
        self._norm = 0.0

    def begin(self) -> None:
        super().begin()
        memo: dict[int, Any] = {
            id(p): nn.Parameter(torch.empty_like(p, device="meta"), p.requires_grad)
            for p in self.network.parameters()
        }
        # as PyTorch has no way back, and refuses to copy the other
        self._unsharded = copy.deepcopy(self.network, memo)
        with _lost_peers_reported(self.group):
            self.engine.begin()

    def weights(self) -> dict[str, Tensor]:
        if self._unsharded is not None:
            self.engine.update_padded_copies()
        return super().weights()

    def end(self) -> nn.Module:
        if self._unsharded is not None:
            with _lost_peers_reported(self.group):
                self._unsharded.load_state_dict(
                    {name: full_tensor(tensor) for name, tensor in self.weights().items()},
                    assign=True,
                )
            self.network, self._unsharded = self._unsharded.to(self.parameters.device), None
        return self.network

    def gathered(self, vector: Tensor) -> Tensor:
        if self._unsharded is None:
            return vector
        parts = [torch.empty(0, dtype=vector.dtype)]
        for name in self.slices:
            with _lost_peers_reported(self.group):
                parameter = full_tensor(self.engine.dtensor(vector, name))
            if self.group.leads:
                parts.append(parameter.flatten())
        return torch.cat(parts) if self.group.leads else vector

    def part(self, vector: Tensor) -> Tensor:
        shard = torch.zeros_like(self.parameters)
        start = 0
        for name, shape in self.engine.shapes.items():
            self.engine.local_shard(shard, name).copy_(
                vector[start : start + shape.numel()].view(shape)[self.engine.local_rows(name)]
            )
            start += shape.numel()
        return shard

    def length(self) -> Tensor:
        return torch.tensor(self._norm, dtype=self.gradients.dtype, device=self.gradients.device)

    def agreed(self, wish: bool) -> bool:
        self._wish = wish and not self._agreed
        return self._agreed

    def _all_reduced(self, numbers: list[float]) -> list[float]:
        """Each process has the summed gradient of its shard already; what is left to sum are the
        `numbers`, the squares of the gradient, and the wish of process 0.
        """
        squares = float(torch.linalg.vector_norm(self.gradients, dtype=torch.float64)) ** 2
        buffer = torch.tensor(
            [*numbers, squares, self._wish], dtype=torch.float64, device=self.gradients.device
        )
        self.group.all_reduce(buffer)
        *sums, squares, wish = buffer.tolist()
        self._norm, self._agreed = math.sqrt(squares), wish > 0
        return sums


@contextmanager
def _lost_peers_reported(group: ProcessGroup) -> Iterator[None]:
    """A block in which PyTorch itself talks to the other processes, and other errors may come, too:
    those of lost processes are reported as the group reports them.
    """
    try:
        yield
    except RuntimeError as failure:
        if isinstance(failure, torch.distributed.DistError) or "gloo" in str(failure):
            with group.lost_peers_reported():
                raise
        raise
