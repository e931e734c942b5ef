"""K networks of the same shapes that have no written chain rule, trained together: one call of the
network for all of them.

PyTorch's `vmap` runs the forward of network 0 with the tensors of all K stacked in front, and
autograd goes back through that. It saves calls: a step of 16 networks was measured to take a
quarter of the time for small operations, as long where one network keeps the processor busy, and
longer where vmap falls back to one network at a time (`nn.GRUCell`), which `vmap_refusal` refuses.
Networks with a written chain rule: `StackedEnsemble`.
"""

from __future__ import annotations

import copy
import re
import warnings
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, nullcontext
from typing import Any, Literal

import torch
from torch import Tensor, nn
from torch._decomp import get_decompositions
from torch.func import functional_call, vmap
from torch.nn.attention import SDPBackend, sdpa_kernel
from torch.overrides import TorchFunctionMode

from sevensteps.engine.autograd import Autograd
from sevensteps.engine.engine import LossFunction, refuse_step
from sevensteps.engine.ensemble import compatibility
from sevensteps.engine.ensemble.base import Ensemble
from sevensteps.engine.modules import Dropout
from sevensteps.engine.sequence import has_hooks
from sevensteps.errors import ArgumentError, Error
from sevensteps.seeds import Isolation


class VmappedEnsemble(Ensemble):
    """An `Ensemble` of any modules that PyTorch can run side by side; each computes what it
    computes alone by `Autograd`.

    Frozen parameters and buffers, such as batch norm's running statistics, are rows of common
    tensors too. All networks follow the mode of network 0. Raises `ArgumentError` for networks that
    differ, draw random numbers or cannot run side by side; `vmap_refusal` tries that first.
    """

    slow: Literal["ignore", "error"] = (
        "ignore"  # what to do where vmap runs an operation network by network
    )

    def _check(self, networks: Sequence[nn.Module]) -> None:
        _check(networks)

    def _prepare(self) -> None:
        self._trained: list[tuple[Tensor, Tensor]] = []  # (values, gradients), [K, …] each
        self._tensors: dict[str, Tensor] = {}
        self._buffers = [name for name, _ in self.networks[0].named_buffers()]
        common: dict[
            int, Tensor
        ] = {}  # what is stacked for a tensor of network 0, which may stand in several places
        for name, tensor in _places(self.networks[0]):
            if id(tensor) not in common:
                common[id(tensor)] = (
                    self._column(name) if name in self.slices else self._fixed(name)
                )
            self._tensors[name] = common[id(tensor)]
        # for all of them; network 0 itself may be watched, by hooks that expect one network
        self.runs = copy.deepcopy(self.networks[0])
        self._recurrent = any(
            isinstance(module, nn.RNNBase) for module in self.networks[0].modules()
        )
        self._forwards = {
            own: vmap(self._one, in_dims=(0, 0 if own else None)) for own in (False, True)
        }

    def _column(self, name: str) -> Tensor:
        """A trained parameter of all networks, as autograd sees it: over the memory of
        `parameters`.
        """
        place, shape = self.slices[name]
        column, slope = (
            tensor[:, place].view(len(self), *shape) for tensor in (self.parameters, self.gradients)
        )
        self._trained.append((column.detach().requires_grad_(), slope))
        return self._trained[-1][0]

    def _fixed(self, name: str) -> Tensor:
        """A frozen parameter or a buffer of all networks; each network's own becomes a view of
        it.
        """
        own = [dict(_places(network))[name] for network in self.networks]
        column = torch.stack([tensor.detach() for tensor in own])
        for tensor, row in zip(own, column, strict=True):
            tensor.data = row
        return column

    def _free(self, network: nn.Module) -> None:
        super()._free(network)
        for _, tensor in _places(network):
            if not tensor.requires_grad:
                tensor.data = tensor.data.clone()

    def _one(self, tensors: dict[str, Tensor], x: Tensor) -> tuple[Tensor, dict[str, Tensor]]:
        """The output of one network, and those of its buffers that it does not change but
        replaces.
        """
        before = dict(tensors)
        output = functional_call(self.runs, tensors, (x,), tie_weights=False)
        return output, {
            name: tensors[name] for name in self._buffers if tensors[name] is not before[name]
        }

    def _forward(self, x: Tensor, own: bool) -> Tensor:
        for module, like in zip(self.runs.modules(), self.networks[0].modules(), strict=True):
            module.training = like.training
        try:
            with (
                torch.enable_grad(),
                _side_by_side(self.slow),
                _StepByStep() if self._recurrent else nullcontext(),
            ):
                output, replaced = self._forwards[own](self._tensors, x)
        except (RuntimeError, ValueError) as failure:
            if reason := _unsupported(str(failure)):
                raise ArgumentError(
                    f"networks are stacked by vmap, but {type(self.networks[0]).__name__} "
                    f"{reason}; "
                    "train them one by one"
                ) from failure
            raise
        with torch.no_grad():
            for name, buffer in replaced.items():
                self._tensors[name].copy_(buffer)
        return output

    @torch.enable_grad()
    def _sample_losses(self, output: Tensor, target: Tensor) -> Tensor:
        return self.loss_function(output, target)

    def _backward(self, losses: Tensor, share: float, add: bool) -> None:
        gradients: Sequence[Tensor | None] = [None] * len(self._trained)
        if losses.requires_grad:  # not where nothing is trained, or the loss depends on none of it
            # of each network's mean: its samples count 1/B
            each = torch.full_like(losses, share / losses.shape[1])
            gradients = torch.autograd.grad(
                losses, [values for values, _ in self._trained], each, allow_unused=True
            )
        for (_, slope), part in zip(self._trained, gradients, strict=True):
            if not add:
                slope.zero_() if part is None else slope.copy_(part)
            elif part is not None:
                slope += part


def vmap_refusal(
    networks: Sequence[nn.Module], loss: LossFunction, x: Tensor, y: Tensor, own: bool = False
) -> str | None:
    """Why `VmappedEnsemble` cannot train these networks, None where it can: copies of two compute
    one batch together and alone.

    `x` [B, …] and `y` [B, …] are one batch, a small one will do; `own` tries it as each network's
    own. Nothing in the networks changes, and whatever they draw from PyTorch's global generator
    leaves no trace.
    """
    try:
        _check(networks)
        with Isolation(torch.Generator().manual_seed(0)):
            return _compare(networks, loss, x, y, own)
    except UserWarning as warned:
        operation = re.search(r"aten::\w+", str(warned))
        lacking = operation.group() if operation else "way"
        return f"vmap has no {lacking} for several networks at once; they are as fast one by one"
    except (Error, RuntimeError, ValueError, TypeError, AttributeError) as failure:
        return " ".join(str(failure).split())


def _step(
    engine: Autograd | VmappedEnsemble, x: Tensor, y: Tensor
) -> tuple[Tensor, Tensor, Tensor]:
    return engine.predict(x), engine.loss(y), engine.gradient()


def _compare(
    networks: Sequence[nn.Module], loss: LossFunction, x: Tensor, y: Tensor, own: bool
) -> str | None:
    """What two of the networks compute otherwise together than alone."""
    tried = networks[:2]
    together = VmappedEnsemble([copy.deepcopy(network) for network in tried], loss)
    together.slow, size = "error", len(tried)
    stacked = [
        together.predict(x.expand(size, *x.shape).clone() if own else x.clone(), own=own),
        together.loss(y, own=False),
        together.gradient(),
    ]
    for index, network in enumerate(tried):
        engine = Autograd(copy.deepcopy(network), loss)
        wanted = _step(engine, x.clone(), y)
        pairs = [
            (what, a[index], b)
            for what, a, b in zip(("outputs", "losses", "gradients"), stacked, wanted, strict=True)
        ]
        pairs += [
            (name, buffer, dict(engine.network.named_buffers())[name])
            for name, buffer in together.networks[index].named_buffers()
        ]
        for what, a, b in pairs:
            if not _close(a, b):
                return (
                    f"network {index} has other {what} together with others than alone; train them "
                    "one by one"
                )
    if attribute := compatibility.first_difference(together.runs, together.networks[-1]):
        return (
            f"the forward changes {attribute}, which would happen to network 0 alone; train them "
            "one by one"
        )
    return None


def _close(a: Tensor, b: Tensor) -> bool:
    """Whether two ways of computing agree as far as their number type lets them: 4e-10 in float64,
    7e-5 in float32.
    """
    if not b.is_floating_point():
        return torch.equal(a, b)
    if torch.equal(a.isfinite(), b.isfinite()):
        a, b = a[b.isfinite()], b[b.isfinite()]
        return bool((a - b).norm() <= torch.finfo(b.dtype).eps ** 0.6 * b.norm())
    return False


def _places(network: nn.Module) -> Iterator[tuple[str, Tensor]]:
    """Every place in the modules that holds a parameter or buffer; a tied one stands in several."""
    for path, module in network.named_modules():
        for name, tensor in (*module._parameters.items(), *module._buffers.items()):
            if tensor is not None:
                yield f"{path}.{name}".lstrip("."), tensor


def _check(networks: Sequence[nn.Module]) -> None:
    compatibility.check_compatible(networks, _refusal, "vmap")
    for index, network in enumerate(networks):
        if attribute := compatibility.first_difference(networks[0], network):
            raise ArgumentError(
                f"network {index} has another {attribute} than network 0, whose code runs for all; "
                "train them one by one"
            )


def _refusal(network: nn.Module) -> str | None:
    """Why a network cannot be one of several in one call, as far as its modules show it."""
    refuse_step(network, "vmap")
    if not any(True for _ in _places(network)):
        return "there are no parameters"
    for path, module in network.named_modules():
        layer = f"{path} ({type(module).__name__})".lstrip()
        if has_hooks(module):
            return (
                f"{layer} has hooks or a forward of its own, which would not be called for each "
                "network"
            )
        if module.training and _draws(module):
            return f"{layer} draws random numbers"
    for name, parameter in network.named_parameters():
        if parameter._backward_hooks or getattr(parameter, "_post_accumulate_grad_hooks", None):
            return f"{name} has a hook, which would not be called for each network"
    return None


def _draws(module: nn.Module) -> bool:
    """Whether a layer of PyTorch or of ours draws in training; what others draw, vmap refuses while
    they run.
    """
    if isinstance(module, Dropout | nn.modules.dropout._DropoutNd):
        return module.p > 0
    return isinstance(module, nn.RReLU) or (
        isinstance(module, nn.MultiheadAttention | nn.RNNBase) and module.dropout > 0
    )


def _unsupported(message: str) -> str | None:
    """What vmap could not do, in one line; None where its failure is not vmap's."""
    if "random" in message:
        return "draws random numbers"
    hints = ("vmap", "atching rule", "functorch", "functional_call")
    return (
        f"cannot run side by side ({' '.join(message.split('. ')[0].split())})"
        if any(word in message for word in hints)
        else None
    )


@contextmanager
def _side_by_side(slow: Literal["ignore", "error"]) -> Iterator[None]:
    """Attention from products, which vmap does for all networks at once; its fused kernels it runs
    one by one, with a warning.
    """
    fast = torch.backends.mha.get_fastpath_enabled()
    torch.backends.mha.set_fastpath_enabled(False)
    try:
        with sdpa_kernel(SDPBackend.MATH), warnings.catch_warnings():
            warnings.filterwarnings(slow, "There is a performance drop", UserWarning)
            yield
    finally:
        torch.backends.mha.set_fastpath_enabled(fast)


_RECURRENT: dict[str, Callable[..., Any]] = {
    name: steps
    for name in ("gru", "lstm", "rnn_tanh", "rnn_relu")
    for steps in get_decompositions([getattr(torch.ops.aten, name).input]).values()
}


class _StepByStep(TorchFunctionMode):
    """A recurrent layer as its steps in time, which vmap can run, in place of PyTorch's kernel for
    all steps, which it cannot.
    """

    def __torch_function__(
        self, function: Callable[..., Any], kinds: object, args: Any = (), kwargs: Any = None
    ) -> Any:
        steps = _RECURRENT.get(getattr(function, "__name__", ""))
        # not of a packed sequence, which has its sizes first
        if steps is not None and len(args) > 2 and isinstance(args[2], list):
            return steps(*args)
        return function(*args, **(kwargs or {}))
